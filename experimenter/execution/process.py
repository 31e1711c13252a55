"""Running the halves of a job in child processes, and telling what happened.

A training worker is its own session and process group. It is asked to stop by a file, killed as a group at the wall limit or
when it gives no sign of life, and dies with its parent. Generated rewards train in the sandbox's confined process.
Read `children.py` (how a child starts, warm or cold), `watch.py` (how it is followed), `evaluator.py`.
"""

from __future__ import annotations

from experimenter.execution import folder as files
from experimenter.execution.base import Listener, StopFlag
from experimenter.execution.children import Child, Starter, describe_exit
from experimenter.execution.evaluator import Evaluator
from experimenter.execution.failures import boundary, clip, fail
from experimenter.execution.folder import JobFolder
from experimenter.execution.job import TrainEnd
from experimenter.execution.watch import Watch
from experimenter.execution.worker import EXIT_DISK
from experimenter.records import Evaluation, Failure, TrainJob

_STALL_S = 180.0
_GRACE_S = 30.0
_LOG_BYTES = 20_000


class ProcessRunner:
    """Runs jobs' halves in child processes. One a thread: children die with the thread that started them."""

    def __init__(
        self,
        *,
        allow_unconfined: bool = False,
        stall_s: float = _STALL_S,
        grace_s: float = _GRACE_S,
        starter: Starter | None = None,
    ) -> None:
        """`starter` is shared with other runners and closed by its owner; without one, every child starts cold."""
        self._starter = starter or Starter(allow_unconfined=allow_unconfined, warm=False)
        self._stall_s = stall_s
        self._grace_s = grace_s
        self._evaluator = Evaluator(self._starter)

    def train(self, job: TrainJob, folder: JobFolder, stop: StopFlag, notify: Listener, lock: int) -> TrainEnd:
        """Train in a child process to its end; one killed by somebody else is resumed once from its checkpoint."""
        for last in (False, True):
            with boundary("worker"):
                files.clear_requests(folder)
                child = self._starter.start_training(job, folder, lock)
            watch = Watch(child, job, folder, stop, notify, stall_s=self._stall_s, grace_s=self._grace_s)
            watch.run()
            died = files.read_outcome(folder) is None and (child.returncode or 0) < 0 and not watch.killed
            if last or not died or job.reward.is_generated or watch.draining:
                break
        return _conclude(job, folder, child, watch)

    def evaluate(self, job: TrainJob, folder: JobFolder) -> Evaluation:
        return self._evaluator.evaluate(job, folder)

    def close(self) -> None:
        self._evaluator.close()


def _conclude(job: TrainJob, folder: JobFolder, child: Child, watch: Watch) -> TrainEnd:
    """Turn the worker's end into a `TrainEnd`, or raise its failure."""
    code = child.returncode or 0
    outcome = files.read_outcome(folder)
    if outcome is not None and outcome.state == "failed":
        failure = outcome.failure or Failure(stage="worker", kind="unknown", message="the worker failed without a word")
        raise fail(failure.stage[:40], failure.kind[:80], failure.message, failure.traceback)
    if outcome is not None and outcome.state in ("done", "stopped") and not watch.killed:
        stopped = outcome.state == "stopped"
        return TrainEnd(stopped=stopped, steps=outcome.steps, drained=stopped and watch.draining)
    if watch.killed == "drain" or (watch.draining and outcome is None):
        return TrainEnd(stopped=True, steps=files.read_heartbeat(folder).step, drained=True)
    if watch.killed == "timeout":
        raise fail("worker", "timeout", f"killed at its wall limit of {job.wall_limit_s:.0f} s")
    if watch.killed == "stalled":
        raise fail("worker", "stalled", "killed: the training worker gave no sign of life")
    if code == EXIT_DISK:
        raise fail(
            "worker", "disk", f"the disk is full or cannot be written: free space, then run again ({folder.root})"
        )
    log = clip((files.read_plain(folder.work / "stderr.txt", 64_000_000) or b"").decode(errors="replace"), _LOG_BYTES)
    words = log.strip().splitlines()
    kind = "memory" if words and words[-1].startswith("MemoryError") else "killed" if code < 0 else "crash"
    said = f": {words[-1][:300]}" if words else ""
    raise fail("worker", kind, f"the training worker ended {describe_exit(code)}{said}", log)
