"""A page driven over the DevTools protocol: the `DomBackend` that Chromium and Lightpanda share. It starts no browser itself."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, BrowserError, BrowserGone, BrowserRefused, Snapshot, read_snapshot
from envs.web.cdp import Connection, Message
from envs.web.guard import Gate
from envs.web.hands import Hands
from envs.web.sites import Site

STEP_MS = 100
"""Virtual milliseconds that pass with every action."""
EPISODES_A_DOCUMENT = 50
"""Episodes of a served site that begin in one and the same window, before it is loaded afresh."""


@dataclass(frozen=True)
class Attachment:
    """A page in a running browser."""

    connection: Connection
    session: str
    context: str = ""


@runtime_checkable
class Framing(Protocol):
    """A site some of whose pages hold others in frames."""

    def frames_of(self, path: str) -> Sequence[str]:
        """Paths of the pages that the page at `path` holds."""
        ...


class PageHost(Protocol):
    """What a page needs of its browser."""

    trusted: bool
    """Whether actions are done by the browser's own mouse and keyboard."""

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
        self._leaving = False
        self._moved = False
        self._turns = 0
        self._hands: Hands | None = None
        self.gate = Gate()

    def open(self, site: Site, path: str) -> None:
        """Load a page afresh; in a context without cookies, storage or history where the page is new."""
        if self._attached is None or self._start != self._browser.starts or self.gate.site is not site:
            self.close()
            self._attach(site)
            self._turns = 0
        if self._may_turn(site) and self._evaluate(f"__site.visit({json.dumps(path)})") == "moved":
            self._turns += 1
            self._begin(site.name + path)
            return
        self._turns = 1
        self._navigate(site, path)

    def _may_turn(self, site: Site) -> bool:
        """Whether a served site's next episode may begin in the window of the one before."""
        return site.application is not None and not self._browser.trusted and 0 < self._turns < EPISODES_A_DOCUMENT

    def _begin(self, what: str) -> None:
        if self._evaluate("String(!!window.__agent && __agent.begin())") != "true":
            raise BrowserError(f"{what} has no task")

    def _attach(self, site: Site) -> None:
        self.gate.site = site
        self._attached = found = self._browser.attach()
        self._start = self._browser.starts
        connection, session = found.connection, found.session
        connection.on("Fetch.requestPaused", self._held, session)
        connection.on("Page.loadEventFired", self._has_loaded, session)
        connection.on("Page.frameRequestedNavigation", self._is_leaving, session)
        connection.on("Page.javascriptDialogOpening", self._dialog, session)
        connection.on("Inspector.targetCrashed", self._crashed, session)
        texts = [files("envs.web").joinpath(name).read_text() for name in ("page.js", "agent.js")]
        hand = f"window.__trusted = {json.dumps(self._browser.trusted)};"
        script = "\n".join([*texts, hand, site.adapter])
        connection.post("Page.enable", session=session, drop=True)
        connection.post("Runtime.enable", session=session, drop=True)
        connection.post("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}, session, drop=True)
        connection.post("Page.addScriptToEvaluateOnNewDocument", {"source": script}, session, drop=True)
        self._hands = Hands(connection, session, self._evaluate) if self._browser.trusted else None
        connection.call("Runtime.runIfWaitingForDebugger", session=session)

    def _navigate(self, site: Site, path: str) -> None:
        self._loaded, self._moved, self.gate.may_navigate = False, False, True
        self.gate.frames = list(site.frames_of(path)) if isinstance(site, Framing) else []
        found = self._live()
        told = found.connection.call("Page.navigate", {"url": site.origin + path}, found.session)
        if told.get("errorText"):
            raise BrowserError(f"{site.name}{path} does not load: {told['errorText']}")
        found.connection.wait(lambda: self._loaded, f"loading {site.name}{path}")
        self._leaving = False
        self._begin(site.name + path)

    def reset(self, seed: int, clutter: Sequence[str]) -> Snapshot:
        """Start the episode of `seed`; one round trip."""
        self._browser.episodes += 1
        return self._look(f"__agent.reset({seed},{json.dumps(list(clutter))})")

    def observe(self) -> Snapshot:
        return self._look("__agent.observe()")

    def act(self, action: Action) -> Snapshot:
        """Carry out `action`: by the page's own events in one round trip, or by the browser's trusted mouse and keyboard."""
        if self._hands is not None:
            self._hands.carry_out(action)
            if self.gate.site is not None and self.gate.site.application is not None and self.settle():
                self._moved = True
                return self.observe()
            return self._look(f"__agent.after({STEP_MS})")
        text = json.dumps(action.text)
        return self._look(f"__agent.act({json.dumps(action.verb.value)},{int(action.element)},{text},{STEP_MS})")

    def settle(self) -> bool:
        """Wait for the document that the last action asked for, where it asked for one; return whether there is a new one."""
        if self._moved:  # and waited for already
            self._moved = False
            return True
        try:
            has_come = self._evaluate("__site.go()") == "moved"
        except BrowserRefused:  # the old document may go while we ask it
            if not self._leaving:
                raise
            has_come = False
        if self._leaving:
            self._live().connection.wait(lambda: self._loaded or not self._leaving, "loading the next page")
            has_come, self._leaving = self._leaving, False
        if has_come:
            self._begin("the next page")
        return has_come

    def source(self) -> str:
        """HTML of a served site's page as it stands, with what was typed and chosen, without scripts."""
        return self._evaluate("__site.source()")

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
            "Runtime.evaluate",
            {"expression": expression, "returnByValue": True, "awaitPromise": True},
            found.session,
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
        if event.get("resourceType") == "Document":
            self._leaving = method != "Fetch.failRequest"
        found.connection.post(method, params, found.session, drop=True)

    def _is_leaving(self, _: Message) -> None:
        self._leaving, self._loaded = True, False

    def _has_loaded(self, _: Message) -> None:
        self._loaded = True

    def _dialog(self, _: Message) -> None:
        found = self._live()
        found.connection.post("Page.handleJavaScriptDialog", {"accept": False}, found.session, drop=True)

    def _crashed(self, _: Message) -> None:
        raise BrowserError("the page crashed")
