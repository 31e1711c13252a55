"""A scripted model for tests and demonstrations: its answers are written beforehand, and its name says so.

A script is a list (taken in order), a function, or a JSONL file of `{"role": ..., "answer": ...}` lines, taken in order for each role.
Which answer comes next follows from the calls that the session's ledger already holds, so a resumed session goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from experimenter.errors import ModelUnavailable, UsageError
from experimenter.llm.choose import ModelChoice
from experimenter.llm.messages import Capabilities, Reply, Request
from experimenter.llm.prices import FREE

ScriptedAnswer = str | dict[str, Any] | BaseModel
Script = Sequence[ScriptedAnswer] | Callable[[Request], ScriptedAnswer]

CAPABILITIES = Capabilities(code=True, schema=True, vision=True, n=True, logprobs=False, context_tokens=100_000)


class Scripted:
    """Answers from `script`; with `by_role`, from the list of the request's role."""

    def __init__(
        self,
        script: Script = (),
        *,
        by_role: dict[str, list[ScriptedAnswer]] | None = None,
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        self._script = script
        self._by_role = by_role
        self._taken = 0
        self.capabilities = capabilities
        self.requests: list[Request] = []
        """Every request so far, for tests to look at."""

    @classmethod
    def from_file(cls, path: Path) -> Scripted:
        """Read a JSONL script; a line `{"capabilities": {...}}` sets what the model can do."""
        by_role: dict[str, list[ScriptedAnswer]] = {}
        capabilities = CAPABILITIES
        for number, line in enumerate(_read_lines(path), start=1):
            try:
                entry = json.loads(line)
                if "capabilities" in entry:
                    capabilities = replace(CAPABILITIES, **entry["capabilities"])
                else:
                    by_role.setdefault(entry["role"], []).append(entry["answer"])
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f'{path} line {number}: expected {{"role": ..., "answer": ...}} ({error})') from error
        return cls(by_role=by_role, capabilities=capabilities)

    def complete(self, request: Request) -> list[Reply]:
        """Answer with n samples, one scripted answer each; raises `ModelUnavailable` when the script has ended."""
        self.requests.append(request)
        texts = [_spell(self._next(request, place)) for place in range(request.n)]
        prompt = sum(len(message.text) for message in request.messages) // 4
        return [
            Reply(text=text, prompt_tokens=prompt, completion_tokens=max(len(text) // 4, 1), cost_usd=0.0)
            for text in texts
        ]

    def close(self) -> None:
        pass

    def _next(self, request: Request, place: int) -> ScriptedAnswer:
        if callable(self._script):
            return self._script(request)
        if self._by_role is not None:
            answers: Sequence[ScriptedAnswer] = self._by_role.get(request.role, [])
            index = request.ordinal + place
        else:
            answers, index = self._script, self._taken
            self._taken += 1
        if index >= len(answers):
            raise ModelUnavailable(
                f"the script has {len(answers)} answer(s) for {request.role}; number {index + 1} was asked for"
            )
        return answers[index]


def scripted_choice(name: str = "script") -> ModelChoice:
    """The choice to open a gateway with, beside `provider=Scripted(...)`."""
    return ModelChoice(
        provider="scripted",
        model=f"scripted/{name}",
        reason="a scripted model: its answers were written beforehand",
        prices=FREE,
    )


def _read_lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"cannot read the script {path}: {error.strerror}") from error


def _spell(answer: ScriptedAnswer) -> str:
    if isinstance(answer, BaseModel):
        return answer.model_dump_json()
    return answer if isinstance(answer, str) else json.dumps(answer)
