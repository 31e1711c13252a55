"""Running the halves of a job in child processes: start, watch, stop, kill, and tell what happened.

A training worker is its own session and process group. It is asked to stop by a file, killed as a group at the wall limit or
when it gives no sign of life, and dies with its parent. Generated rewards train in the sandbox's confined process instead.
Held-out evaluation runs in one long-lived clean process a slot, which is handed job folders and never a reward.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import psutil

from experimenter.execution import folder as files
from experimenter.execution.base import JobState, JobUpdate, Listener, StopFlag
from experimenter.execution.curve import CURVE_FILE, CurveTail
from experimenter.execution.failures import boundary, clip, fail
from experimenter.execution.folder import JobFolder, Usage
from experimenter.execution.job import UNCONFINED_VARIABLE, TrainEnd
from experimenter.execution.worker import EXIT_DISK
from experimenter.records import CurvePoint, Evaluation, Failure, TrainJob

PARENT_VARIABLE = "EXPERIMENTER_PARENT"
THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "PYTHONSAFEPATH": "1",
}
"""One thread a worker; and a worker's folder is never on the import path."""
_POLL_S = 0.05
_SAVE_S = 2.0
_STALL_S = 180.0
_GRACE_S = 30.0
_EVALUATION_S = 1800.0
_LOG_BYTES = 20_000


class ProcessRunner:
    """Runs jobs' halves in child processes. One a thread: children die with the thread that started them."""

    def __init__(self, *, allow_unconfined: bool = False, stall_s: float = _STALL_S, grace_s: float = _GRACE_S) -> None:
        self._allow_unconfined = allow_unconfined
        self._stall_s = stall_s
        self._grace_s = grace_s
        self._evaluator = Evaluator()

    def train(self, job: TrainJob, folder: JobFolder, stop: StopFlag, notify: Listener, lock: int) -> TrainEnd:
        """Train in a child process to its end; one killed by somebody else is resumed once from its checkpoint."""
        for last in (False, True):
            with boundary("worker"):
                files.clear_requests(folder)
                process = self._start(job, folder, lock)
            watch = Watch(process, job, folder, stop, notify, stall_s=self._stall_s, grace_s=self._grace_s)
            watch.run()
            died = files.read_outcome(folder) is None and process.returncode < 0 and not watch.killed
            if last or not died or job.reward.is_generated or watch.draining:
                break
        return _conclude(job, folder, process, watch, stop)

    def evaluate(self, job: TrainJob, folder: JobFolder) -> Evaluation:
        return self._evaluator.evaluate(job, folder)

    def close(self) -> None:
        self._evaluator.close()

    def _start(self, job: TrainJob, folder: JobFolder, lock: int) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "experimenter.execution.worker", "train", str(folder.work.resolve())]
        if job.reward.is_generated:
            from experimenter.sandbox.confine import TRAIN_LIMITS, start_confined

            return start_confined(
                argv,
                folder=folder.work,
                limits=TRAIN_LIMITS,
                readable=[Path(path) for path in _import_path()],
                environment={
                    **THREADS,
                    "PYTHONPATH": os.pathsep.join(_import_path()),
                    UNCONFINED_VARIABLE: "1" if self._allow_unconfined else "0",
                },
                allow_unconfined=self._allow_unconfined,
            )
        with (folder.work / "stdout.txt").open("wb") as out, (folder.work / "stderr.txt").open("wb") as err:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **THREADS, PARENT_VARIABLE: str(os.getpid())},
                start_new_session=True,
                pass_fds=(lock,),
            )


