"""A page driven over the DevTools protocol: the `DomBackend` that Chromium and Lightpanda share. It starts no browser itself."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, BrowserError, BrowserGone, Snapshot, read_snapshot
from envs.web.cdp import Connection, Message
from envs.web.guard import Gate
from envs.web.sites import Site

STEP_MS = 100
"""Virtual milliseconds that pass with every action."""


@dataclass(frozen=True)
class Attachment:
    """A page in a running browser."""

    connection: Connection
    session: str
    context: str = ""


class PageHost(Protocol):
    """What a page needs of its browser."""

    starts: int
    """How often a browser process was started; a page is lost when this has moved on."""
    episodes: int

    @property
    def group(self) -> int:
        """Process group of the running browser, 0 when none runs."""
        ...

    def attach(self) -> Attachment:
        """Make a page in a fresh context, in a browser that is started when none runs."""
        ...

    def detach(self, found: Attachment) -> None:
        """Dispose of a page and its context."""
        ...

    def close(self) -> None: ...


class CdpPage:
    """One page: a `DomBackend`. It outlives its browser process: after a failure, `open` makes a new one."""

    def __init__(self, browser: PageHost) -> None:
        self._browser = browser
        self._start = 0
        self._attached: Attachment | None = None
        self._loaded = False
        self.gate = Gate()

    def open(self, site: Site, path: str) -> None:
        """Load a page afresh; in a context without cookies, storage or history where the page is new."""
        if self._attached is None or self._start != self._browser.starts or self.gate.site is not site:
            self.close()
            self._attach(site)
        self._navigate(site, path)

    def _attach(self, site: Site) -> None:
        self.gate.site = site
        self._attached = found = self._browser.attach()
        self._start = self._browser.starts
        connection, session = found.connection, found.session
        connection.on("Fetch.requestPaused", self._held, session)
        connection.on("Page.loadEventFired", self._has_loaded, session)
        connection.on("Page.javascriptDialogOpening", self._dialog, session)
        connection.on("Inspector.targetCrashed", self._crashed, session)
        script = files("envs.web").joinpath("page.js").read_text() + "\n" + site.adapter
        connection.post("Page.enable", session=session, drop=True)
        connection.post("Runtime.enable", session=session, drop=True)
        connection.post("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}, session, drop=True)
        connection.post("Page.addScriptToEvaluateOnNewDocument", {"source": script}, session, drop=True)
        connection.call("Runtime.runIfWaitingForDebugger", session=session)

    def _navigate(self, site: Site, path: str) -> None:
        self._loaded, self.gate.may_navigate = False, True
        found = self._live()
        told = found.connection.call("Page.navigate", {"url": site.origin + path}, found.session)
        if told.get("errorText"):
            raise BrowserError(f"{site.name}{path} does not load: {told['errorText']}")
        found.connection.wait(lambda: self._loaded, f"loading {site.name}{path}")
        if self._evaluate("String(!!window.__agent && __agent.begin())") != "true":
            raise BrowserError(f"{site.name}{path} has no task")

    def reset(self, seed: int, clutter: Sequence[str]) -> Snapshot:
        """Start the episode of `seed`; one round trip."""
        self._browser.episodes += 1
        return self._look(f"__agent.reset({seed},{json.dumps(list(clutter))})")

    def observe(self) -> Snapshot:
        return self._look("__agent.observe()")

    def act(self, action: Action) -> Snapshot:
        """Carry out `action` by the page's own events; one round trip."""
        text = json.dumps(action.text)
        return self._look(f"__agent.act({json.dumps(action.verb.value)},{int(action.element)},{text},{STEP_MS})")

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture [240, 320, 3]."""
        from PIL import Image

        found = self._live()
        told = found.connection.call("Page.captureScreenshot", {"format": "png"}, found.session)
        with Image.open(io.BytesIO(base64.b64decode(told["data"]))) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)

    def abandon(self) -> None:
        """Kill the browser that this page failed in, unless it has been replaced already."""
        if self._attached is not None and self._start == self._browser.starts:
            self._browser.close()
        self._attached = None

    def close(self) -> None:
        """Dispose of the page with everything in it."""
        found, self._attached = self._attached, None
        if found is not None and self._start == self._browser.starts:
            found.connection.forget(found.session)
            self._browser.detach(found)

    def _look(self, expression: str) -> Snapshot:
        told: dict[str, Any] = json.loads(self._evaluate(expression))
        return read_snapshot(told)

    def _evaluate(self, expression: str) -> str:
        found = self._live()
        told = found.connection.call(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True}, found.session
        )
        if "exceptionDetails" in told:
            detail = told["exceptionDetails"]
            words = detail.get("exception", {}).get("description", detail.get("text", ""))
            raise BrowserError(f"the page failed: {words[:300]}")
        return str(told["result"].get("value"))

    def _live(self) -> Attachment:
        """The page in its browser; raises `BrowserGone` when that has been replaced or closed."""
        if self._attached is None or self._start != self._browser.starts or not self._browser.group:
            raise BrowserGone("the page is gone with its browser")
        return self._attached

    def _held(self, event: Message) -> None:
        method, params = self.gate.decide(event)
        found = self._live()
        found.connection.post(method, params, found.session, drop=True)

    def _has_loaded(self, _: Message) -> None:
        self._loaded = True

    def _dialog(self, _: Message) -> None:
        found = self._live()
        found.connection.post("Page.handleJavaScriptDialog", {"accept": False}, found.session, drop=True)

    def _crashed(self, _: Message) -> None:
        raise BrowserError("the page crashed")
