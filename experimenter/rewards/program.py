"""A reward program as a callable: code or specification in, checked rewards out.

Baselines (native reward, fitness) have no program to compile: `wrapper.py` pays them from what the worlds report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envs.family import Card, FloatArray
from experimenter.errors import ProgramRefused
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.specification import compile_specification, parse_specification
from experimenter.sandbox.guard import RewardFault, Rewards, call_program
from experimenter.sandbox.load import load_code

__all__ = ["CompiledReward", "RewardFault", "compile_program"]


class CompiledReward:
    """A reward program ready to be called. Holds no state of its own."""

    def __init__(self, program: RewardProgram, function: Callable[..., Any]) -> None:
        self.program = program
        self._function = function

    def __call__(
        self, state: Mapping[str, FloatArray], action: FloatArray, next_state: Mapping[str, FloatArray]
    ) -> tuple[Rewards, dict[str, Rewards]]:
        """Reward n transitions; return (reward [n] float64, terms name -> [n] float64), all finite.

        `action` is [n, k]; `next_state` is the true successor, before any reset. The arrays are handed on as read-only
        views. Raises `RewardFault` naming the term when the program fails or returns anything else.
        """
        return call_program(self._function, state, action, next_state)


def compile_program(program: RewardProgram, card: Card, *, allow_unconfined: bool = False) -> CompiledReward:
    """Compile `program` for the worlds of `card`.

    Raises `ProgramRefused` when the screen or the card refuses it, `SandboxError` when it is code and this process was
    not started by the sandbox (unless `allow_unconfined`).
    """
    if program.kind is RewardKind.CODE:
        return CompiledReward(program, load_code(program.source, card, allow_unconfined=allow_unconfined))
    if program.kind is RewardKind.SPECIFICATION:
        specification = parse_specification(program.source, card)
        return CompiledReward(program, compile_specification(specification, card))
    raise ProgramRefused(
        f"the {program.kind.value} baseline has no program; wrap the worlds with RewardWrapper instead."
    )
