"""The outermost wrapper of a job's worlds: feeds finished episodes to the teacher and the curve, and says "alive".

Points are closed here, at step counts, so that the curve of a job does not depend on how busy the machine was.

It also is the `StatefulWorlds` side of the worlds: teacher and env-step count go into the trainer's checkpoints, and a
resume gives them back and cuts the curve, so that an interrupted job teaches the same lessons as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, FloatArray, NamedState, StepBatch
from envs.task import ParamValue
from experimenter.curricula.base import Teacher, ValueListener
from experimenter.execution.curve import CurveWriter


class RewardedWorlds(BatchEnv, Protocol):
    """What `rewards.wrapper.RewardWrapper` is, as far as execution uses it."""

    def drain(self) -> dict[str, float]:
        """Means since the last call: of each reward term a step, and of the return of finished episodes (`return`)."""
        ...


class ListenedWorlds:
    """A `BatchEnv` around `inner` whose episodes reach `teacher` and `curve`; `beat(steps)` is called at every step."""

    def __init__(
        self, inner: RewardedWorlds, teacher: Teacher, curve: CurveWriter, beat: Callable[[int], None]
    ) -> None:
        self._inner = inner
        self.losses: Mapping[str, float] = {}
        """Newest losses that the trainer reported; they go into the next point."""
        self._teacher = teacher
        self._curve = curve
        self._beat = beat
        self._steps = 0
        self.num_envs = inner.num_envs
        self.observation_space: gymnasium.spaces.Space[Any] = inner.observation_space
        self.action_space: gymnasium.spaces.Space[Any] = inner.action_space

    @property
    def unwrapped(self) -> BatchEnv:
        """The innermost worlds, for a trainer that knows their kind."""
        inner: BatchEnv = getattr(self._inner, "unwrapped", self._inner)
        return inner

    def reset(self, seed: int) -> FloatArray:
        return self._inner.reset(seed)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        batch = self._inner.step(actions)
        self._steps += self.num_envs
        if batch.outcomes:
            for outcome in batch.outcomes:
                self._teacher.update(outcome)
            self._curve.add(batch.outcomes)
            if self._curve.is_due(self._steps):
                self.close_point()
        self._beat(self._steps)
        return batch

    def close_point(self) -> None:
        """Write a point of the curve for what ended since the last one."""
        self._curve.close_point(self._steps, self._inner.drain(), self.losses)

    def hear(self, params: Mapping[str, ParamValue], value: float) -> None:
        """Tell the teacher, if it listens, what the student expected of an episode with these task parameters."""
        if isinstance(self._teacher, ValueListener):
            self._teacher.hear(params, value)

    def sync(self, step: int) -> None:
        """Believe the trainer's count where it is ahead: a trainer that resumes without `load_state`."""
        if step > self._steps:
            self._steps = step

    def named_state(self) -> NamedState:
        return self._inner.named_state()

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return self._inner.render(slot)

    def close(self) -> None:
        self._inner.close()

    def save_state(self) -> dict[str, Any]:
        return {"teacher": self._teacher.state(), "steps": self._steps}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._teacher.load_state(state["teacher"])
        self._steps = int(state["steps"])
        self._curve.cut(self._steps)
