"""Worlds that pay a reward program's reward, and the running means of its terms.

NATIVE passes the worlds' own reward; FITNESS pays an episode's fitness at its end and 0 before; CODE and SPECIFICATION are
computed from the state before, the action as the worlds clip it, and the true successor. Nothing else about the worlds changes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, Card, FloatArray, NamedState, StepBatch
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.program import compile_program

RETURN = "return"
"""Key of `drain` for the mean return of finished episodes; a term of that name is renamed."""


class RewardWrapper:
    """A `BatchEnv` around `env` whose reward is that of `program`."""

    def __init__(self, env: BatchEnv, program: RewardProgram, card: Card, *, allow_unconfined: bool = False) -> None:
        """Compile `program`; errors as for `compile_program`."""
        self._env = env
        self._kind = program.kind
        is_computed = program.kind in (RewardKind.CODE, RewardKind.SPECIFICATION)
        self._compiled = compile_program(program, card, allow_unconfined=allow_unconfined) if is_computed else None
        self.num_envs = env.num_envs
        self.observation_space: gymnasium.spaces.Space[Any] = env.observation_space
        self.action_space: gymnasium.spaces.Space[Any] = env.action_space
        self._bounds = _bounds(env.action_space)
        self._state: NamedState = {}
        self._statistics = _Statistics(env.num_envs)

    @property
    def unwrapped(self) -> BatchEnv:
        """The innermost worlds, for a trainer that knows their kind."""
        inner: BatchEnv = getattr(self._env, "unwrapped", self._env)
        return inner

    def reset(self, seed: int) -> FloatArray:
        observation = self._env.reset(seed)
        self._statistics.restart()
        if self._compiled is not None:
            self._state = self._env.named_state()
        return observation

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Step the worlds and replace the reward. Raises `RewardFault` when the program fails."""
        batch = self._env.step(actions)
        if self._compiled is not None:
            computed, terms = self._compiled(self._state, self._as_seen(actions), batch.next_state)
            self._remember(batch)
            self._statistics.add_terms(terms)
            reward: FloatArray = computed
        else:
            reward = self._baseline(batch)
        self._statistics.add_rewards(reward, batch.terminated | batch.truncated)
        return dataclasses.replace(batch, reward=reward)

    def drain(self) -> dict[str, float]:
        """Means since the last call: of each term a step and world, and under `return` of finished episodes' returns."""
        return self._statistics.drain()

    def named_state(self) -> NamedState:
        return self._env.named_state()

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return self._env.render(slot)

    def close(self) -> None:
        self._env.close()

    def _as_seen(self, actions: NDArray[Any]) -> FloatArray:
        """Actions as the program sees them: [n, k] float64, clipped like the worlds clip them."""
        seen = np.asarray(actions, dtype=np.float64).reshape(self.num_envs, -1)
        if self._bounds is None:
            return seen
        return np.minimum(np.maximum(seen, self._bounds[0]), self._bounds[1])

    def _remember(self, batch: StepBatch) -> None:
        """Keep the state that the next action starts from: the successor, or the fresh episode where one began."""
        if batch.terminated.any() or batch.truncated.any():
            self._state = self._env.named_state()
        else:
            self._state = {name: array.copy() for name, array in batch.next_state.items()}

    def _baseline(self, batch: StepBatch) -> FloatArray:
        if self._kind is RewardKind.NATIVE:
            return np.asarray(batch.reward, dtype=np.float64)
        reward = np.zeros(self.num_envs)
        for outcome in batch.outcomes:
            reward[outcome.slot] = outcome.fitness
        return reward


class _Statistics:
    """Sums of terms and of running episode returns."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._steps = 0
        self._sums: dict[str, float] = {}
        self._returns = np.zeros(n)
        self._finished: list[float] = []

    def restart(self) -> None:
        """Forget the open episodes; what finished before stays for the next drain."""
        self._returns[:] = 0.0

    def add_terms(self, terms: Mapping[str, FloatArray]) -> None:
        self._steps += 1
        sums = self._sums
        for name, values in terms.items():
            sums[name] = sums.get(name, 0.0) + float(np.add.reduce(values))

    def add_rewards(self, reward: FloatArray, done: NDArray[np.bool_]) -> None:
        self._returns += reward
        if done.any():
            self._finished += self._returns[done].tolist()
            self._returns[done] = 0.0

    def drain(self) -> dict[str, float]:
        count = max(1, self._steps * self._n)
        means = {f"{name}_" if name == RETURN else name: total / count for name, total in self._sums.items()}
        if self._finished:
            means[RETURN] = math.fsum(self._finished) / len(self._finished)
        self._steps, self._sums, self._finished = 0, {}, []
        return means


def _bounds(space: gymnasium.spaces.Space[Any]) -> tuple[FloatArray, FloatArray] | None:
    """Low and high of a Box action space, [k] each; None for other spaces."""
    if not isinstance(space, gymnasium.spaces.Box):
        return None
    return space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel()
