"""Lightpanda as a back end: no layout and no pictures, many times the speed. An optional extra; its binary is AGPL-3.0.

It runs in a process of its own and is spoken to over a socket; nothing of it is imported or shipped here. Each page is a
connection of its own. Its file answers go through the same gate as Chromium's; below that, all addresses are blocked.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from envs.web.backend import BrowserError, BrowserMissing
from envs.web.cdp import Connection
from envs.web.cdp_page import Attachment, CdpPage
from envs.web.launch import Process, launch, offline_prefix
from envs.web.sites import Site
from envs.web.transport import SocketTransport

_FLAGS = (
    "serve",
    "--unix-socket",
    "{folder}/cdp",
    "--disable-metrics",
    "--load-resources",
    "stylesheet",
    "--block-cidrs",
    "0.0.0.0/0",
    "--block-cidrs",
    "::/0",
)
MOST_PAGES = 16
"""Connections that one process takes."""


def find_lightpanda() -> str:
    """Path of the binary inside its own package; raises `BrowserMissing` with what to install."""
    spec = find_spec("lightpanda")
    if spec is None or spec.origin is None or find_spec("websocket") is None:
        raise BrowserMissing("the browser lightpanda is not installed: pip install 'rl-experimenter[lightpanda]'.")
    binary = Path(spec.origin).parent / "lightpanda"
    return str(binary) if binary.is_file() else shutil.which("lightpanda") or ""


class Lightpanda:
    """One browser process; it starts with its first page and again when it has failed or served `recycle` episodes."""

    name = "lightpanda"
    trusted = False

    def __init__(self, sites: Sequence[Site], *, timeout_s: float = 30.0, recycle: int = 20_000) -> None:
        if any(site.upstream for site in sites):
            raise BrowserMissing("lightpanda is only let to sites that need no server: use chromium.")
        self._timeout_s, self._recycle = timeout_s, recycle
        self._process: Process | None = None
        self._open: list[Connection] = []
        self.starts = 0
        self.episodes = 0

    @property
    def group(self) -> int:
        """Process group of the running browser, 0 when none runs."""
        return self._process.group if self._process else 0

    @property
    def is_tired(self) -> bool:
        """Whether it is time for a fresh process, at the next start of an episode."""
        return self.episodes >= self._recycle

    def new_page(self) -> CdpPage:
        """A page with a connection of its own; nothing is started before it is opened."""
        return CdpPage(self)

    def attach(self) -> Attachment:
        """Connect and create a page."""
        if self._process is None:
            self.starts += 1
            self.episodes = 0
            quiet = {"LIGHTPANDA_DISABLE_TELEMETRY": "true"}
            self._process = launch([*offline_prefix(), find_lightpanda(), *_FLAGS], quiet, pipes=False)
        if len(self._open) >= MOST_PAGES:
            raise BrowserError(f"lightpanda takes at most {MOST_PAGES} pages")
        transport = SocketTransport(self._process.folder / "cdp")
        connection = Connection(transport, self._timeout_s)
        self._open.append(connection)
        context = connection.call("Target.createBrowserContext")["browserContextId"]
        target = connection.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = connection.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        return Attachment(connection, session, context)

    def detach(self, found: Attachment) -> None:
        """Close the page's connection, and the page with it."""
        with contextlib.suppress(ValueError):
            self._open.remove(found.connection)
        found.connection.close()

    def close(self) -> None:
        """Kill the process group and remove its folder."""
        for connection in self._open:
            connection.close()
        self._open = []
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()
