"""What a reward program would pay for recorded episodes: returns an episode and what each term contributes.

The program runs over the transitions of a tape in one go. `score` calls a program that is already compiled (in a process
that may run it); `score_confined` has generated text do its work in a confined process of its own that sees the transitions
and nothing else: no fitness, no outcome. What comes back is checked like anything from there.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.family import Card, FloatArray
from experimenter.errors import SandboxError
from experimenter.records import RewardProgram
from experimenter.rewards.program import CompiledReward, compile_program
from experimenter.sandbox.check import source_of
from experimenter.sandbox.confine import Limits, run_confined
from experimenter.sandbox.worker import card_from_json, card_to_json

_MIB = 1024**2
_CHUNK = 4096
"""Transitions a call: a program written for batches of worlds is not made to hold a whole tape at once."""


class Transitions(Protocol):
    """What is needed of a tape (`evaluation.tape.Tape` is one)."""

    @property
    def state(self) -> Mapping[str, FloatArray]: ...
    @property
    def action(self) -> FloatArray: ...
    @property
    def next_state(self) -> Mapping[str, FloatArray]: ...
    @property
    def episode(self) -> NDArray[np.int64]: ...


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a program pays for the episodes of one tape."""

    returns: tuple[float, ...]
    """One an episode."""
    terms: Mapping[str, tuple[float, ...]]
    """Term -> its sum over each episode."""


def score(compiled: CompiledReward, tape: Transitions) -> Scores:
    """Pay for `tape` with a compiled program. Raises `RewardFault` when the program fails."""
    count = int(tape.episode.max()) + 1
    returns, terms = np.zeros(count), dict[str, NDArray[np.float64]]()
    for first in range(0, len(tape.episode), _CHUNK):
        part = slice(first, first + _CHUNK)
        now = {name: array[part] for name, array in tape.state.items()}
        then = {name: array[part] for name, array in tape.next_state.items()}
        paid, found = compiled(now, tape.action[part], then)
        np.add.at(returns, tape.episode[part], paid)
        for name, values in found.items():
            np.add.at(terms.setdefault(name, np.zeros(count)), tape.episode[part], values)
    return Scores(returns=tuple(returns.tolist()), terms={name: tuple(sums.tolist()) for name, sums in terms.items()})


def score_confined(
    program: RewardProgram, card: Card, tapes: Sequence[Transitions], *, cpu_s: int = 60, allow_unconfined: bool = False
) -> list[Scores]:
    """Pay for each tape with `program`, which runs confined; one process for all tapes.

    Raises `SandboxError` with one line when the program fails, runs out of its limits, or nothing can confine here.
    """
    with tempfile.TemporaryDirectory(prefix="tapes-") as name:
        folder = Path(name)
        for index, tape in enumerate(tapes):
            _write(folder / f"{index}.npz", tape)
        request = {"card": card_to_json(card), "program": source_of(program, card), "tapes": len(tapes)}
        limits = Limits(memory_bytes=2048 * _MIB, cpu_s=cpu_s, wall_s=20.0 * cpu_s, file_bytes=_MIB)
        ended = run_confined(
            [sys.executable, "-m", "experimenter.rewards.audit_scores"],
            folder=folder, limits=limits, stdin=json.dumps({**request, "unconfined": allow_unconfined}).encode(),
            allow_unconfined=allow_unconfined,
        )  # fmt: skip
    if ended.timed_out or ended.returncode != 0:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        why = "ran out of time" if ended.timed_out else last[0][:300]
        raise SandboxError(f"the reward program could not be asked about recorded episodes: {why}")
    return _read(ended.stdout, [int(tape.episode.max()) + 1 for tape in tapes])


def main() -> int:
    """The confined side: read the request and the tapes, pay, print."""
    request = json.loads(sys.stdin.buffer.read())
    card = card_from_json(request["card"])
    from experimenter.records import RewardKind

    program = RewardProgram(kind=RewardKind.CODE, source=request["program"])
    compiled = compile_program(program, card, allow_unconfined=bool(request["unconfined"]))
    found = [score(compiled, _load(Path(f"{index}.npz"))) for index in range(int(request["tapes"]))]
    answer = [{"returns": scores.returns, "terms": dict(scores.terms)} for scores in found]
    sys.stdout.write(json.dumps(answer))
    return 0


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    state: Mapping[str, FloatArray]
    action: FloatArray
    next_state: Mapping[str, FloatArray]
    episode: NDArray[np.int64]


def _write(path: Path, tape: Transitions) -> None:
    arrays: dict[str, Any] = {"action": tape.action, "episode": tape.episode}
    arrays.update({f"state/{name}": array for name, array in tape.state.items()})
    arrays.update({f"next/{name}": array for name, array in tape.next_state.items()})
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _load(path: Path) -> _Loaded:
    with np.load(path, allow_pickle=False) as arrays:
        names = list(arrays)
        return _Loaded(
            state={name[6:]: arrays[name] for name in names if name.startswith("state/")},
            action=arrays["action"],
            next_state={name[5:]: arrays[name] for name in names if name.startswith("next/")},
            episode=arrays["episode"],
        )


def _read(output: bytes, counts: Sequence[int]) -> list[Scores]:
    """Take over the answer field by field; it is not trusted."""
    try:
        answer = json.loads(output)
        found = [
            Scores(
                returns=_numbers(item["returns"], count),
                terms={str(name)[:64]: _numbers(values, count) for name, values in list(item["terms"].items())[:32]},
            )
            for item, count in zip(answer, counts, strict=True)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SandboxError(f"the reward program's answer about recorded episodes is not valid: {error}") from None
    return found


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not all(math.isfinite(value) for value in numbers):
        raise ValueError(f"expected {count} finite numbers")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
