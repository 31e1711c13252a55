"""One world: episodes on one page, and what to do when the browser fails.

A site is a pure function of its seed and the actions taken, for its clock is virtual. So a failure of the browser ends nothing:
the world opens the page again, starts the same episode, takes the same actions, and goes on where it was. Only an action that
makes the browser fail again and again is given up; it then counts as one that changes nothing. No failure ever becomes a
reward or the end of an episode.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, Browser, BrowserError, BrowserGone, Snapshot
from envs.web.clutter import clutter_words
from envs.web.miniwob import is_fresh, is_success, miniwob_site, path_of
from envs.web.oracles import OracleLost
from envs.web.params import WebParams
from envs.web.parts import find_oracle_of, tell
from envs.web.progress import Solution
from envs.web.served import Visit, Wanted
from envs.web.tasks import SERVED, make_venue, venue_of

_log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 50
"""Episodes on one load of a page. A browser without a layout keeps every node of a page until the page is left."""

ATTEMPTS = 3
"""How often the same step is tried before its action is given up, or at the start of an episode the world."""


class Outcome(StrEnum):
    """How an episode ended. A failure of the browser is not among them: it ends no episode."""

    SUCCESS = "success"
    WRONG = "wrong"
    TIMEOUT = "timeout"


class World:
    """Episodes on one page of a browser that may be shared with other worlds."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._page = browser.new_page()
        self._site = miniwob_site()
        self._visits: dict[str, Visit] = {}
        self._open, self._begun = "", 0
        self._prepared: list[Action] = []
        self._history: list[Action] = []
        self._solution: Solution | None = None
        self._seed = 0
        self.params = WebParams()
        self.failures = 0
        """Failures of the browser in this world so far."""
        self.abandoned = 0
        """Actions that were given up because the browser failed on them every time."""

    def begin(self, seed: int, params: WebParams) -> Snapshot:
        """Start the episode of `seed`; raises `BrowserError` when no browser will do it."""
        self.params, self._seed = params, seed
        self._prepared, self._history, self._solution = [], [], None
        if params.prefilled or params.shaping:
            self._prepared, page = self._insist(self._rehearse)
            if page is not None:
                return page
        return self._insist(self._restart)

    def step(self, action: Action) -> Snapshot:
        """Carry out an action, whatever happens to the browser meanwhile."""
        try:
            snapshot = self._act(action)
        except BrowserError as error:
            return self._recover(action, error)
        self._history.append(action)
        return snapshot

    def reload(self) -> None:
        """Load the page afresh at the start of the next episode."""
        self._open = ""

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture of the page now."""
        try:
            return self._page.picture()
        except BrowserError as error:
            self._note(error)
            self._insist(self._restart)
            return self._page.picture()

    def close(self) -> None:
        """Let go of the page, and of the sites that this world alone has visited."""
        self._page.close()
        for visit in self._visits.values():
            visit.close()
        self._visits = {}

    def _act(self, action: Action) -> Snapshot:
        visit = self._visit()
        return self._told(visit.act(action) if visit else self._page.act(action))

    def _told(self, page: Snapshot) -> Snapshot:
        """The page with what only the world knows of it: the instruction over several tasks, progress along a solution."""
        page = tell(page, self._seed)
        if self._solution is None:
            return page
        solved = page.ended and is_success(self.params.task_name, page.raw_reward)
        return replace(page, progress=float(solved) if page.ended else self._solution.share(page))

    def _visit(self) -> Visit | None:
        """This world's visit to the site of the running task, None for a task that is one page of files."""
        task = self.params.task_name
        if task not in SERVED:
            return None
        venue = venue_of(task)
        if venue not in self._visits:
            self._visits[venue] = Visit(self._page, make_venue(task))
        return self._visits[venue]

    def _recover(self, action: Action, error: BrowserError) -> Snapshot:
        for _ in range(ATTEMPTS - 1):
            self._note(error)
            self._insist(self._restart)
            try:
                snapshot = self._act(action)
                self._history.append(action)
                return snapshot
            except BrowserError as again:
                error = again
        self._note(error)
        self.abandoned += 1
        _log.warning("action %s on %s was given up: %s", action.verb.value, self.params.task_name, error)
        return self._insist(self._restart)

    def _insist(self, what: Callable[[], T]) -> T:
        """Do `what` until the browser lets us, at most ATTEMPTS times."""
        for attempt in range(ATTEMPTS):
            try:
                return what()
            except BrowserError as error:
                self._note(error)
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("not reached")

    def _note(self, error: BrowserError) -> None:
        """Count a failure, and leave the browser that failed."""
        self._page.abandon()
        self._open = ""
        if not isinstance(error, BrowserGone):
            self.failures += 1
            _log.warning("the browser failed on %s: %s", self.params.task_name, error)

    def _restart(self) -> Snapshot:
        """Start the episode and take the actions that it has seen."""
        snapshot = self._fresh()
        for action in (*self._prepared, *self._history):
            snapshot = self._act(action)
        return snapshot

    def _fresh(self) -> Snapshot:
        if visit := self._visit():
            self._open = ""
            return self._told(visit.begin(self._wanted()))
        tasks = self.params.task_names
        path = path_of(tasks)
        if self._open != path or any(is_fresh(task) for task in tasks) or self._history or self._begun >= PATIENCE:
            self._open, self._begun = "", 0
            self._page.open(self._site, path)
            self._open = path
        self._begun += 1
        snapshot = self._page.reset(self._seed, clutter_words(self._seed, self.params.page_size))
        if not snapshot.ready:
            raise BrowserError(f"{', '.join(tasks)} was never ready")
        return self._told(snapshot)

    def _wanted(self) -> Wanted:
        told = self.params
        return Wanted(
            task=told.task_name,
            seed=self._seed,
            catalogue=told.catalogue,
            asked=told.asked,
            guidance=told.guidance,
            page_size=told.page_size,
        )

    def _rehearse(self) -> tuple[list[Action], Snapshot | None]:
        """The oracle's first `prefilled` steps, but never its last one; where progress is wanted, its whole solution is kept.

        The page is where these steps led, None where it has gone further and the episode has to be started again.
        """
        self._solution = None
        script = find_oracle_of(self.params.task_names)
        if script is None:
            return [], None
        taken: list[Action] = []
        pages = [self._fresh()]
        wanted = self.params.prefilled
        try:
            steps = script(pages[0])
            action = next(steps)
            while not pages[-1].ended and (self.params.shaping or len(taken) < wanted):
                taken.append(action)
                pages.append(self._act(action))
                if not pages[-1].ended:
                    action = steps.send(pages[-1])
        except (StopIteration, OracleLost):
            pass
        if self.params.shaping and pages[-1].ended:
            self._solution = Solution(pages[:-1])
        if len(taken) == wanted and not pages[-1].ended and not self.params.shaping:
            return taken, pages[-1]
        return taken[: min(wanted, max(0, len(taken) - 1))], None
