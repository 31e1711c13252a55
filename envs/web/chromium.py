"""Chromium as a back end: real layout, pictures, one process group for many isolated pages, driven over a pipe."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from envs.web.backend import BrowserError, BrowserMissing
from envs.web.cdp import Connection, Message
from envs.web.cdp_page import Attachment, CdpPage
from envs.web.guard import resolver_rules
from envs.web.launch import Process, launch, offline_prefix
from envs.web.sites import Site
from envs.web.transport import PipeTransport

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
    "--allow-pre-commit-input",  # else presses on a page that has not been painted yet are lost
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
    "--disable-smooth-scrolling",
    "--disable-sync",
    "--disable-speech-api",
    "--dns-prefetch-disable",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
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


def find_chromium(*, full: bool = False) -> str:
    """Path of a Chromium; raises `BrowserMissing` with what to install. `EXPERIMENTER_CHROMIUM` names another one.

    The headless shell is lighter and comes first, the `full` browser only where it is asked for.
    """
    named = os.environ.get("EXPERIMENTER_CHROMIUM", "")
    known = (*_CANDIDATES[1:], _CANDIDATES[0]) if full else _CANDIDATES
    for candidate in (named,) if named else known:
        if found := shutil.which(candidate):
            return found
    wanted = f"no browser at {named!r}" if named else "no Chromium found"
    raise BrowserMissing(f"{wanted}: apt-get install chromium, or set EXPERIMENTER_CHROMIUM to its path.")


class Chromium:
    """One browser process; it starts with its first page and again when it has failed or served `recycle` episodes."""

    name = "chromium"

    def __init__(
        self,
        sites: Sequence[Site],
        *,
        timeout_s: float = 30.0,
        recycle: int = 2000,
        offline: bool = True,
        trusted: bool = False,
    ) -> None:
        self.trusted = trusted
        self._sites, self._timeout_s, self._recycle = tuple(sites), timeout_s, recycle
        self._offline = offline and not any(site.upstream for site in sites)
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

    def new_page(self) -> CdpPage:
        """A page in a browser context of its own; nothing is started before it is opened."""
        return CdpPage(self)

    def connection(self) -> Connection:
        """The connection to the running browser; starts one where none runs."""
        if self._connection is None:
            self._start()
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        prefix = offline_prefix() if self._offline else ()
        command = [
            *prefix,
            find_chromium(full=self.trusted),
            *_FLAGS,
            f"--host-resolver-rules={resolver_rules(self._sites)}",
        ]
        if not any(site.upstream for site in self._sites):
            command += ["--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses its sandbox to root
        command.append("about:blank")  # not its own start page
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
        if target["type"] != "page" or target.get("openerId"):
            self._refuse(session, target["targetId"])
        else:  # the blank window that the browser itself starts with
            self._connection.post("Runtime.runIfWaitingForDebugger", session=session, drop=True)

    def _refuse(self, session: str, target: str) -> None:
        """Close a window or worker that a page made. It must run to close, so its requests are refused first."""
        connection = self._connection
        assert connection is not None

        def held(event: Message) -> None:
            told = {"requestId": event["requestId"], "errorReason": "BlockedByClient"}
            connection.post("Fetch.failRequest", told, session, drop=True)

        connection.on("Fetch.requestPaused", held, session)
        connection.post("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}, session, drop=True)
        connection.post("Runtime.runIfWaitingForDebugger", session=session, drop=True)
        connection.post("Target.closeTarget", {"targetId": target}, drop=True)

    def attach(self) -> Attachment:
        """Create a page in a fresh context; raises `BrowserError` when it does not come."""
        connection = self.connection()
        context = connection.call("Target.createBrowserContext", {"disposeOnDetach": True})["browserContextId"]
        self._creating, self._sessions = True, []
        try:
            wanted = {"url": "about:blank", "browserContextId": context, "width": WIDTH, "height": HEIGHT}
            connection.call("Target.createTarget", wanted)
            connection.wait(lambda: bool(self._sessions), "a new page")
        finally:
            self._creating = False
        view = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        connection.post("Emulation.setDeviceMetricsOverride", view, self._sessions[-1], drop=True)
        connection.post("Emulation.setFocusEmulationEnabled", {"enabled": True}, self._sessions[-1], drop=True)
        connection.post("Page.setInterceptFileChooserDialog", {"enabled": True}, self._sessions[-1], drop=True)
        return Attachment(connection, self._sessions[-1], context)

    def detach(self, found: Attachment) -> None:
        """Dispose of a page's context with everything in it."""
        with contextlib.suppress(BrowserError):
            found.connection.post("Target.disposeBrowserContext", {"browserContextId": found.context}, drop=True)

    def close(self) -> None:
        """Kill the process group and remove the profile."""
        process, self._process, self._connection = self._process, None, None
        if process is not None:
            process.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


def is_installed() -> bool:
    """Whether a Chromium is there."""
    try:
        return Path(find_chromium()).exists()
    except BrowserMissing:
        return False
