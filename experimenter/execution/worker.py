"""The child processes of execution.

    python -m experimenter.execution.worker train WORK_FOLDER     train the job in WORK_FOLDER/job.json
    python -m experimenter.execution.worker evaluate              evaluate the job folders named on stdin, one a line

A training worker stops at a checkpoint when the file `stop` appears in its folder or on SIGTERM. Both die with their parent.
The evaluating one imports neither torch nor the reward code and never sees a reward program's text run.
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


def main(arguments: list[str]) -> int:
    die_with_parent()
    with contextlib.suppress(OSError):
        os.nice(_NICE)
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
