"""Collect a rollout: T steps of n worlds into preallocated arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, FloatArray, StepBatch
from experimenter.trainers.base import NonFinite
from experimenter.trainers.normalise import Float32, Float64
from experimenter.trainers.worlds import Shape

Act = Callable[[FloatArray], NDArray[Any]]
"""Observations [n, d] -> actions as the network sees them: [n, k] float32 before scaling, or [n] int64."""


class Rollout:
    """What n worlds did for T steps. Observations are raw; filled again for every update."""

    def __init__(self, capacity: int, num_envs: int, shape: Shape) -> None:
        self.length = 0
        self.shape = shape
        self._observations = np.empty((capacity, num_envs, shape.observation), np.float32)
        self._actions: NDArray[Any] = (
            np.empty((capacity, num_envs), np.int64)
            if shape.discrete
            else np.empty((capacity, num_envs, shape.action), np.float32)
        )
        self._rewards = np.empty((capacity, num_envs), np.float64)
        self._terminated = np.empty((capacity, num_envs), np.bool_)
        self._ended = np.empty((capacity, num_envs), np.bool_)
        self._cuts: list[tuple[int, int, Float32]] = []
        self.successors: Float32 = np.empty((num_envs, shape.observation), np.float32)
        """[n, d] true successors of the last step."""

    def clear(self) -> None:
        self.length = 0
        self._cuts.clear()

    def add(self, observation: FloatArray, action: NDArray[Any], batch: StepBatch) -> None:
        """Append one step of all worlds."""
        t = self.length
        self._observations[t], self._actions[t], self._rewards[t] = observation, action, batch.reward
        self._terminated[t] = batch.terminated
        np.logical_or(batch.terminated, batch.truncated, out=self._ended[t])
        if batch.truncated.any():
            cut = np.flatnonzero(batch.truncated & ~batch.terminated)
            self._cuts += [(t, int(slot), batch.final_observation[slot].astype(np.float32)) for slot in cut]
        self.successors = np.asarray(batch.final_observation, dtype=np.float32)
        self.length += 1

    @property
    def observations(self) -> Float32:
        """[T, n, d] raw."""
        return self._observations[: self.length]

    @property
    def actions(self) -> NDArray[Any]:
        """[T, n, k] float32 before scaling, or [T, n] int64."""
        return self._actions[: self.length]

    @property
    def rewards(self) -> Float64:
        """[T, n]."""
        return self._rewards[: self.length]

    @property
    def terminated(self) -> NDArray[np.bool_]:
        """[T, n] ended by the task's own rule."""
        return self._terminated[: self.length]

    @property
    def ended(self) -> NDArray[np.bool_]:
        """[T, n] terminated or truncated."""
        return self._ended[: self.length]

    @property
    def cut_at(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Time indices [m] and slots [m] of the truncated steps."""
        times, slots = [t for t, _, _ in self._cuts], [slot for _, slot, _ in self._cuts]
        return np.array(times, dtype=np.intp), np.array(slots, dtype=np.intp)

    @property
    def cut_observations(self) -> Float32:
        """[m, d] final observations of the truncated steps."""
        rows = [observation for _, _, observation in self._cuts]
        return np.stack(rows) if rows else np.empty((0, self.shape.observation), np.float32)

    def check_finite(self, step: int) -> None:
        """Raise `NonFinite` naming the observation or the reward."""
        if not (np.isfinite(self.observations).all() and np.isfinite(self.successors).all()):
            raise NonFinite("the observation", step, "look at the environment's state and its task parameters")
        if not np.isfinite(self.rewards).all():
            raise NonFinite("the reward", step, "look for a division, a logarithm or an overflow in the reward program")


def collect(
    env: BatchEnv, rollout: Rollout, observation: FloatArray, *, length: int, act: Act, pulse: Callable[[int], bool]
) -> FloatArray | None:
    """Fill `rollout` with `length` steps from `observation` [n, d] on and return the next observation.

    `pulse(steps taken)` is asked after every step; when it says True the rollout is given up and None returned.
    """
    rollout.clear()
    scale, middle, discrete = rollout.shape.scale, rollout.shape.middle, rollout.shape.discrete
    for _ in range(length):
        action = act(observation)
        batch = env.step(action if discrete else middle + scale * action)
        rollout.add(observation, action, batch)
        observation = batch.observation
        if pulse(rollout.length * env.num_envs):
            return None
    return observation


def rollout_length(remaining: int, num_envs: int, usual: int) -> int:
    """Steps a world of the next rollout, so that whole rollouts of nearly the usual length end at the budget.

    At least two thirds and at most one and a half times `usual`, unless less than that remains.
    """
    rollouts = max(1, round(remaining / (num_envs * usual)))
    return int(np.ceil(remaining / (num_envs * rollouts)))
