"""Following one training worker until it is gone: news, usage, limits, stop requests."""

from __future__ import annotations

import contextlib
import time

from experimenter.execution import folder as files
from experimenter.execution.base import JobState, JobUpdate, Listener, StopFlag
from experimenter.execution.children import Child
from experimenter.execution.curve import CURVE_FILE, CurveTail
from experimenter.execution.folder import JobFolder, Usage
from experimenter.records import CurvePoint, TrainJob

_POLL_S = 0.2
"""How often limits, stop requests and files are looked at; the end of the worker is noticed at once."""
_SAVE_S = 2.0


class Watch:
    """Follows one child; kills it at a limit."""

    def __init__(
        self,
        child: Child,
        job: TrainJob,
        folder: JobFolder,
        stop: StopFlag,
        notify: Listener,
        *,
        stall_s: float,
        grace_s: float,
    ) -> None:
        self._child, self._job, self._folder = child, job, folder
        self._stop, self._notify, self._stall_s, self._grace_s = stop, notify, stall_s, grace_s
        self._tail = CurveTail(folder.work / CURVE_FILE, job.budget_steps)
        self._before = files.read_usage(folder)
        self._started = self._alive = self._saved = time.monotonic()
        self._asked: float | None = None
        self._beats = self._step = 0
        self._cpu_s = 0.0
        self.killed = ""
        """Why we killed it: `timeout`, `stalled`, `drain`; empty when we did not."""
        self.draining = False
        self.stopping = False

    @property
    def wall_s(self) -> float:
        """Seconds over all attempts."""
        return self._before.wall_s + time.monotonic() - self._started

    def run(self) -> None:
        try:
            while not self._child.wait(_POLL_S):
                self._check_stop()
                self._check_limits()
                self._report()
                self._save(_SAVE_S)
        finally:
            self._end()
            self._report()
            self._save(0.0)

    def _check_stop(self) -> None:
        now = time.monotonic()
        soft_limit = self._job.wall_limit_s - min(20.0, 0.25 * self._job.wall_limit_s)
        if self._asked is None and (self._stop.is_set or self.wall_s >= soft_limit):
            self._asked = now
            self.stopping = True
            files.request_stop(self._folder)
        self.draining = self._stop.is_set and not self._stop.keep
        if self._asked is not None and self._stop.is_set and now - self._asked > self._grace_s:
            self._kill("drain")

    def _check_limits(self) -> None:
        if self.wall_s >= self._job.wall_limit_s:
            self._kill("timeout")
        elif time.monotonic() - self._alive > self._stall_s:
            self._kill("stalled")

    def _kill(self, why: str) -> None:
        self.killed = self.killed or why
        self._end()

    def _report(self) -> None:
        beat = files.read_heartbeat(self._folder)
        if beat.beats != self._beats:
            self._beats, self._alive = beat.beats, time.monotonic()
        step = min(max(beat.step, 0), self._job.budget_steps)
        points = self._tail.poll()
        if points or step != self._step:
            self._step = step
            news: list[CurvePoint | None] = [*points] if points else [None]
            for point in news:
                self._notify(JobUpdate(job_digest=self._job.digest, state=JobState.RUNNING, point=point, step=step))

    def _save(self, every_s: float) -> None:
        if time.monotonic() - self._saved < every_s:
            return
        self._saved = time.monotonic()
        self._measure()
        usage = Usage(wall_s=self.wall_s, cpu_s=self._before.cpu_s + self._cpu_s, attempts=self._before.attempts + 1)
        with contextlib.suppress(OSError):
            files.write_record(self._folder.root / "usage.json", usage)

    def _end(self) -> None:
        # a cold child's time can be read until it is reaped, a warm one's whole time once it is
        self._measure()
        self._child.kill()
        self._measure()

    def _measure(self) -> None:
        self._cpu_s = max(self._cpu_s, self._child.measure())
