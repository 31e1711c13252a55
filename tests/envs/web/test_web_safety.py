"""Nothing outside the allowed sites is reached, whatever a page tries: a counting server on this machine sees no request."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from envs.web.backend import Action, BrowserMissing, Verb
from envs.web.browsers import NAMES
from envs.web.chromium import Chromium, find_chromium
from envs.web.guard import Gate, resolver_rules
from envs.web.lightpanda import Lightpanda, find_lightpanda
from envs.web.sites import Site

ADAPTER = """
window.__site = {start() {}, ready() { return true; }, skip: [],
                 state() { return [document.title || 'none', false, 0]; }};
"""
TRIES = {
    "location": "setTimeout(() => { location.href = 'URL/location'; }, 1);",
    "meta": "document.head.insertAdjacentHTML('beforeend', '<meta http-equiv=\"refresh\" content=\"0;url=URL/meta\">');",
    "window": "const f = document.createElement('iframe'); document.body.append(f); f.contentWindow.open('URL/window'); "
    "window.top.open('URL/window2', '_blank');",
    "link": "document.body.insertAdjacentHTML('beforeend', '<a id=out target=_blank href=\"URL/blank\">out</a>');"
    "document.getElementById('out').click();",
    "frame": "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"URL/frame\"></iframe>');",
    "data": "document.body.insertAdjacentHTML('beforeend', "
    "`<iframe src=\"data:text/html,<script>fetch('URL/data');new Image().src='URL/data2'</script>\"></iframe>`);",
    "blob": "const page = new Blob([\"<script>fetch('URL/blob');location='URL/blob2'</script>\"], {type: 'text/html'});"
    "const b = document.createElement('iframe'); b.src = URL.createObjectURL(page); document.body.append(b);",
    "worker": "new Worker(URL.createObjectURL(new Blob([\"fetch('URL/worker');importScripts('URL/worker2')\"])));",
    "fetch": "fetch('URL/fetch', {mode: 'no-cors'}).catch(() => 0); const x = new XMLHttpRequest(); x.open('GET', 'URL/xhr');"
    "x.onerror = () => 0; x.send();",
    "beacon": "navigator.sendBeacon('URL/beacon', 'x');",
    "socket": "new WebSocket('WSURL/socket'); new EventSource('URL/events');",
    "image": "new Image().src = 'URL/image';",
    "style": "document.head.insertAdjacentHTML('beforeend', '<link rel=stylesheet href=\"URL/style\"><link rel=prefetch "
    'href="URL/prefetch"><link rel=preconnect href="URL"><style>@import "URL/import";</style>\');',
    "form": "document.body.insertAdjacentHTML('beforeend', '<form action=\"URL/form\" method=post><input name=a></form>');"
    "document.forms[0].submit();",
    "download": "document.body.insertAdjacentHTML('beforeend', '<a id=dl download href=\"URL/download\">d</a>');"
    "document.getElementById('dl').click();",
    "rtc": "const g = document.createElement('iframe'); document.body.append(g); const R = g.contentWindow.RTCPeerConnection;"
    "const p = new R({iceServers: [{urls: 'stun:HOSTPORT'}]}); p.createDataChannel('x'); p.createOffer().then(o => p.setLocalDescription(o));",
}


class Counter:
    """A server on loopback that writes down every connection, TCP and UDP, whatever is said on it."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        hits = self.hits

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hits.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"here")

            do_POST = do_HEAD = do_OPTIONS = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def verify_request(self, request: Any, client_address: Any) -> bool:
                hits.append("connection")
                return True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._udp.settimeout(0.1)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._server.serve_forever), threading.Thread(target=self._listen)]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                self._udp.recv(2048)
            except TimeoutError:
                continue
            self.hits.append("datagram")

    def close(self) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()
        self._udp.close()


@pytest.fixture
def counter() -> Iterator[Counter]:
    server = Counter()
    yield server
    server.close()


def make_evil(folder: Path, port: int, tries: dict[str, str]) -> Site:
    """A site whose page tries everything when an episode starts, each try by itself, and then says so in its title."""
    codes = []
    for host in ("127.0.0.1", "localhost", "evil.example"):
        for code in tries.values():
            here = code.replace("WSURL", f"ws://{host}:{port}").replace("HOSTPORT", f"{host}:{port}")
            here = here.replace("URL.createObjectURL", "MAKE").replace("URL", f"http://{host}:{port}")
            codes.append(here.replace("MAKE", "URL.createObjectURL"))
    (folder / "index.html").write_text(
        "<!DOCTYPE html><html><head><title>start</title>"
        f"<meta http-equiv=refresh content='0;url=http://127.0.0.1:{port}/refresh'></head>"
        f"<body><button id=b>b</button><img src='http://127.0.0.1:{port}/picture'></body></html>"
    )
    start = f"start() {{ for (const code of {json.dumps(codes)}) try {{ new Function(code)(); }} catch (error) {{ 0; }}"
    return Site(name="evil", folder=folder, adapter=ADAPTER.replace("start() {", start + " document.title = 'tried';"))


