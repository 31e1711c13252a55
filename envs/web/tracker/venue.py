"""The tracker as a `Venue`: one Trac process and one environment a world, a cookie jar, static files, and the judge."""

from __future__ import annotations

import sqlite3
from functools import lru_cache
from http.cookies import CookieError, SimpleCookie
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from envs.web.backend import BrowserError
from envs.web.served import Opening, Verdict, Wanted
from envs.web.sites import Reply, Request, read_file
from envs.web.tracker.base import USER, base_environment, trac_version
from envs.web.tracker.contents import make_tickets
from envs.web.tracker.jobs import LIST, Job, draw_job
from envs.web.tracker.process import SHARED, Tracd
from envs.web.tracker.state import State

FEWEST_TICKETS, MOST_TICKETS = 3, 100
ROWS = 10
"""Tickets on a page of the list of the smallest size; a third of `page_size` comes on top."""
_STATIC = "/chrome/common/"
_KEPT = frozenset({"location", "content-type"})


class Tracker:
    """Trac for one world, on the server of this process unless another is given."""

    name = "tracker"

    def __init__(self, server: Tracd | None = None) -> None:
        trac_version()
        self._server = server or SHARED
        self._place = self._server.enter()
        self._has_left = False
        self._state: State | None = None
        self._starts = 0
        self._cookies: dict[str, str] = {}
        self._job: Job | None = None
        self._verdict = Verdict()

    @property
    def group(self) -> int:
        """Process group of the running server, 0 when none runs."""
        return self._server.group

    def begin(self, wanted: Wanted) -> Opening:
        """Copy the base database, write the episode's tickets, and log in where the task begins logged in."""
        rng = np.random.default_rng([wanted.seed, 13])
        tickets = make_tickets(min(MOST_TICKETS, max(FEWEST_TICKETS, wanted.catalogue // 100)), rng)
        job = self._job = draw_job(wanted.task, tickets, wanted.asked, rng)
        try:
            cookie = self._open_state().reset(tickets, USER if job.is_logged_in else "")
        except (OSError, sqlite3.Error) as error:
            self._forget()
            self._server.close()
            raise BrowserError(f"the tracker could not be made ready: {error}") from error
        self._cookies = {"trac_auth": cookie} if cookie else {}
        self._verdict = Verdict()
        words = f"{job.instruction} {job.way}".strip() if wanted.guidance else job.instruction
        return Opening(path=LIST.format(rows=ROWS + wanted.page_size // 3), instruction=words)

    def _open_state(self) -> State:
        database = self._server.database(self._place)
        if self._state is None or self._starts != self._server.starts:
            self._forget()
            self._state = State(base_environment() / "db" / "trac.db", database)
            self._starts = self._server.starts
        return self._state

    def reply(self, request: Request) -> Reply:
        """Let Trac answer. Its unchanging files are read from its package, as its manual tells web servers to do."""
        if request.path.startswith(_STATIC):
            status, kind, body = read_file(_static_folder(), request.path.removeprefix(_STATIC).partition("?")[0])
            return Reply(status=status, headers=(("Content-Type", kind), ("Cache-Control", "max-age=3600")), body=body)
        self._check()
        jar = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        told = self._server.ask(
            self._place,
            Request(
                method=request.method,
                path=request.path,
                headers={**request.headers, "cookie": jar},
                body=request.body,
            ),
        )
        self._keep_cookies(told)
        kept = tuple((name, value) for name, value in told.headers if name.lower() in _KEPT)
        return Reply(status=told.status, headers=kept, body=told.body)

    def _check(self) -> None:
        """Raise `BrowserError` where the environment of the running episode has gone with an earlier server."""
        if self._starts != self._server.starts:
            raise BrowserError("the tracker was started afresh since this episode began")

    def _keep_cookies(self, reply: Reply) -> None:
        for name, value in reply.headers:
            if name.lower() == "set-cookie":
                for morsel in _read_cookies(value).values():
                    if morsel.value:
                        self._cookies[morsel.key] = morsel.value
                    else:
                        self._cookies.pop(morsel.key, None)

    def judge(self) -> Verdict:
        """Done when what differs from the start is what is asked for; wrong as soon as anything else differs."""
        if self._state is None or self._job is None or self._verdict.ended:
            return self._verdict
        try:
            self._check()
            if self._state.has_changed():
                self._verdict = _compare(self._state.differences(), self._job)
        except sqlite3.Error as error:
            raise BrowserError(f"the tracker's database failed: {error}") from error
        return self._verdict

    def close(self) -> None:
        """Give the environment back; the process ends with the last world that uses it. May be called twice."""
        self._forget()
        if not self._has_left:
            self._has_left = True
            self._server.leave(self._place)

    def _forget(self) -> None:
        state, self._state = self._state, None
        if state is not None:
            state.close()

    def __del__(self) -> None:
        if hasattr(self, "_place"):
            self.close()


def _compare(found: list[tuple[str, str, str]], job: Job) -> Verdict:
    if len(set(found)) == len(found) and set(found) == job.wanted:
        return Verdict(ended=True, reward=1.0)
    if len(set(found)) == len(found) and set(found) < job.wanted:
        return Verdict()
    return Verdict(ended=True, reward=-1.0)


def _read_cookies(header: str) -> SimpleCookie:
    try:
        return SimpleCookie(header)
    except CookieError:
        return SimpleCookie()


@lru_cache(maxsize=1)
def _static_folder() -> Path:
    """Folder of Trac's style sheets, scripts and pictures, inside its package; Trac itself is not imported."""
    spec = find_spec("trac")
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "htdocs"
