"""The executor for a cluster: each job is one Ray task that runs the same workers as `local`, over a shared file system.

`home` must be the same folder on every node; results, checkpoints and locks live there, so a job begun on one node is
resumed on another. A stop request travels as a file. Needs the extra `ray`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experimenter.errors import EnvironmentNotReady
from experimenter.execution.base import Executor, JobState, JobUpdate, Listener, StopFlag, unique_jobs
from experimenter.execution.job import run_job
from experimenter.execution.process import ProcessRunner
from experimenter.records import JobResult, TrainJob

_WAIT_S = 0.5


def make_executor(*, home: Path, workers: int | None = None, allow_unconfined: bool = False) -> Executor:
    """Build the Ray executor; joins the cluster named by RAY_ADDRESS, or starts a local one. `workers` caps jobs at once."""
    try:
        import ray
    except ImportError as error:
        raise EnvironmentNotReady(
            "the executor ray needs the package ray: pip install 'rl-experimenter[ray]', or use --executor local."
        ) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False, configure_logging=False)
    return RayExecutor(ray, home, workers=workers, allow_unconfined=allow_unconfined)


class FileStopFlag(StopFlag):
    """A stop request that is a file: its content is `keep` or `drain`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    @property
    def is_set(self) -> bool:
        if not super().is_set and self._path.exists():
            word, _, reason = self._path.read_text().partition(" ")
            self.set(reason, keep=word == "keep")
        return super().is_set


class RayExecutor:
    """Runs jobs as Ray tasks of one CPU each."""

    def __init__(self, ray: Any, home: Path, *, workers: int | None, allow_unconfined: bool) -> None:
        self._ray = ray
        self._home = home.resolve()
        self._workers = workers
        self._allow_unconfined = allow_unconfined
        self._stop = StopFlag()
        self._stop_file = self._home / "jobs" / f".stop-{uuid.uuid4().hex}"

    def run(self, jobs: Sequence[TrainJob], on_update: Listener | None = None) -> Iterator[JobResult]:
        waiting = list(unique_jobs(jobs))
        remote = self._ray.remote(num_cpus=1, max_retries=1)(run_on_node)
        running: dict[Any, str] = {}
        try:
            while waiting or running:
                while waiting and (self._workers is None or len(running) < self._workers):
                    job = waiting.pop(0)
                    arguments = (job.model_dump_json(), str(self._home), str(self._stop_file), self._allow_unconfined)
                    running[remote.remote(*arguments)] = job.digest
                for reference in self._ray.wait(list(running), num_returns=1, timeout=_WAIT_S)[0]:
                    digest, text = running.pop(reference), self._ray.get(reference)
                    state = JobState.ENDED if text else JobState.DRAINED
                    if on_update is not None:
                        on_update(JobUpdate(job_digest=digest, state=state, message=self._stop.reason))
                    if text:
                        yield JobResult.model_validate_json(text)
        finally:
            if running:
                self.stop("nobody waits for the results")
                self._ray.wait(list(running), num_returns=len(running))

    def stop(self, reason: str, *, keep: bool = False) -> None:
        self._stop.set(reason, keep=keep)
        self._stop_file.parent.mkdir(parents=True, exist_ok=True)
        part = self._stop_file.with_suffix(".part")
        part.write_text(f"{'keep' if self._stop.keep else 'drain'} {reason}")
        part.replace(self._stop_file)


def run_on_node(job: str, home: str, stop_file: str, allow_unconfined: bool) -> str:
    """Run one job (JSON) on this node; returns its result as JSON, or an empty string when drained."""
    runner = ProcessRunner(allow_unconfined=allow_unconfined)
    try:
        result = run_job(TrainJob.model_validate_json(job), Path(home), runner, stop=FileStopFlag(Path(stop_file)))
    finally:
        runner.close()
    return result.model_dump_json() if result is not None else ""
