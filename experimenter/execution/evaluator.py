"""Held-out evaluation in a clean process of its own, which is handed job folders and never a reward."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from pathlib import Path
from typing import IO

from experimenter.execution import folder as files
from experimenter.execution.children import Child, Starter, describe_exit
from experimenter.execution.failures import boundary, fail
from experimenter.execution.folder import JobFolder
from experimenter.records import Evaluation, Failure, TrainJob

_EVALUATION_S = 1800.0


class Evaluator:
    """A clean process that plays policies on held-out worlds; started when first needed, kept warm."""

    def __init__(self, starter: Starter, limit_s: float = _EVALUATION_S) -> None:
        self._starter = starter
        self._limit_s = limit_s
        self._child: Child | None = None
        self._pipes: tuple[IO[bytes], IO[bytes]] | None = None

    def evaluate(self, job: TrainJob, folder: JobFolder) -> Evaluation:
        """Evaluate the policy in the job's folder; raises `StageError` of stage `evaluate`."""
        with boundary("evaluate"):
            (folder.root / "evaluation.json").unlink(missing_ok=True)
            answer = self._ask(job, folder.root.resolve())
            if answer.get("failure") is not None:
                failure = Failure.model_validate(answer["failure"])
                raise fail(failure.stage, failure.kind, failure.message, failure.traceback)
            evaluation = files.read_evaluation(folder)
            if evaluation is None or len(evaluation.seeds) != job.eval_episodes:
                raise fail("evaluate", "missing", "the evaluation process left no valid evaluation")
            return evaluation

    def close(self) -> None:
        for pipe in self._pipes or ():
            with contextlib.suppress(OSError):
                pipe.close()
        if self._child is not None:
            self._child.kill()
        self._child = self._pipes = None

    def _ask(self, job: TrainJob, folder: Path) -> dict[str, object]:
        child, questions, answers = self._open(job)
        try:
            questions.write(str(folder).encode() + b"\n")
            questions.flush()
            line = _read_line(answers, self._limit_s)
            answer = json.loads(line) if line else None
        except (OSError, ValueError):
            answer = None
        if isinstance(answer, dict):
            return answer
        timed_out = not child.wait(0.5)
        self.close()
        if timed_out:
            raise fail("evaluate", "timeout", f"the evaluation took more than {self._limit_s:.0f} s or broke its pipe")
        raise fail("evaluate", "killed", f"the evaluation process ended {describe_exit(child.returncode or 0)}")

    def _open(self, job: TrainJob) -> tuple[Child, IO[bytes], IO[bytes]]:
        if self._child is None or self._pipes is None:
            self._child, *pipes = self._starter.start_evaluator(job)
            self._pipes = (pipes[0], pipes[1])
        return self._child, *self._pipes


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
