"""Two counting worlds for the reward tests: position grows by the action, an episode lasts `horizon` steps."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, EpisodeOutcome, FloatArray, NamedState, StepBatch, Variable


def make_toy_card(**overrides: Any) -> Card:
    values: dict[str, Any] = {
        "family": "counting", "title": "Counting", "text": "", "params": (), "horizon": 3,
        "fitness": "the last position", "success": "position above 2",
        "state": (
            Variable(name="position", low=0, high=10, meaning="place along the line"),
            Variable(name="pair", shape=(2,), low=-10, high=10, meaning="position and minus position"),
        ),
        "actions": (Variable(name="push", low=-1, high=1, meaning="added to the position"),),
    }  # fmt: skip
    return Card(**{**values, **overrides})


class CountingWorlds:
    """n worlds; world i starts at position i. Native reward is 7 a step."""

    def __init__(self, n: int = 2, horizon: int = 3) -> None:
        self.num_envs, self._horizon = n, horizon
        self.observation_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(-10, 10, (1,))
        self.action_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(-1, 1, (1,))
        self._position = np.arange(n, dtype=np.float64)
        self._length = np.zeros(n, dtype=int)

    def reset(self, seed: int) -> FloatArray:
        self._position[:] = np.arange(self.num_envs)
        self._length[:] = 0
        return self._observation()

    def step(self, actions: NDArray[Any]) -> StepBatch:
        self._position += np.clip(actions[:, 0], -1, 1)
        self._length += 1
        done = self._length >= self._horizon
        final, following = self._observation(), self.named_state()
        outcomes = tuple(self._outcome(slot) for slot in np.flatnonzero(done).tolist())
        self._position[done], self._length[done] = np.flatnonzero(done), 0
        return StepBatch(
            observation=self._observation(), reward=np.full(self.num_envs, 7.0), terminated=np.zeros_like(done),
            truncated=done, final_observation=final, next_state=following, outcomes=outcomes,
        )  # fmt: skip

    def named_state(self) -> NamedState:
        return {"position": self._position.copy(), "pair": np.stack([self._position, -self._position], axis=1)}

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return np.zeros((2, 2, 3), dtype=np.uint8)

    def close(self) -> None:
        self._position = np.zeros(0)

    def _observation(self) -> FloatArray:
        return self._position[:, None].astype(np.float32)

    def _outcome(self, slot: int) -> EpisodeOutcome:
        position = float(self._position[slot])
        return EpisodeOutcome(
            slot=slot, params={}, fitness=position, success=position > 2, native_return=7.0 * self._horizon,
            length=self._horizon,
        )  # fmt: skip
