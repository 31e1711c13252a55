"""The child processes of execution.

    python -m experimenter.execution.worker train WORK_FOLDER     train the job in WORK_FOLDER/job.json
    python -m experimenter.execution.worker evaluate              evaluate the job folders named on stdin, one a line

Warm ones are forked from a process that has imported this module, called `prepare` and run no reward program: `train_warm`,
`evaluate_warm`. A training worker stops at a checkpoint when the file `stop` appears in its folder or on SIGTERM. All die with
their parent. An evaluating one never sees a reward program's text run, and imports neither torch nor the reward code itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_NICE = 5
_STOP_S = 0.2
EXIT_DISK = 74
"""Exit code (EX_IOERR) of a training worker that could not write its outcome."""


def prepare(task: str, trainer: str) -> None:
    """Do once, in the process that warm workers are forked from, what every job on this task does: imports and first steps.

    `task` is a `TaskSpec` as JSON. Runs no reward program: none is known there.
    """
    import numpy as np

    from envs.catalog import get_family
    from envs.task import TaskSpec
    from experimenter.registry import load

    load("trainers", trainer)
    spec = TaskSpec.model_validate_json(task)
    worlds = get_family(spec.family).make_vec(spec, 2)
    worlds.reset(0)
    for _ in range(2):
        worlds.step(np.stack([worlds.action_space.sample() for _ in range(worlds.num_envs)]))
    worlds.named_state()
    worlds.close()


def train_warm(work: str) -> int:
    """What a forked training worker does: `train`, at the workers' priority."""
    _be_nice()
    return train(Path(work))


def evaluate_warm() -> int:
    """What a forked evaluating process does."""
    _be_nice()
    return serve_evaluations()


def _be_nice() -> None:
    with contextlib.suppress(OSError):
        os.nice(_NICE)


def main(arguments: list[str]) -> int:
    die_with_parent()
    _be_nice()
    if arguments[:1] == ["train"] and len(arguments) == 2:
        return train(Path(arguments[1]))
    if arguments == ["evaluate"]:
        return serve_evaluations()
    sys.stderr.write("usage: python -m experimenter.execution.worker train WORK_FOLDER | evaluate\n")
    return 2


def train(work: Path) -> int:
    """Train the job that lies in `work`; 0 when its outcome is written, whatever it is, else `EXIT_DISK`."""
    stop = StopRequest(work / "stop")
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    from experimenter.execution.folder import read_job
    from experimenter.execution.job import train_job

    try:
        train_job(read_job(work), work, stop)
    except OSError as error:
        # not even the outcome could be written
        sys.stderr.write(f"{error}\n")
        return EXIT_DISK
    return 0


class StopRequest:
    """Callable that says whether a stop was asked for; looks for the file at most every `_STOP_S`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._set = False
        self._next = 0.0

    def set(self) -> None:
        self._set = True

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self._set and now >= self._next:
            self._next = now + _STOP_S
            self._set = os.path.lexists(self._path)
        return self._set


def serve_evaluations() -> int:
    """Answer each job folder on stdin with one line of JSON on stdout, until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # what an environment prints must not be taken for an answer
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(evaluate_folder(Path(line.rstrip("\n")))) + "\n")
        answers.flush()
    return 0


def evaluate_folder(root: Path) -> dict[str, object]:
    """Evaluate one job folder; returns `{"ok": true}` or `{"failure": {...}}`."""
    from experimenter.execution.failures import StageError, boundary
    from experimenter.execution.folder import JobFolder, read_job
    from experimenter.execution.job import evaluate_job

    try:
        with boundary("evaluate"):
            evaluate_job(read_job(root), JobFolder(root))
    except StageError as error:
        return {"failure": error.failure.model_dump()}
    return {"ok": True}


def die_with_parent() -> None:
    """Make sure that this process ends when its parent does; where the sandbox watches (no parent named), do nothing."""
    parent = int(os.environ.get("EXPERIMENTER_PARENT", "0"))
    if not parent:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    # prctl follows the thread that started us and exists on Linux only; this follows the process
    while os.getppid() == parent:
        time.sleep(0.3)
    with contextlib.suppress(OSError):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
