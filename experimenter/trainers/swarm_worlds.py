"""Rooms of drones as the trainer `swarm` sees them: features instead of observations, privileged inputs behind them, outcomes counted.

The rooms' practice (shaping, contact ramp, collision replay) lies under the job's wrappers and is found by `find_practice`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, EpisodeOutcome, FloatArray, NamedState, StepBatch
from envs.quadrotor.practice import Lesson
from experimenter.trainers.normalise import Float32
from experimenter.trainers.worlds import load_worlds, save_worlds
from skills.swarm_policy import count_features, features

PRIVILEGED = 10
"""Rotor speeds (4), disturbance force (3) and torque (3), scaled to order one."""
_ROTOR_MIDDLE, _ROTOR_SCALE, _FORCE_SCALE, _TORQUE_SCALE = 0.72, 5.0, 70.0, 40_000.0
"""Hover lies near 0.72; a 20th of a Crazyflie's weight is 0.014 N, its 10,000th 2.7e-5 N m."""


class Practising(Protocol):
    """The side of drone rooms that a trainer may change (`envs.quadrotor.practice.Practice`)."""

    def teach(self, lesson: Lesson) -> None: ...

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]: ...

    def load(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """What lies under the wrappers of a batch of drone rooms."""

    practice: Practising
    neighbours: int
    history: int


def find_side(env: BatchEnv) -> Side | None:
    """Look under the wrappers of `env`; None when there are no drones there. Switches practice on."""
    inner: Any = getattr(env, "unwrapped", env)
    practise = getattr(inner, "practise", None)
    if practise is None:
        return None
    view = inner.swarm.view
    return Side(practice=practise(), neighbours=view.neighbours, history=view.history)


class FeaturedWorlds:
    """A `BatchEnv` around `env` whose observations are features, for a policy that computes them itself."""

    def __init__(
        self, env: BatchEnv, side: Side, hear: Callable[[EpisodeOutcome], None], *, privileged: bool = False
    ) -> None:
        self._env, self._side, self._hear, self._privileged = env, side, hear, privileged
        self.num_envs = env.num_envs
        self.action_space: gymnasium.spaces.Space[Any] = env.action_space
        self.size = count_features(side.neighbours, side.history) + (PRIVILEGED if privileged else 0)
        self.observation_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(
            -np.inf, np.inf, (self.size,), np.float32
        )

    def reset(self, seed: int) -> FloatArray:
        observation = self._env.reset(seed)
        return self._see(observation, self._env.named_state() if self._privileged else {})

    def step(self, actions: NDArray[Any]) -> StepBatch:
        batch = self._env.step(actions)
        for outcome in batch.outcomes:
            self._hear(outcome)
        final = self._see(batch.final_observation, batch.next_state)
        observation = final
        done = batch.terminated | batch.truncated
        if done.any():
            observation = self._see(batch.observation, self._env.named_state() if self._privileged else {})
        return dataclasses.replace(batch, observation=observation, final_observation=final)

    def _see(self, observation: FloatArray, state: NamedState) -> Float32:
        seen = features(observation, self._side.neighbours, self._side.history)
        return np.concatenate((seen, _privileged(state)), axis=1) if self._privileged else seen

    def named_state(self) -> NamedState:
        return self._env.named_state()

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return self._env.render(slot)

    def close(self) -> None:
        self._env.close()

    def save_state(self) -> dict[str, Any]:
        return save_worlds(self._env)

    def load_state(self, state: Mapping[str, Any]) -> None:
        load_worlds(self._env, state)


def _privileged(state: NamedState) -> Float32:
    """[n, 10] float32."""
    parts = (
        _ROTOR_SCALE * (state["rotor_speeds"] - _ROTOR_MIDDLE),
        _FORCE_SCALE * state["disturbance_force"],
        _TORQUE_SCALE * state["disturbance_torque"],
    )
    return np.concatenate(parts, axis=1).astype(np.float32)
