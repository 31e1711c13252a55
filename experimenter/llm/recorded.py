"""Recorded answers: what a model said in some sessions as a JSONL file, and the provider that says it again without a key.

The first line names the model and what it can do; every other line is one answer::

    {"format": "experimenter-answers-1", "model": "openai/NAME", "capabilities": {"code": true, ...}}
    {"scope": "acrobot", "role": "reward_writer", "step": "rewards:<task>:0", "sample": 0, "attempt": 0, "prompt_digest": "...",
     "answer": "...", "prompt_tokens": 1200, "completion_tokens": 600, "cost_usd": 0.01}

`answers/FILE#SCOPE` is the model's name; the scope says which session's answers are wanted (a bench has one for each task).
A question is matched by role, step, sample and attempt; where a step has another name (its name may hold a digest of what training
measured, and another machine's training may differ in the last digit) by prompt digest; else the answer of that role comes whose turn
it is. So a replay never stops because a prompt quotes other numbers, and says in its log when it answered out of turn.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from experimenter.errors import ModelUnavailable, UsageError
from experimenter.llm.messages import Capabilities, Reply, Request
from experimenter.records import Record

log = logging.getLogger(__name__)

FORMAT = "experimenter-answers-1"


class RecordedAnswer(Record):
    """One answer of one role in one session."""

    scope: str = ""
    """Which session: the task's name in a bench, empty where there is only one."""
    role: str
    step: str
    """Place in the session; names of tasks in it are digests that are the same everywhere."""
    sample: int = 0
    attempt: int = 0
    """0 for the first try, 1 for the repair."""
    prompt_digest: str = ""
    answer: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    """What it cost when it was recorded; None: unknown."""


class Recorded:
    """Answers from a recorded file; the tokens that it reports are those of the recording, the money is 0."""

    def __init__(self, model: str, capabilities: Capabilities, answers: tuple[RecordedAnswer, ...]) -> None:
        self.model = model
        """Name of the model that gave the answers."""
        self.capabilities = capabilities
        self.answers = answers
        self._by_place = {_place(answer): answer for answer in answers}
        self._by_prompt = {(answer.role, answer.prompt_digest): answer for answer in answers if answer.prompt_digest}
        self._in_turn: dict[tuple[str, int], list[RecordedAnswer]] = {}
        for answer in answers:
            self._in_turn.setdefault((answer.role, answer.attempt), []).append(answer)

    @classmethod
    def from_file(cls, name: str) -> Recorded:
        """Read `FILE` or `FILE#SCOPE`. Raises `UsageError` for a file that cannot be read or does not hold that scope."""
        path, scope = split_name(name)
        model, capabilities, answers = read_answers(path)
        chosen = tuple(answer for answer in answers if not scope or answer.scope in (scope, ""))
        if scope and not chosen:
            known = ", ".join(sorted({answer.scope for answer in answers})) or "none"
            raise UsageError(f"{path} holds no answers for {scope!r}; it has: {known}.")
        return cls(model, capabilities, chosen)

    def complete(self, request: Request) -> list[Reply]:
        """Answer each of the n samples; raises `ModelUnavailable` when the recording of that role has ended."""
        return [self._reply(self._find(request, index)) for index in range(request.n)]

    def close(self) -> None:
        pass

    def _find(self, request: Request, index: int) -> RecordedAnswer:
        sample = request.samples[index] if index < len(request.samples) else index
        if found := self._by_place.get((request.role, request.step, sample, request.attempt)):
            return found
        digest = request.digests[index] if index < len(request.digests) else ""
        if found := self._by_prompt.get((request.role, digest)):
            return found
        waiting, turn = self._in_turn.get((request.role, request.attempt), []), request.ordinal + index
        if turn >= len(waiting):
            raise ModelUnavailable(
                f"the recording holds {len(waiting)} answer(s) of {request.role}; number {turn + 1} was asked for"
            )
        log.info("no recorded answer at step %s: taking number %d of %s", request.step, turn + 1, request.role)
        return waiting[turn]

    def _reply(self, answer: RecordedAnswer) -> Reply:
        return Reply(
            text=answer.answer,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            cost_usd=0.0,
        )


def split_name(name: str) -> tuple[Path, str]:
    """`FILE#SCOPE` -> file and scope; a file whose name itself holds a # is taken as it is."""
    if Path(name).is_file():
        return Path(name), ""
    file, sign, scope = name.rpartition("#")
    return (Path(file), scope) if sign else (Path(name), "")


def read_answers(path: Path) -> tuple[str, Capabilities, tuple[RecordedAnswer, ...]]:
    """Read a file of recorded answers: model, what it can do, answers. Raises `UsageError` that names the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recorded answers {path}: {error}") from error
    plain = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not plain:
        raise UsageError(
            f"{path} is empty: expected recorded answers, as `experimenter bench rewards --record` writes."
        )
    model, capabilities = _read_head(path, plain[0][1])
    answers = tuple(_read_answer(path, number, line) for number, line in plain[1:])
    return model, capabilities, answers


class AnswerLog:
    """Writes a session's answers to a file of recorded answers as they come; an answer that is there already is not written twice."""

    def __init__(self, path: Path, scope: str = "") -> None:
        """Open `path`, which may hold answers of other scopes, or of an earlier try at this one, already."""
        self.path, self.scope = path, scope
        self._lock = threading.Lock()
        self._held: set[tuple[str, str, int, int]] = set()
        if path.exists():
            _, _, answers = read_answers(path)
            self._held = {_place(answer) for answer in answers if answer.scope == scope}

    def write(self, answer: RecordedAnswer, *, model: str, capabilities: Capabilities) -> None:
        """Append one answer; the first one is preceded by the line that names the model. Raises `OSError`."""
        mine = answer.evolve(scope=self.scope)
        with self._lock:
            if _place(mine) in self._held:
                return
            lines = [mine.model_dump_json()]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # sessions in other processes may write to the same file
                if file.seek(0, os.SEEK_END) == 0:
                    able = {**asdict(capabilities), "images_note": ""}
                    lines.insert(0, json.dumps({"format": FORMAT, "model": model, "capabilities": able}))
                file.write("\n".join(lines) + "\n")
            self._held.add(_place(mine))


def _place(answer: RecordedAnswer) -> tuple[str, str, int, int]:
    return answer.role, answer.step, answer.sample, answer.attempt


def _read_head(path: Path, line: str) -> tuple[str, Capabilities]:
    known = {field.name for field in fields(Capabilities)}
    try:
        head: dict[str, Any] = json.loads(line)
        if head["format"] != FORMAT or not set(head["capabilities"]) <= known:
            raise ValueError(f"format {head['format']!r}")
        return str(head["model"]), Capabilities(**head["capabilities"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f'{path} line 1: expected {{"format": "{FORMAT}", "model": ..., "capabilities": {{...}}}} ({error}).'
        ) from error


def _read_answer(path: Path, number: int, line: str) -> RecordedAnswer:
    try:
        return RecordedAnswer.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        raise UsageError(f"{path} line {number}: {where}: {first['msg']}.") from error
