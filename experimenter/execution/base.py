"""The contract of an executor: `run(jobs) -> iterator of results`, and `stop`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from envs.task import TaskSpec
from experimenter import registry
from experimenter.records import CurvePoint, JobResult, TrainJob


class JobState(StrEnum):
    FOUND = "found"
    """A valid result was already in the job's folder."""
    RUNNING = "running"
    EVALUATING = "evaluating"
    DRAINED = "drained"
    """Stopped without a result; its checkpoint waits for a later run."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class JobUpdate:
    """News of one job; delivered in the thread that iterates over `Executor.run`."""

    job_digest: str
    state: JobState
    point: CurvePoint | None = None
    """Newest point of the learning curve."""
    step: int = 0
    """Env steps of the policy's whole life, from the worker's heartbeat."""
    message: str = ""


Listener = Callable[[JobUpdate], None]


class StopFlag:
    """A request to stop that threads share: nothing, drain (leave checkpoints), or keep (end jobs as usable results)."""

    def __init__(self, parent: StopFlag | None = None) -> None:
        """Make a flag that is also set when `parent` is."""
        self._parent = parent
        self._event = threading.Event()
        # a signal handler may call `set` in the middle of a `set`
        self._lock = threading.RLock()
        self._reason = ""
        self._keep = False

    def set(self, reason: str, *, keep: bool = False) -> None:
        """Ask to stop; the first reason stays, and a drain overrules an earlier keep."""
        with self._lock:
            self._keep = keep and (self._keep or not self._event.is_set())
            self._reason = self._reason or reason
            self._event.set()

    @property
    def is_set(self) -> bool:
        return self._event.is_set() or (self._parent is not None and self._parent.is_set)

    @property
    def keep(self) -> bool:
        """True when jobs should end as results; False when they should leave checkpoints."""
        if self._event.is_set():
            return self._keep
        return self._parent is not None and self._parent.keep

    @property
    def reason(self) -> str:
        return self._reason or (self._parent.reason if self._parent is not None else "")


@runtime_checkable
class Executor(Protocol):
    """Runs jobs. A job whose folder holds a valid result is found, not run again; one with a checkpoint is resumed."""

    def run(self, jobs: Sequence[TrainJob], on_update: Listener | None = None) -> Iterator[JobResult]:
        """Yield one result for each different job as they come, failures included as values."""
        ...

    def stop(self, reason: str, *, keep: bool = False) -> None:
        """Start no further job and stop the running ones: callable from any thread or signal handler, and final.

        Running jobs leave a checkpoint and no result, so that a later run goes on from there; with `keep` they end with
        status `stopped` and a usable, evaluated policy instead. The iteration of `run` then ends.
        """
        ...


@runtime_checkable
class WarmExecutor(Executor, Protocol):
    """Optional side of an `Executor`: it can start ahead of its first job."""

    def warm_up(self, task: TaskSpec, trainer: str) -> None:
        """Do in the background what jobs on this task have in common; returns at once."""
        ...


def warm_up(executor: Executor, task: TaskSpec, trainer: str) -> None:
    """Let `executor` warm up where it can; to be called when jobs will come soon, while a model is still asked for rewards."""
    if isinstance(executor, WarmExecutor):
        executor.warm_up(task, trainer)


def make_executor(
    home: Path, name: str = "local", *, workers: int | None = None, allow_unconfined: bool = False
) -> Executor:
    """Build the executor called `name` (`inline`, `local`, `ray` or a plug-in's) over the job folders in `home`/jobs."""
    executor: Executor = registry.load("executors", name)(home=home, workers=workers, allow_unconfined=allow_unconfined)
    return executor


def unique_jobs(jobs: Sequence[TrainJob]) -> tuple[TrainJob, ...]:
    """Drop repeated jobs: equal digests are the same run and share one folder."""
    return tuple({job.digest: job for job in jobs}.values())
