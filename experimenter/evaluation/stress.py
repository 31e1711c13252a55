"""Perturbed worlds for a trained policy: is what it learnt still there when the world is a little different?

Four changes, each small against the task's own scale: a longer horizon, other task parameters, noisy observations, noisy
actions. A policy that does the task loses fitness and reward together; one that lives on a quirk of its reward program keeps
the reward, or (longer horizon) goes on earning without doing more. This module makes the tapes; `rewards.audit` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, Family
from envs.task import ParamValue, TaskSpec
from experimenter.evaluation.tape import Act, Tape, record_tape

LONGER = 1.5
"""Factor on the horizon."""
PARAMETER_SHIFT = 0.1
"""Standard deviation of a task parameter's shift, as a part of its range."""
OBSERVATION_NOISE = 0.1
"""Standard deviation of observation noise, as a part of each number's own spread over undisturbed episodes."""
ACTION_NOISE = 0.3
"""Chance of a random choice, or standard deviation as a part of half an action's range."""
STRESSES = ("longer", "parameters", "observations", "actions")


@dataclass(frozen=True, kw_only=True)
class StressedTape:
    """One perturbed world's episodes."""

    world: str
    """One of `STRESSES`."""
    tape: Tape


def record_stress(family: Family, task: TaskSpec, act: Act, seed: int, episodes: int = 8) -> list[StressedTape]:
    """Play the policy in every perturbed world; worlds that the family cannot have are left out.

    Raises `RolloutError` as `record_tape` does.
    """
    rng = np.random.default_rng(seed)
    card = family.card()
    longer = family.resolve_task(task.params, horizon=round(task.horizon * LONGER), seed=task.seed)
    spread = _Spread(act)
    found = [StressedTape(world="longer", tape=record_tape(family, longer, spread, seed, episodes))]
    if moved := _movable(card, task):
        source = _shifted(card, task, moved, rng)
        found.append(
            StressedTape(world="parameters", tape=record_tape(family, task, act, seed, episodes, params=source))
        )
    noise = spread.deviation() * OBSERVATION_NOISE
    seen = record_tape(
        family, task, act, seed, episodes, observe=lambda o: (o + rng.normal(size=o.shape) * noise).astype(np.float32)
    )
    found.append(StressedTape(world="observations", tape=seen))
    space = _action_space(family, task)
    acted = record_tape(family, task, act, seed, episodes, disturb=_action_noise(space, rng))
    return [*found, StressedTape(world="actions", tape=acted)]


class _Spread:
    """A policy that remembers how far the observations that it saw spread."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._count, self._sum, self._square = 0, np.zeros(1), np.zeros(1)

    def __call__(self, observation: NDArray[Any]) -> NDArray[Any]:
        values = np.asarray(observation, dtype=np.float64)
        self._count += len(values)
        self._sum = self._sum + values.sum(axis=0)
        self._square = self._square + np.square(values).sum(axis=0)
        return self._act(observation)

    def deviation(self) -> NDArray[Any]:
        mean = self._sum / max(1, self._count)
        return np.asarray(np.sqrt(np.maximum(self._square / max(1, self._count) - mean**2, 0.0)))


def _movable(card: Card, task: TaskSpec) -> list[str]:
    """Parameters that can shift a little: numbers with a range that are not switched off at an end of it."""
    inside = []
    for p in card.params:
        value = float(task.params[p.name])
        if not p.integer and p.low < value < p.high:
            inside.append(p.name)
    return inside


def _shifted(
    card: Card, task: TaskSpec, moved: list[str], rng: np.random.Generator
) -> Callable[[], Mapping[str, ParamValue]]:
    ranges = {p.name: (p.low, p.high) for p in card.params if p.name in moved}

    def draw() -> Mapping[str, ParamValue]:
        params = dict(task.params)
        for name, (low, high) in ranges.items():
            value = float(task.params[name]) + rng.normal() * PARAMETER_SHIFT * (high - low)
            params[name] = float(min(high, max(low, value)))
        return params

    return draw


def _action_space(family: Family, task: TaskSpec) -> gymnasium.spaces.Space[object]:
    env = family.make_vec(task, 1)
    try:
        return env.action_space
    finally:
        env.close()


def _action_noise(
    space: gymnasium.spaces.Space[object], rng: np.random.Generator
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    if isinstance(space, gymnasium.spaces.Discrete):
        count = int(space.n)

        def choose(actions: NDArray[Any]) -> NDArray[Any]:
            drawn = rng.integers(0, count, size=actions.shape)
            return np.where(rng.random(actions.shape) < ACTION_NOISE, drawn, actions)

        return choose
    assert isinstance(space, gymnasium.spaces.Box)
    half = (space.high.astype(np.float64) - space.low.astype(np.float64)) / 2

    def shake(actions: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(actions + rng.normal(size=actions.shape) * half * ACTION_NOISE, dtype=np.float32)

    return shake