def test_the_counter_counts(counter: Counter) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{counter.port}/check") as answer:
        assert answer.read() == b"here"
    assert counter.hits == ["connection", "/check"]


@pytest.mark.parametrize("name", [*NAMES, "chromium with a network"])
def test_no_page_reaches_anything_else(name: str, counter: Counter, tmp_path: Path) -> None:
    """Also where the system gives the browser a network: host rules and held requests alone must do."""
    site = make_evil(tmp_path, counter.port, TRIES)
    try:
        find_lightpanda() if name == "lightpanda" else find_chromium()
    except BrowserMissing as missing:
        pytest.skip(str(missing))
    browser: Chromium | Lightpanda = (
        Lightpanda([site]) if name == "lightpanda" else Chromium([site], offline=name == "chromium")
    )
    try:
        page = browser.new_page()
        page.open(site, "/index.html")
        page.reset(0, [])
        for _ in range(6):
            time.sleep(0.2)
            told = page.act(Action(Verb.PRESS, text="Escape"))
        assert told.instruction == "tried"
    finally:
        browser.close()
    assert counter.hits == []
    refused = " ".join(page.gate.refused)
    assert "/fetch" in refused and "/xhr" in refused
    seen = {url.rsplit("/", 1)[1] for url in page.gate.refused}
    tried = {"image", "picture", "frame", "beacon", "style", "events", "refresh"}
    assert name == "lightpanda" or tried - seen == set()


def test_a_redirect_of_an_allowed_server_leads_nowhere(counter: Counter, tmp_path: Path) -> None:
    """The allowed server is reached, and only it: its redirects are refused."""
    try:
        find_chromium()
    except BrowserMissing as missing:
        pytest.skip(str(missing))
    allowed = Redirecting(counter.port)
    site = Site(name="shop", folder=tmp_path, adapter=ADAPTER, upstream=f"127.0.0.1:{allowed.port}")
    browser = Chromium([site])
    try:
        page = browser.new_page()
        page.open(site, "/index.html")
        for _ in range(4):
            time.sleep(0.2)
            assert page.act(Action(Verb.CLICK, 0)).instruction == "shop"
    finally:
        browser.close()
        allowed.close()
    assert "/index.html" in allowed.paths and "/away" in allowed.paths
    assert counter.hits == []
    assert any(f":{counter.port}/target" in url for url in page.gate.refused)


class Redirecting:
    """An allowed server whose page fetches `/away`, which redirects to another server."""

    def __init__(self, other: int) -> None:
        self.paths: list[str] = []
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                if self.path.startswith("/away"):
                    self.send_response(302)
                    self.send_header("Location", f"http://127.0.0.1:{other}/target")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(
                    b"<!DOCTYPE html><title>shop</title><button>b</button><img src='/away'>"
                    b"<script>fetch('/away').catch(() => 0); setTimeout(() => { location.href = '/away'; }, 1);</script>"
                )

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_resolver_rules_let_through_only_the_servers_of_sites(tmp_path: Path) -> None:
    files = Site(name="a", folder=tmp_path, adapter="")
    shop = Site(name="shop", folder=tmp_path, adapter="", upstream="127.0.0.1:8123")
    assert resolver_rules([files]) == "MAP * ~NOTFOUND"
    assert resolver_rules([files, shop]) == "MAP shop.test:80 127.0.0.1:8123, MAP * ~NOTFOUND"


def event(url: str, kind: str = "Image") -> dict[str, Any]:
    return {"requestId": "r", "request": {"url": url}, "resourceType": kind}


def test_the_gate_answers_files_of_its_site_and_refuses_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path.parent / "secret.txt").write_text("secret")
    gate = Gate()
    assert gate.decide(event("http://a.test/a.txt"))[0] == "Fetch.failRequest"
    gate.site = Site(name="a", folder=tmp_path, adapter="")
    method, told = gate.decide(event("http://a.test/a.txt"))
    assert (method, told["responseCode"], told["body"]) == ("Fetch.fulfillRequest", 200, "aGVsbG8=")
    assert gate.decide(event("http://a.test/../secret.txt"))[1]["responseCode"] == 404
    for url in (
        "https://a.test/a.txt",
        "http://a.test:81/a.txt",
        "http://a.test@b.test/a.txt",
        "file:///etc/passwd",
        "ftp://a.test/x",
    ):
        assert gate.decide(event(url)) == ("Fetch.failRequest", {"requestId": "r", "errorReason": "BlockedByClient"}), (
            url
        )
    assert gate.decide(event("http://a.test/a.txt", "Document"))[1]["errorReason"] == "Aborted"
    gate.may_navigate = True
    assert gate.decide(event("http://a.test/a.txt", "Document"))[0] == "Fetch.fulfillRequest"
    assert gate.decide(event("http://a.test/a.txt", "Document"))[0] == "Fetch.failRequest"
