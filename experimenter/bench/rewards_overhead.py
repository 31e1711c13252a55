"""What a reward program costs a training step: the wrapper around worlds that themselves do nothing.

The worlds hand out ready-made arrays with the walker's card, so the difference to stepping them bare is the wrapper, its checks
and the program. CPU time of this process, best of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.family import Card, FloatArray, NamedState, StepBatch
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.specification import parse_specification, rule_specification, to_code
from experimenter.rewards.wrapper import RewardWrapper
from experimenter.sandbox.probes import make_transition

TARGET_US = 10.0
"""Microseconds that a program may add to one step of one world, at 32 worlds."""


class _Still:
    """n worlds that never move and never end."""

    def __init__(self, card: Card, n: int) -> None:
        self.num_envs = n
        self.observation_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(-1, 1, (24,))
        moved = make_transition(card, n, np.random.default_rng(0))
        self.action_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(-1, 1, moved.action.shape[1:])
        self.actions = moved.action
        self._state = dict(moved.state)
        observation, no = np.zeros((n, 24), dtype=np.float32), np.zeros(n, dtype=np.bool_)
        self._batch = StepBatch(
            observation=observation, reward=np.zeros(n), terminated=no, truncated=no, final_observation=observation,
            next_state=dict(moved.next_state), outcomes=(),
        )  # fmt: skip

    def reset(self, seed: int) -> FloatArray:
        return self._batch.observation

    def step(self, actions: NDArray[Any]) -> StepBatch:
        return self._batch

    def named_state(self) -> NamedState:
        return self._state

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return np.zeros((1, 1, 3), dtype=np.uint8)

    def close(self) -> None:
        self._state = {}


def measure(n: int = 32, steps: int = 500, rounds: int = 5) -> dict[str, float]:
    """Measure the wrapper; microseconds of CPU for one step of one world, by kind of program, and for n worlds together."""
    card = get_family("walker").card()
    rule = rule_specification(card)
    code = RewardProgram(kind=RewardKind.CODE, source=to_code(parse_specification(rule.source, card), card))
    worlds = _Still(card, n)
    bare = _seconds(lambda: worlds.step(worlds.actions), steps, rounds)
    figures: dict[str, float] = {"worlds": float(n), "target_us": TARGET_US}
    for name, program in (("native", RewardProgram(kind=RewardKind.NATIVE)), ("specification", rule), ("code", code)):
        # the code measured here is our own text, written from our own rule
        wrapper = RewardWrapper(worlds, program, card, allow_unconfined=True)
        wrapper.reset(0)
        together = (_seconds(lambda w=wrapper: w.step(worlds.actions), steps, rounds) - bare) * 1e6  # type: ignore[misc]
        figures[f"{name}_us"] = round(together / n, 3)
        figures[f"{name}_batch_us"] = round(together, 1)
    return figures


def _seconds(act: Callable[[], object], steps: int, rounds: int) -> float:
    """CPU seconds of one call, best of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(steps):
            act()
        best = min(best, (time.process_time() - started) / steps)
    return best


def table(figures: dict[str, float]) -> str:
    """Lay the figures out as lines of text."""
    head = (
        f"reward overhead at {figures['worlds']:.0f} worlds (CPU microseconds; target {figures['target_us']:g} a step)"
    )
    rows = [
        f"  {name:<14}{figures[f'{name}_us']:>8.2f} a step{figures[f'{name}_batch_us']:>10.1f} a batch"
        for name in ("native", "specification", "code")
    ]
    return "\n".join([head, *rows])
