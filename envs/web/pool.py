"""Loaded pages that the worlds of a batch share, and their actions side by side.

Loading a page takes as long as ten steps on it, and where a teacher draws the task, every episode may be on another page. A world that goes to
another task's page gives its own back, loaded as it is, and takes one that is loaded with what it wants. Only pages of files are shared; they
are pure functions of their seed after a reset. Pages that carry something into the next episode are loaded anew in any case, and a served site
stays with its world. The answers of pages that have a connection each are waited for together, not one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, Browser, BrowserError, DomBackend, Snapshot
from envs.web.miniwob import is_fresh
from envs.web.sites import Site


@dataclass(eq=False)
class _Kept:
    """A page and the path of the files that are loaded in it; empty where nothing is, or nothing that may be shared."""

    page: DomBackend
    path: str = ""

    @property
    def is_apart(self) -> bool:
        """Whether it is open on a connection of its own, so that another thread may speak on it."""
        return bool(self.path) and bool(getattr(self.page, "is_fast", False))


_Told = Snapshot | BrowserError
T = TypeVar("T")


class Pool:
    """At most `most` pages of one browser, besides those that worlds hold when all are in use: a `Browser` for worlds."""

    def __init__(self, browser: Browser, most: int) -> None:
        self.name = browser.name
        self._browser, self._most = browser, most
        self._idle: list[_Kept] = []
        self._pages: list[PooledPage] = []
        self._threads: ThreadPoolExecutor | None = None
        self.lock = threading.Lock()
        """Held while a page is loaded or left: browsers start and stop there."""
        self.made = 0
        """Pages so far."""
        self.loads = 0
        """How often one was loaded."""

    @property
    def is_tired(self) -> bool:
        """Whether the browser should start afresh."""
        return self._browser.is_tired

    def new_page(self) -> DomBackend:
        """A page for a world; nothing is started before it is opened."""
        self._pages.append(PooledPage(self))
        return self._pages[-1]

    def each(self, run: Callable[[int], T], numbers: Sequence[int], apart: Sequence[bool]) -> list[T]:
        """Do `run(number)` for all, at once for those whose worlds keep to pages `apart` with connections of their own; raises what one raised."""
        threads = self._workers() if sum(apart) > 1 else None
        if threads is None:
            return [run(number) for number in numbers]
        begun = {n: threads.submit(run, n) for n, is_apart in zip(numbers, apart, strict=True) if is_apart}
        wait(begun.values())
        return [begun[number].result() if number in begun else run(number) for number in numbers]

    def _workers(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(len(self._pages), "pages")
        return self._threads

    def act_ahead(self, actions: Mapping[int, Action]) -> None:
        """Carry out actions on the pages of worlds, by their numbers in the order of `new_page`, side by side.

        What comes of each is told when its world acts. Actions on pages that share a connection are left to that.
        """
        apart = [self._pages[number].is_apart for number in actions]
        if sum(apart) > 1:
            self.each(lambda number: self._pages[number].act_ahead(actions[number]), list(actions), apart)

    def take(self, path: str) -> _Kept:
        """The idle page that has `path` loaded, else a new one, else the one that has been idle longest."""
        for kept in self._idle:
            if path and kept.path == path:
                self._idle.remove(kept)
                return kept
        if self._idle and self.made >= self._most:
            return self._idle.pop(0)
        self.made += 1
        return _Kept(self._browser.new_page())

    def give(self, kept: _Kept) -> None:
        """Take a page back, as it is."""
        self._idle.append(kept)

    def forget(self) -> None:
        """Nothing is loaded any more: the browser was closed or has failed."""
        for kept in self._idle:
            kept.path = ""
        for page in self._pages:
            page.forget()

    def close(self) -> None:
        """Close the browser. May be called twice."""
        self.forget()
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        self._browser.close()


class PooledPage:
    """What a world holds: now this page of the pool, now another."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._held: _Kept | None = None
        self._ahead: tuple[Action, _Told] | None = None

    @property
    def is_apart(self) -> bool:
        """Whether another thread may act on it now."""
        return self._held is not None and self._held.is_apart

    def forget(self) -> None:
        """What it holds does not count as loaded any more."""
        if self._held is not None:
            self._held.path = ""

    @property
    def _page(self) -> DomBackend:
        if self._held is None:
            self._held = self._pool.take("")
        return self._held.page

    def open(self, site: Site, path: str) -> None:
        """Load `path` of `site` afresh; or go to a page that has it loaded, where this one has not and that is as good."""
        shared = site.application is None and not site.upstream
        with self._pool.lock:
            if shared and self._go_to(path) and not _carries(path):
                return
            page, held = self._page, self._held
            assert held is not None
            held.path = ""
            self._pool.loads += 1
            page.open(site, path)
            held.path = path if shared else ""

    def _go_to(self, path: str) -> bool:
        """Change for a page that has `path` loaded; False where there is none, or this is one and is to be loaded again."""
        before = self._held
        if before is not None and before.path == path:
            return False
        found = self._pool.take(path)
        if before is not None:
            self._pool.give(before)
        self._held = found
        return found.path == path

    def reset(self, seed: int, clutter: Sequence[str]) -> Snapshot:
        self._ahead = None
        return self._page.reset(seed, clutter)

    def observe(self) -> Snapshot:
        return self._page.observe()

    def act_ahead(self, action: Action) -> None:
        """Carry out `action` and keep what came of it for the next `act`, which must be the same."""
        try:
            self._ahead = action, self._page.act(action)
        except BrowserError as error:
            self._ahead = action, error

    def act(self, action: Action) -> Snapshot:
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead[0] is not action:
            return self._page.act(action)
        if isinstance(ahead[1], BrowserError):
            raise ahead[1]
        return ahead[1]

    def settle(self) -> bool:
        return self._page.settle()

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture of the page."""
        return self._page.picture()

    def abandon(self) -> None:
        """After a failure: leave the browser; no page of it counts as loaded."""
        with self._pool.lock:
            self._pool.forget()
            self._page.abandon()

    def close(self) -> None:
        """Let go of the page."""
        held, self._held = self._held, None
        if held is not None:
            held.path = ""
            held.page.close()
            self._pool.give(held)


def _carries(path: str) -> bool:
    """Whether a page at `path` carries something from one episode into the next."""
    tasks = path.rpartition("/")[2].removesuffix(".html").split("+")
    return any(is_fresh(task) for task in tasks)
