"""Everything a session needs, built once and handed down: store, library, gateway, executor, journal, clock."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from experimenter import registry
from experimenter.config import SessionConfig, resolve_database
from experimenter.errors import EnvironmentNotReady, UsageError
from experimenter.execution.base import Executor, JobUpdate
from experimenter.journal import EventListener, Journal
from experimenter.llm.choose import resolve_model
from experimenter.llm.gateway import Gateway, open_gateway
from memory.store import Store, StoreProblem, open_store
from memory.tables import SessionRow
from skills.library import Library

log = logging.getLogger(__name__)
UpdateListener = Callable[[JobUpdate], None]
HEARTBEAT_S = 2.0
_MIN_RESERVE_S, _MAX_RESERVE_S, _RESERVE_SHARE = 8.0, 120.0, 0.08
_FIRST_CALL_S = {"embedded": 20.0, "none": 0.0, "scripted": 0.0, "replay": 0.0}
"""Expected seconds of a model call before one was measured, by provider."""
_CALL_SHARE = 0.25
"""A model call may take at most this share of the training time left; else the step's rule speaks, and says so."""
_STALE_S = 15.0
"""A session whose heartbeat is older than this has no living process."""


class SessionClock:
    """Wall seconds of a session over all its resumes, written to the store every heartbeat."""

    def __init__(self, journal: Journal, limit_s: float | None, on_deadline: Callable[[], None]) -> None:
        self._journal = journal
        self._limit_s = limit_s
        self._on_deadline = on_deadline
        self._before_s = journal.spent().wall_s
        self._start = time.monotonic()
        self._stop = threading.Event()
        self._reserve_s = 0.0 if limit_s is None else min(_MAX_RESERVE_S, max(_MIN_RESERVE_S, _RESERVE_SHARE * limit_s))
        self._thread = threading.Thread(target=self._beat, name="session-clock", daemon=True)

    def start(self) -> None:
        self._journal.write_wall(self.wall_s(), os.getpid())
        self._thread.start()

    def wall_s(self) -> float:
        return self._before_s + time.monotonic() - self._start

    def remaining_s(self) -> float:
        """Seconds left of the wall budget (infinite without one)."""
        return float("inf") if self._limit_s is None else self._limit_s - self.wall_s()

    def training_s(self) -> float:
        """Seconds left for training: the last part of the budget is kept for verdict, certificate and report."""
        return max(0.0, self.remaining_s() - self._reserve_s)

    @property
    def training_over(self) -> bool:
        return self.remaining_s() <= self._reserve_s

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=HEARTBEAT_S * 2)
        self._journal.write_wall(self.wall_s(), None)

    def _beat(self) -> None:
        announced = False
        while not self._stop.wait(0.5 if self.remaining_s() < 60 else HEARTBEAT_S):
            try:
                self._journal.write_wall(self.wall_s(), os.getpid())
            except StoreProblem as problem:  # a full disk: the session's own next write says so to the person
                log.warning("the session's clock could not be written: %s", problem)
            if self.training_over and not announced:
                announced = True
                self._on_deadline()


@dataclass(frozen=True, kw_only=True)
class Services:
    """Handed to every node; nothing else is global."""

    home: Path
    config: SessionConfig
    store: Store
    library: Library
    gateway: Gateway
    executor: Executor
    journal: Journal
    clock: SessionClock
    drain: threading.Event
    """Set when the person asked to stop at the next boundary."""
    on_update: UpdateListener | None = None

    def speaker(self) -> Gateway | None:
        """The gateway, or None (the rules speak) when a call would eat too much of the time that is left."""
        expected_s = self.journal.mean_latency_s() or _FIRST_CALL_S.get(self.gateway.provider, 5.0)
        if expected_s <= _CALL_SHARE * self.clock.training_s():
            return self.gateway
        text = (
            f"a model call takes about {expected_s:.0f} s, too much of the time that is left: the rules speak from here"
        )
        self.journal.event("no-time-for-the-model", "model", text)
        return None

    def close(self) -> None:
        self.clock.close()
        self.gateway.close()
        self.store.close()


def open_home(home: Path) -> Path:
    """Make the home folder and its parts, refusing one that cannot be written with one clear line."""
    try:
        for part in ("jobs", "skills", "models", "reports"):
            (home / part).mkdir(parents=True, exist_ok=True)
        probe = home / f".write-probe-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise EnvironmentNotReady(
            f"the home folder {home} cannot be written ({error.strerror}): choose another with --home or EXPERIMENTER_HOME, or free space."
        ) from error
    return home


def open_memory(home: Path, environment: Mapping[str, str] = os.environ) -> Store:
    return open_store(resolve_database(open_home(home), environment))


def open_services(
    *,
    home: Path,
    store: Store,
    session_id: str,
    environment: Mapping[str, str] = os.environ,
    listen: EventListener | None = None,
    on_update: UpdateListener | None = None,
) -> Services:
    """Open everything for one session; takes the session over or refuses when a living process has it."""
    journal = Journal(store, session_id, listen)
    _refuse_second_process(journal)
    config = journal.config()
    choice = resolve_model(config.model, base_url=config.base_url, environment=environment, home=home)
    gateway = open_gateway(store.engine, session_id=session_id, choice=choice, budget=config.budget, home=home)
    executor: Executor = registry.load("executors", config.executor)(
        home=home, workers=config.workers, allow_unconfined=config.allow_unconfined
    )
    clock = SessionClock(journal, config.budget.wall_s, lambda: executor.stop("the time budget is spent", keep=True))
    clock.start()
    journal.event("model", "model", f"model: {gateway.model} ({gateway.reason})")
    return Services(
        home=home,
        config=config,
        store=store,
        library=Library(store, home / "skills"),
        gateway=gateway,
        executor=executor,
        journal=journal,
        clock=clock,
        drain=threading.Event(),
        on_update=on_update,
    )


def living_process(row: SessionRow) -> int | None:
    """Process that runs the session now, by its heartbeat; None when there is none (any more)."""
    if row.pid is None or row.heartbeat_at is None or not psutil.pid_exists(row.pid):
        return None
    beat = row.heartbeat_at if row.heartbeat_at.tzinfo else row.heartbeat_at.replace(tzinfo=UTC)
    return row.pid if (datetime.now(UTC) - beat).total_seconds() < _STALE_S else None


def _refuse_second_process(journal: Journal) -> None:
    pid = living_process(journal.session())
    if pid is not None and pid != os.getpid():
        raise UsageError(
            f"session {journal.session_id} is being run by process {pid}: watch it with `experimenter session watch {journal.session_id}`."
        )
