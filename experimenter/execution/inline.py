"""The executor for tests and debugging: jobs one after another in this very process.

Generated rewards still train in the confined child. A job that hangs cannot be killed here, and its wall limit only asks it
to stop: use `local` for anything long.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from experimenter.execution import folder as files
from experimenter.execution.base import Executor, Listener, StopFlag, unique_jobs
from experimenter.execution.failures import fail
from experimenter.execution.folder import JobFolder, Usage
from experimenter.execution.job import SkillFolder, TrainEnd, evaluate_job, run_job, train_job
from experimenter.execution.process import ProcessRunner
from experimenter.records import Evaluation, JobResult, TrainJob


def make_executor(
    *, home: Path, workers: int | None = None, allow_unconfined: bool = False, skill_folder: SkillFolder | None = None
) -> Executor:
    """Build the inline executor; `workers` is there for the common signature and must be 1 or None."""
    if workers not in (None, 1):
        raise ValueError(f"the inline executor runs one job at a time, not {workers}: use the executor local")
    return InlineExecutor(home, allow_unconfined=allow_unconfined, skill_folder=skill_folder)


class InlineExecutor:
    """Runs jobs in the calling thread."""

    def __init__(self, home: Path, *, allow_unconfined: bool = False, skill_folder: SkillFolder | None = None) -> None:
        self._home = home
        self._skill_folder = skill_folder
        self._stop = StopFlag()
        self._runner = InlineRunner(ProcessRunner(allow_unconfined=allow_unconfined))

    def run(self, jobs: Sequence[TrainJob], on_update: Listener | None = None) -> Iterator[JobResult]:
        for job in unique_jobs(jobs):
            result = run_job(
                job, self._home, self._runner, stop=self._stop, notify=on_update, skill_folder=self._skill_folder
            )
            if result is not None:
                yield result

    def stop(self, reason: str, *, keep: bool = False) -> None:
        self._stop.set(reason, keep=keep)


class InlineRunner:
    """Trains here unless the reward is generated, evaluates here always: this process runs no generated code."""

    def __init__(self, confined: ProcessRunner) -> None:
        self._confined = confined

    def train(self, job: TrainJob, folder: JobFolder, stop: StopFlag, notify: Listener, lock: int) -> TrainEnd:
        if job.reward.is_generated:
            return self._confined.train(job, folder, stop, notify, lock)
        before, started, cpu = files.read_usage(folder), time.monotonic(), time.process_time()
        outcome = train_job(
            job, folder.work, lambda: stop.is_set or before.wall_s + time.monotonic() - started > job.wall_limit_s
        )
        usage = Usage(
            wall_s=before.wall_s + time.monotonic() - started,
            cpu_s=before.cpu_s + time.process_time() - cpu,
            attempts=before.attempts + 1,
        )
        files.write_record(folder.root / "usage.json", usage)
        if outcome.failure is not None:
            raise fail(outcome.failure.stage, outcome.failure.kind, outcome.failure.message, outcome.failure.traceback)
        stopped = outcome.state == "stopped"
        return TrainEnd(stopped=stopped, steps=outcome.steps, drained=stopped and stop.is_set and not stop.keep)

    def evaluate(self, job: TrainJob, folder: JobFolder) -> Evaluation:
        return evaluate_job(job, folder)
