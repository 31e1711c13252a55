"""Many lamps at once: a knob changes the brightness, a drift pulls it down. Natively batched; no Gymnasium world inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, FloatArray, NamedState, ParamSource, StepBatch
from envs.task import ParamValue, TaskSpec

TARGET, TOLERANCE = 0.7, 0.1


class Lamps:
    """A `BatchEnv`: brightness in [0, 1], one knob, to be held near 0.7."""

    def __init__(self, task: TaskSpec, n: int, params: ParamSource | None) -> None:
        self.num_envs = n
        self.observation_space: gymnasium.Space[Any] = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.action_space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._task, self._source = task, params
        self._params: list[Mapping[str, ParamValue]] = [task.params] * n
        self._streams = [np.random.default_rng(0)] * n
        self._brightness, self._reward = np.zeros(n), np.zeros(n)
        self._length, self._held = np.zeros(n, np.int64), np.zeros(n, np.int64)

    def reset(self, seed: int) -> FloatArray:
        """Restart every lamp from its own stream."""
        self._streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(self.num_envs)]
        for slot in range(self.num_envs):
            self._restart(slot)
        return self._observe()

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Turn the knobs, let the drift work, close the episodes that are over."""
        drift = np.array([float(params["drift"]) for params in self._params])
        knob = np.clip(np.asarray(actions, np.float64)[:, 0], -1.0, 1.0)
        self._brightness = np.clip(self._brightness + 0.1 * knob - drift, 0.0, 1.0)
        reward = -np.abs(self._brightness - TARGET)
        self._reward += reward
        self._held += np.abs(self._brightness - TARGET) < TOLERANCE
        self._length += 1
        truncated = self._length >= self._task.horizon
        final, state = self._observe(), self.named_state()
        outcomes = tuple(self._finish(slot) for slot in np.flatnonzero(truncated).tolist())
        never = np.zeros(self.num_envs, np.bool_)
        return StepBatch(
            observation=self._observe(),
            reward=reward,
            terminated=never,
            truncated=truncated,
            final_observation=final,
            next_state=state,
            outcomes=outcomes,
        )

    def named_state(self) -> NamedState:
        """Brightness of every lamp."""
        return {"brightness": self._brightness.copy()}

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """A dark room with a bar as bright as the lamp."""
        frame = np.zeros((40, 60, 3), np.uint8)
        frame[10:30, 20:40] = 30 + int(225 * self._brightness[slot])
        return frame

    def close(self) -> None:
        """Nothing to release."""

    def _observe(self) -> FloatArray:
        return self._brightness[:, None].astype(np.float32)

    def _finish(self, slot: int) -> EpisodeOutcome:
        share = float(self._held[slot] / self._length[slot])
        outcome = EpisodeOutcome(
            slot=slot,
            params=self._params[slot],
            fitness=share,
            success=share >= 0.5,
            native_return=float(self._reward[slot]),
            length=int(self._length[slot]),
        )
        self._restart(slot)
        return outcome

    def _restart(self, slot: int) -> None:
        if self._source is not None:
            self._params[slot] = dict(self._source())
        self._brightness[slot] = self._streams[slot].uniform(0.0, 1.0)
        self._reward[slot] = 0.0
        self._length[slot] = self._held[slot] = 0
