"""A person's click may do what a script may not: open windows, start downloads and other programs. Trusted clicks lead nowhere either."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envs.web.backend import Action, Verb
from envs.web.chromium import Chromium, is_installed
from envs.web.launch import Process
from envs.web.sites import Site

pytestmark = pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")
LINKS = {
    "away": '<a id=away href="URL/away">away</a>',
    "window": '<a id=window target=_blank href="URL/window">window</a>',
    "opened": "<button id=opened onclick=\"window.open('URL/opened')\">opened</button>",
    "frame": "<button id=frame onclick=\"const f = document.createElement('iframe'); document.body.append(f);"
    " f.contentWindow.open('URL/frame')\">frame</button>",
    "download": '<a id=download download=loot.txt href="URL/download">download</a>',
    "data": '<a id=data download=loot.txt href="data:text/plain,loot">data</a>',
    "blob": "<button id=blob onclick=\"const a = document.createElement('a'); a.download = 'loot.txt';"
    " a.href = URL.createObjectURL(new Blob(['loot'])); a.click()\">blob</button>",
    "top": '<a id=top href="data:text/html,<img src=URL/top>">top</a>',
    "page": "<button id=page onclick=\"location = URL.createObjectURL(new Blob(['<img src=URL/page>'], {type: 'text/html'}))\">page</button>",
    "mail": '<a id=mail href="mailto:someone@evil.example">mail</a>',
    "call": '<a id=call href="tel:123">call</a>',
    "program": '<a id=program href="ssh://127.0.0.1:PORT/program">program</a>',
    "file": '<a id=file href="file:///etc/passwd">file</a>',
    "inner": '<a id=inner href="chrome://settings">inner</a>',
    "source": '<a id=source href="view-source:URL/source">source</a>',
    "upload": "<input id=upload type=file>",
    "form": '<form action="URL/form" method=post><button id=form>form</button></form>',
    "refresh": "<button id=refresh onclick=\"document.head.insertAdjacentHTML('beforeend',"
    " '<meta http-equiv=refresh content=\\'0;url=URL/refresh\\'>')\">refresh</button>",
}
ASKED = {"away", "form"}
"""Ways out that the browser asks the network for; the others end before."""
ADAPTER = """
window.__pressed = [];
document.addEventListener('click', (event) => { if (event.isTrusted) window.__pressed.push(event.target.id); }, true);
window.__site = {start() {}, ready() { return true; }, skip: [],
                 state() { return [[location.origin, document.title, ...window.__pressed].join(' '), false, 0]; }};
"""


class Listener:
    """A port that counts who knocks."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.knocks = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.knocks += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


@pytest.mark.parametrize("offline", [True, False], ids=["without a network", "with a network"])
def test_trusted_clicks_lead_nowhere(offline: bool, listener: Listener, tmp_path: Path) -> None:
    """Every link pressed by the browser's own mouse: the page stays, no connection is made, no file is left."""
    away = {
        name: text.replace("URL.create", "MAKE.create").replace("URL/", f"http://127.0.0.1:{listener.port}/")
        for name, text in LINKS.items()
    }
    body = "".join(
        f"<p>{text.replace('MAKE.', 'URL.').replace('PORT', str(listener.port))}</p>" for text in away.values()
    )
    (tmp_path / "index.html").write_text(f"<!DOCTYPE html><title>here</title><body>{body}</body>")
    site = Site(name="leaving", folder=tmp_path, adapter=ADAPTER)
    browser, windows = Chromium([site], trusted=True, offline=offline), 0
    try:
        page = browser.new_page()
        for name in LINKS:
            page.open(site, "/index.html")
            told = page.reset(0, [])
            windows = windows or count_windows(browser)
            page.act(Action(Verb.CLICK, next(e.index for e in told.elements if name in e.attributes.split())))
            for wait in range(1000):  # a busy browser asks to leave a little later
                time.sleep(0.02)
                told = page.act(Action(Verb.SCROLL, text="down"))
                if wait > 3 and (name not in ASKED or name in refused_of(page, listener)):
                    break
            assert told.instruction == f"http://leaving.test here {name}"
        assert count_windows(browser) == windows
        process = browser._process
        assert isinstance(process, Process)
        assert list(process.folder.rglob("*loot*")) == []
    finally:
        browser.close()
    assert listener.knocks == 0
    assert refused_of(page, listener) >= ASKED


def refused_of(page: Any, listener: Listener) -> set[str]:
    """Names of the links whose address at `listener` was asked for and refused."""
    return {url.rsplit("/", 1)[1] for url in page.gate.refused if f":{listener.port}/" in url}


def count_windows(browser: Chromium) -> int:
    found = browser.connection().call("Target.getTargets")["targetInfos"]
    return sum(one["type"] == "page" for one in found)
