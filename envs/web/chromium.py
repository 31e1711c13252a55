"""Chromium as a back end: real layout, pictures, one process group for many isolated pages, driven over a pipe."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import os
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, BrowserError, BrowserGone, BrowserMissing, Snapshot, read_snapshot
from envs.web.cdp import Connection, Message
from envs.web.guard import Gate, resolver_rules
from envs.web.launch import Process, launch
from envs.web.sites import Site
from envs.web.transport import PipeTransport

_log = logging.getLogger(__name__)

STEP_MS = 100
"""Virtual milliseconds that pass with every action."""
WIDTH, HEIGHT = 320, 240
_CANDIDATES = (
    "chromium-headless-shell",
    "/usr/lib/chromium/chromium",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--user-data-dir={folder}",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    "--disable-logging",
    "--disable-notifications",
    "--disable-popup-blocking",
    "--block-new-web-contents",
    "--disable-prompt-on-repost",
    "--disable-quic",
    "--disable-sync",
    "--disable-speech-api",
    "--dns-prefetch-disable",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--hide-scrollbars",
    "--lang=en-US",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-pings",
    "--no-service-autorun",
    "--password-store=basic",
    "--use-mock-keychain",
    "--disk-cache-size=1",
    "--media-cache-size=1",
    "--disable-features=AutofillServerCommunication,CertificateTransparencyComponentUpdater,DialMediaRouteProvider,"
    "InterestFeedContentSuggestions,IsolateOrigins,MediaRouter,OptimizationHints,SegmentationPlatform,Translate,site-per-process",
    f"--window-size={WIDTH},{HEIGHT}",
)


def find_chromium() -> str:
    """Path of a Chromium; raises `BrowserMissing` with what to install. `EXPERIMENTER_CHROMIUM` names another one."""
    named = os.environ.get("EXPERIMENTER_CHROMIUM", "")
    for candidate in (named,) if named else _CANDIDATES:
        if found := shutil.which(candidate):
            return found
    wanted = f"no browser at {named!r}" if named else "no Chromium found"
    raise BrowserMissing(f"{wanted}: apt-get install chromium, or set EXPERIMENTER_CHROMIUM to its path.")


class Chromium:
    """One browser process; it starts with its first page and again when it has failed or served `recycle` episodes."""

    name = "chromium"

    def __init__(self, sites: Sequence[Site], *, timeout_s: float = 30.0, recycle: int = 2000) -> None:
        self._sites, self._timeout_s, self._recycle = tuple(sites), timeout_s, recycle
        self._process: Process | None = None
        self._connection: Connection | None = None
        self._creating = False
        self._sessions: list[str] = []
        self.starts = 0
        """How often a browser process was started."""
        self.episodes = 0
        """Episodes that the running process has served."""

    @property
    def group(self) -> int:
        """Process group of the running browser, 0 when none runs."""
        return self._process.group if self._process else 0

    @property
    def is_tired(self) -> bool:
        """Whether it is time for a fresh process, at the next start of an episode."""
        return self.episodes >= self._recycle

    def new_page(self) -> ChromiumPage:
        """A page in a browser context of its own; nothing is started before it is opened."""
        return ChromiumPage(self)

    def connection(self) -> Connection:
        """The connection to the running browser; starts one where none runs."""
        if self._connection is None:
            self._start()
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        command = [find_chromium(), *_FLAGS, f"--host-resolver-rules={resolver_rules(self._sites)}"]
        if not any(site.upstream for site in self._sites):
            command += ["--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses its sandbox to root
        self.starts += 1
        self.episodes = 0
        self._process = launch(command, {}, pipes=True)
        transport = PipeTransport(self._process.read_end, self._process.write_end)
        connection = self._connection = Connection(transport, self._timeout_s)
        try:
            connection.on("Target.attachedToTarget", self._attached)
            connection.call(
                "Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
            )
            connection.call("Browser.setDownloadBehavior", {"behavior": "deny"})
        except BrowserError:
            self.close()
            raise

    def _attached(self, event: Message) -> None:
        """Take a page that we asked for; close every other target (new windows, workers) before it runs."""
        assert self._connection is not None
        target, session = event["targetInfo"], event["sessionId"]
        if self._creating and target["type"] == "page" and not target.get("openerId"):
            self._sessions.append(session)
            return
        if not target.get("openerId") and target["type"] == "page" and not self._sessions:
            # the blank window that the browser itself starts with
            self._connection.post("Runtime.runIfWaitingForDebugger", session=session, drop=True)
            return
        self._connection.post("Target.closeTarget", {"targetId": target["targetId"]}, drop=True)

    def make_target(self) -> tuple[str, str, str]:
        """Create a page in a fresh context; returns context, target and session."""
        connection = self.connection()
        context = connection.call("Target.createBrowserContext", {"disposeOnDetach": True})["browserContextId"]
        self._creating, self._sessions = True, []
        try:
            wanted = {"url": "about:blank", "browserContextId": context, "width": WIDTH, "height": HEIGHT}
            target = connection.call("Target.createTarget", wanted)["targetId"]
            connection.wait(lambda: bool(self._sessions), "a new page")
        finally:
            self._creating = False
        return context, target, self._sessions[-1]

    def close(self) -> None:
        """Kill the process group and remove the profile."""
        process, self._process, self._connection = self._process, None, None
        if process is not None:
            process.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


class ChromiumPage:
    """One page: a `DomBackend`. It outlives its browser process: after a failure, `open` makes a new one."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        self._start = 0
        self._context = self._target = self._session = ""
        self._loaded = False
        self.gate = Gate()

    def open(self, site: Site, path: str) -> None:
        """Load a page afresh, in a context without cookies, storage or history."""
        if self._session and self._start == self._browser.starts and self.gate.site is site:
            self._navigate(site, path)
            return
        self.close()
        self.gate.site = site
        connection = self._browser.connection()
        self._context, self._target, session = self._browser.make_target()
        self._session, self._start = session, self._browser.starts
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
        self._navigate(site, path)

    def _navigate(self, site: Site, path: str) -> None:
        self._loaded, self.gate.may_navigate = False, True
        connection = self._browser.connection()
        told = connection.call("Page.navigate", {"url": site.origin + path}, self._session)
        if told.get("errorText"):
            raise BrowserError(f"{site.name}{path} does not load: {told['errorText']}")
        connection.wait(lambda: self._loaded, f"loading {site.name}{path}")
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

        told = self._browser.connection().call("Page.captureScreenshot", {"format": "png"}, self._live())
        with Image.open(io.BytesIO(base64.b64decode(told["data"]))) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)

    def abandon(self) -> None:
        """Kill the browser that this page failed in, unless it has been replaced already."""
        if self._start == self._browser.starts:
            self._browser.close()
        self._session = ""

    def close(self) -> None:
        """Dispose of the context with everything in it."""
        if self._session and self._start == self._browser.starts and self._browser.group:
            connection = self._browser.connection()
            connection.forget(self._session)
            with contextlib.suppress(BrowserError):
                connection.post("Target.disposeBrowserContext", {"browserContextId": self._context}, drop=True)
        self._context = self._target = self._session = ""

    def _look(self, expression: str) -> Snapshot:
        told: dict[str, Any] = json.loads(self._evaluate(expression))
        return read_snapshot(told)

    def _evaluate(self, expression: str) -> str:
        connection = self._browser.connection()
        told = connection.call("Runtime.evaluate", {"expression": expression, "returnByValue": True}, self._live())
        if "exceptionDetails" in told:
            detail = told["exceptionDetails"]
            words = detail.get("exception", {}).get("description", detail.get("text", ""))
            raise BrowserError(f"the page failed: {words[:300]}")
        return str(told["result"].get("value"))

    def _live(self) -> str:
        if not self._session or self._start != self._browser.starts:
            raise BrowserGone("the page is gone with its browser")
        return self._session

    def _held(self, event: Message) -> None:
        method, params = self.gate.decide(event)
        self._browser.connection().post(method, params, self._session, drop=True)

    def _has_loaded(self, _: Message) -> None:
        self._loaded = True

    def _dialog(self, _: Message) -> None:
        self._browser.connection().post("Page.handleJavaScriptDialog", {"accept": False}, self._session, drop=True)

    def _crashed(self, _: Message) -> None:
        raise BrowserError("the page crashed")


def is_installed() -> bool:
    """Whether a Chromium is there."""
    try:
        return Path(find_chromium()).exists()
    except BrowserMissing:
        return False
