"""Child processes as supervisors see them: cold ones (a fresh interpreter) and warm ones (a fork with its imports done).

`Starter` decides which: warm where the nursery can, cold otherwise. Both are confined alike when the reward is generated code.
Nothing here knows what a job is worth.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Protocol

from envs.catalog import list_files
from envs.task import TaskSpec
from experimenter.config import HOME_VARIABLE, resolve_home
from experimenter.execution.folder import JobFolder
from experimenter.execution.job import UNCONFINED_VARIABLE
from experimenter.records import TrainJob
from experimenter.sandbox.confine import TRAIN_LIMITS, start_confined
from experimenter.sandbox.nursery import Errand, NotWarm, Nursery, measure_tree, start_warm, start_warm_trusted

_LOG = logging.getLogger(__name__)
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
_WORKER = "experimenter.execution.worker"
_MODULES = (_WORKER, "experimenter.execution.job", "experimenter.rewards.wrapper", "torch")


class Child(Protocol):
    """A child process and whatever it started."""

    @property
    def returncode(self) -> int | None:
        """Known once it has ended and was killed; negative for a signal."""
        ...

    def has_ended(self) -> bool: ...

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for its end; True when it has ended."""
        ...

    def kill(self) -> None:
        """Kill it and everything left of it, and reap it."""
        ...

    def measure(self) -> float:
        """CPU seconds so far, of it and its children, as the kernel counts them; 0 when that cannot be read."""
        ...


class ColdChild:
    """A `Popen` that leads its own process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid
        # a handle that becomes readable at the end, so that nobody has to poll
        self._handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else -1

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def has_ended(self) -> bool:
        """Say whether the process has ended, without reaping it: its CPU time can still be read."""
        if self._process.returncode is None and hasattr(os, "waitid"):
            with contextlib.suppress(ChildProcessError):
                return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._process.poll() is not None

    def wait(self, seconds: float) -> bool:
        if self._handle >= 0:
            select.select([self._handle], [], [], seconds)
        elif not self.has_ended():
            time.sleep(min(seconds, 0.05))
        return self.has_ended()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def measure(self) -> float:
        return measure_tree(self.pid)


class Starter:
    """Starts the children of one executor, or of one runner. Threads may share it."""

    def __init__(self, *, allow_unconfined: bool = False, warm: bool = True) -> None:
        self._allow_unconfined = allow_unconfined
        variables = {**THREADS, HOME_VARIABLE: str(resolve_home(None))}
        self._nursery = Nursery(_MODULES, variables) if warm and sys.platform == "linux" else None

    def close(self) -> None:
        """End the process that warm children come from; what starts later starts cold."""
        if self._nursery is not None:
            self._nursery.close()

    def warm_up(self, task: TaskSpec, trainer: str) -> None:
        """Have the imports of jobs on this task done in the background; does nothing where starts are cold."""
        if self._nursery is not None:
            with contextlib.suppress(NotWarm):
                self._nursery.warm_up(_make_errand(task, trainer, "train_warm"))

    def start_training(self, job: TrainJob, folder: JobFolder, lock: int) -> Child:
        """Start a training worker that holds the lock; raises `SandboxError` when its reward cannot be confined here."""
        work = folder.work.resolve()
        try:
            return self._train_warm(job, work, lock)
        except NotWarm as error:
            _LOG.debug("cold start: %s", error)
        argv = [sys.executable, "-m", _WORKER, "train", str(work)]
        if job.reward.is_generated:
            return ColdChild(
                start_confined(
                    argv, folder=work, limits=TRAIN_LIMITS, readable=[*_readable(), *list_files(job.task.family)],
                    environment=self._confined_variables(), allow_unconfined=self._allow_unconfined,
                )
            )  # fmt: skip
        with (work / "stdout.txt").open("wb") as out, (work / "stderr.txt").open("wb") as err:
            return _start_cold(argv, None, out.fileno(), err.fileno(), lock)

    def start_evaluator(self, job: TrainJob) -> tuple[Child, IO[bytes], IO[bytes]]:
        """Start a process that never ran generated code and evaluates job folders; returns it, its input and its output."""
        inner_in, outer_in = os.pipe()
        outer_out, inner_out = os.pipe()
        try:
            child = self._evaluate_warm(job, inner_in, inner_out)
        except NotWarm as error:
            _LOG.debug("cold start: %s", error)
            child = _start_cold([sys.executable, "-m", _WORKER, "evaluate"], inner_in, inner_out, None)
        finally:
            os.close(inner_in)
            os.close(inner_out)
        return child, os.fdopen(outer_in, "wb"), os.fdopen(outer_out, "rb")

    def _train_warm(self, job: TrainJob, work: Path, lock: int) -> Child:
        errand = _make_errand(job.task, job.trainer, "train_warm", str(work))
        if self._nursery is None:
            raise NotWarm("no nursery")
        if job.reward.is_generated:
            return start_warm(
                self._nursery, errand, folder=work, limits=TRAIN_LIMITS,
                readable=[*_readable(), *list_files(job.task.family)], environment=self._confined_variables(),
                allow_unconfined=self._allow_unconfined, keep=(lock,),
            )  # fmt: skip
        with (work / "stdout.txt").open("wb") as out, (work / "stderr.txt").open("wb") as err:
            return start_warm_trusted(
                self._nursery, errand, environment={**os.environ, **THREADS},
                stdout=out.fileno(), stderr=err.fileno(), keep=(lock,),
            )  # fmt: skip

    def _evaluate_warm(self, job: TrainJob, stdin: int, stdout: int) -> Child:
        if self._nursery is None:
            raise NotWarm("no nursery")
        errand = _make_errand(job.task, job.trainer, "evaluate_warm")
        return start_warm_trusted(
            self._nursery, errand, environment={**os.environ, **THREADS}, stdin=stdin, stdout=stdout
        )

    def _confined_variables(self) -> dict[str, str]:
        unconfined = "1" if self._allow_unconfined else "0"
        path = os.pathsep.join(str(place) for place in _readable())
        home = str(resolve_home(None))
        return {**THREADS, "PYTHONPATH": path, UNCONFINED_VARIABLE: unconfined, HOME_VARIABLE: home}


def _make_errand(task: TaskSpec, trainer: str, target: str, *arguments: str) -> Errand:
    """The stem process is told the task and the trainer, never the reward."""
    return Errand(
        target=f"{_WORKER}:{target}",
        arguments=arguments,
        prepare=f"{_WORKER}:prepare",
        prepare_arguments=(task.model_dump_json(), trainer),
    )


def _start_cold(argv: list[str], stdin: int | None, stdout: int, stderr: int | None, *keep: int) -> ColdChild:
    """Start trusted code in a fresh interpreter that dies with this thread."""
    return ColdChild(
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL if stderr is None else stderr,
            env={**os.environ, **THREADS, PARENT_VARIABLE: str(os.getpid())},
            start_new_session=True,
            pass_fds=keep,
        )
    )


def describe_exit(code: int) -> str:
    """Say how a process ended: by which signal, or with which exit code."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _readable() -> list[Path]:
    return [Path(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