class Watch:
    """Follows one training worker until it is gone: news, usage, limits, stop requests."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        job: TrainJob,
        folder: JobFolder,
        stop: StopFlag,
        notify: Listener,
        *,
        stall_s: float,
        grace_s: float,
    ) -> None:
        self._process, self._job, self._folder = process, job, folder
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
            while not has_ended(self._process):
                self._check_stop()
                self._check_limits()
                self._report()
                self._save(_SAVE_S)
                time.sleep(_POLL_S)
        finally:
            self._measure()
            kill_group(self._process)
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
        self._measure()
        kill_group(self._process)

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

    def _measure(self) -> None:
        """CPU seconds of the worker and its children, living and reaped, as the kernel counts them."""
        with contextlib.suppress(psutil.Error):
            worker = psutil.Process(self._process.pid)
            times = [process.cpu_times() for process in (worker, *worker.children(recursive=True))]
            spent = sum(t.user + t.system + t.children_user + t.children_system for t in times)
            self._cpu_s = max(self._cpu_s, spent)


class Evaluator:
    """A clean process that plays policies on held-out worlds; started when first needed, kept warm."""

    def __init__(self, limit_s: float = _EVALUATION_S) -> None:
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def evaluate(self, job: TrainJob, folder: JobFolder) -> Evaluation:
        """Evaluate the policy in the job's folder; raises `StageError` of stage `evaluate`."""
        with boundary("evaluate"):
            (folder.root / "evaluation.json").unlink(missing_ok=True)
            answer = self._ask(folder.root.resolve())
            if answer.get("failure") is not None:
                failure = Failure.model_validate(answer["failure"])
                raise fail(failure.stage, failure.kind, failure.message, failure.traceback)
            evaluation = files.read_evaluation(folder)
            if evaluation is None or len(evaluation.seeds) != job.eval_episodes:
                raise fail("evaluate", "missing", "the evaluation process left no valid evaluation")
            return evaluation

    def close(self) -> None:
        if self._process is not None:
            kill_group(self._process)
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self._process = None

    def _ask(self, folder: Path) -> dict[str, object]:
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(str(folder).encode() + b"\n")
            process.stdin.flush()
            line = _read_line(process.stdout, self._limit_s)
            answer = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        if isinstance(answer, dict):
            return answer
        timed_out = process.poll() is None
        self.close()
        if timed_out:
            raise fail("evaluate", "timeout", f"the evaluation took more than {self._limit_s:.0f} s or broke its pipe")
        raise fail("evaluate", "killed", f"the evaluation process ended {describe_exit(process.returncode)}")

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "experimenter.execution.worker", "evaluate"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **THREADS, PARENT_VARIABLE: str(os.getpid())},
            start_new_session=True,
        )
        return self._process


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Say whether the process has ended, without reaping it: its CPU time can still be read."""
    if process.returncode is None and hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and everything left in its group, and reap it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def describe_exit(code: int) -> str:
    """Say how a process ended: by which signal, or with which exit code."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _conclude(
    job: TrainJob, folder: JobFolder, process: subprocess.Popen[bytes], watch: Watch, stop: StopFlag
) -> TrainEnd:
    """Turn the worker's end into a `TrainEnd`, or raise its failure."""
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
    if process.returncode == EXIT_DISK:
        raise fail(
            "worker", "disk", f"the disk is full or cannot be written: free space, then run again ({folder.root})"
        )
    log = clip((files.read_plain(folder.work / "stderr.txt", 64_000_000) or b"").decode(errors="replace"), _LOG_BYTES)
    words = log.strip().splitlines()
    kind = (
        "memory" if words and words[-1].startswith("MemoryError") else "killed" if process.returncode < 0 else "crash"
    )
    said = f": {words[-1][:300]}" if words else ""
    raise fail("worker", kind, f"the training worker ended {describe_exit(process.returncode)}{said}", log)


def _read_line(pipe: IO[bytes], limit_s: float) -> bytes:
    """Read one line from a pipe within `limit_s`; empty at its end or when the time is over."""
    deadline, line = time.monotonic() + limit_s, b""
    while not line.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if select.select([pipe], [], [], left)[0]:
            part = os.read(pipe.fileno(), 65536)
            if not part:
                return b""
            line += part
    return line if line.endswith(b"\n") else b""


def _import_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
