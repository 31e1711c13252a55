"""Two browsers as one: each page is opened in the fast one where that can do it, in the full one otherwise.

The fast one has no pictures. A page of files is a function of its seed and the actions taken, so a picture of it is taken in the
full browser, where the same episode is played again up to now. A served site keeps a state, and its episode must not be played twice:
what stands on its page is shown in the full browser instead, without its scripts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, BrowserError, BrowserGone, DomBackend, Snapshot
from envs.web.cdp_page import CdpPage
from envs.web.chromium import Chromium
from envs.web.lightpanda import MOST_PAGES, Lightpanda
from envs.web.sites import Application, Reply, Request, Site

CanDo = Callable[[str], bool]
"""Whether the fast browser does the page at a path as the full one does it."""


STILL = "/still"


class Still:
    """A served page as it stands: an `Application` of one page, and of what its application has to say about style and pictures."""

    def __init__(self, page: bytes, application: Application) -> None:
        self._page, self._application = page, application

    def reply(self, request: Request) -> Reply:
        if request.path == STILL:
            return Reply(body=self._page)
        return self._application.reply(request) if request.method == "GET" else Reply(status=404)


class Mixed:
    """As many fast browsers as its pages need, and at most one full one. Each starts with its first page."""

    name = "mixed"

    def __init__(self, make_fast: Callable[[], Lightpanda], make_full: Callable[[], Chromium], can_do: CanDo) -> None:
        self._make_fast, self.full, self._can_do = make_fast, make_full(), can_do
        self._fast: list[Lightpanda] = []
        self._pages = 0

    @property
    def is_tired(self) -> bool:
        """Whether one of them should start afresh."""
        return any(browser.is_tired for browser in self._running())

    @property
    def group(self) -> int:
        """Process group of one that is running, the fast one first; 0 when none runs."""
        return next((browser.group for browser in self._running() if browser.group), 0)

    @property
    def groups(self) -> list[int]:
        """Process groups of all that are running."""
        return [browser.group for browser in self._running() if browser.group]

    def new_page(self) -> DomBackend:
        """A page that is opened where it can be done; nothing is started before."""
        place, self._pages = self._pages // MOST_PAGES, self._pages + 1
        while len(self._fast) <= place:
            self._fast.append(self._make_fast())
        return MixedPage(self._fast[place].new_page(), self.full.new_page(), self._can_do)

    def close(self) -> None:
        """Kill every process and remove the profiles. May be called twice."""
        for browser in self._running():
            browser.close()

    def _running(self) -> list[Lightpanda | Chromium]:
        return [*self._fast, self.full]


class MixedPage:
    """One page in either browser: a `DomBackend`."""

    def __init__(self, fast: CdpPage, full: CdpPage, can_do: CanDo) -> None:
        self._fast, self._full, self._can_do = fast, full, can_do
        self._now = full
        self._where: tuple[Site, str] | None = None
        self._start: tuple[int, tuple[str, ...]] = (0, ())
        self._taken: list[Action] = []

    @property
    def is_fast(self) -> bool:
        """Whether the page is open in the fast browser."""
        return self._now is self._fast

    def open(self, site: Site, path: str) -> None:
        is_fast = site.application is not None or (not site.upstream and self._can_do(path))
        self._now = self._fast if is_fast else self._full
        self._where, self._taken = (site, path), []
        self._now.open(site, path)

    def reset(self, seed: int, clutter: Sequence[str]) -> Snapshot:
        self._start, self._taken = (seed, tuple(clutter)), []
        return self._now.reset(seed, clutter)

    def observe(self) -> Snapshot:
        return self._now.observe()

    def act(self, action: Action) -> Snapshot:
        snapshot = self._now.act(action)
        self._taken.append(action)
        return snapshot

    def settle(self) -> bool:
        return self._now.settle()

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture [240, 320, 3], taken in the full browser."""
        if not self.is_fast:
            return self._now.picture()
        if self._where is None:
            raise BrowserGone("the page is not open")
        site, path = self._where
        try:
            if site.application is not None:
                still = Still(self._fast.source().encode(), site.application)
                self._full.open(replace(site, application=still), STILL)
                return self._full.picture()
            self._full.open(site, path)
            self._full.reset(*self._start)
            for action in self._taken:
                self._full.act(action)
            return self._full.picture()
        except BrowserError:
            self._full.abandon()
            raise

    def abandon(self) -> None:
        self._now.abandon()

    def close(self) -> None:
        with contextlib.suppress(BrowserError):
            self._fast.close()
        self._full.close()
