"""The default executor: training workers as child processes side by side, as many as there are cores.

One thread a slot supervises one job at a time with its own evaluation process; updates and results are handed to the thread
that iterates. Workers are forked from one warm process, which lives from the first job until `close` or until nobody holds the
executor any more. Nothing here computes.
"""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

from envs.task import TaskSpec
from experimenter.execution.base import Executor, JobUpdate, Listener, StopFlag, unique_jobs
from experimenter.execution.children import Starter
from experimenter.execution.job import SkillFolder, run_job
from experimenter.execution.process import ProcessRunner
from experimenter.records import JobResult, TrainJob


def make_executor(
    *, home: Path, workers: int | None = None, allow_unconfined: bool = False, skill_folder: SkillFolder | None = None
) -> Executor:
    """Build the local executor with `workers` training processes side by side (None: one a usable core)."""
    return LocalExecutor(
        home, workers=workers or count_cores(), allow_unconfined=allow_unconfined, skill_folder=skill_folder
    )


def count_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalExecutor:
    """Runs jobs in child processes."""

    def __init__(
        self,
        home: Path,
        *,
        workers: int,
        allow_unconfined: bool = False,
        skill_folder: SkillFolder | None = None,
        stall_s: float = 180.0,
        grace_s: float = 30.0,
    ) -> None:
        if workers < 1:
            raise ValueError(f"{workers} workers cannot be: expected at least 1")
        self._home = home
        self._workers = workers
        self._starter = Starter(allow_unconfined=allow_unconfined)
        self._skill_folder = skill_folder
        self._stall_s, self._grace_s = stall_s, grace_s
        self._stop = StopFlag()
        self._end = weakref.finalize(self, self._starter.close)

    @property
    def workers(self) -> int:
        """Training processes side by side."""
        return self._workers

    def run(self, jobs: Sequence[TrainJob], on_update: Listener | None = None) -> Iterator[JobResult]:
        waiting: queue.SimpleQueue[TrainJob] = queue.SimpleQueue()
        for job in unique_jobs(jobs):
            waiting.put(job)
        news: queue.SimpleQueue[JobUpdate | JobResult | BaseException | None] = queue.SimpleQueue()
        stop = StopFlag(self._stop)
        slots = [
            threading.Thread(target=self._work, args=(waiting, news, stop), name=f"slot-{number}", daemon=True)
            for number in range(min(self._workers, waiting.qsize()))
        ]
        for slot in slots:
            slot.start()
        try:
            yield from _deliver(news, len(slots), on_update)
        finally:
            # the caller stopped iterating, or raised: leave checkpoints, no processes
            stop.set("nobody waits for the results")
            for slot in slots:
                slot.join()

    def stop(self, reason: str, *, keep: bool = False) -> None:
        self._stop.set(reason, keep=keep)

    def warm_up(self, task: TaskSpec, trainer: str) -> None:
        """Start the warm process in the background and let it import what jobs on this task need; returns at once."""
        self._starter.warm_up(task, trainer)

    def close(self) -> None:
        """End the warm process; a later `run` starts its workers cold."""
        self._end()

    def _work(
        self,
        waiting: queue.SimpleQueue[TrainJob],
        news: queue.SimpleQueue[JobUpdate | JobResult | BaseException | None],
        stop: StopFlag,
    ) -> None:
        runner = ProcessRunner(starter=self._starter, stall_s=self._stall_s, grace_s=self._grace_s)
        try:
            while True:
                job = waiting.get_nowait()
                result = run_job(job, self._home, runner, stop=stop, notify=news.put, skill_folder=self._skill_folder)
                if result is not None:
                    news.put(result)
        except queue.Empty:
            pass
        except BaseException as error:
            news.put(error)
        finally:
            runner.close()
            news.put(None)


def _deliver(
    news: queue.SimpleQueue[JobUpdate | JobResult | BaseException | None], slots: int, on_update: Listener | None
) -> Iterator[JobResult]:
    """Pass on what the slots say until all of them have ended."""
    while slots:
        item = news.get()
        if item is None:
            slots -= 1
        elif isinstance(item, JobResult):
            yield item
        elif isinstance(item, JobUpdate):
            if on_update is not None:
                on_update(item)
        else:
            raise item
