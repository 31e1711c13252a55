"""One walker as a Gymnasium environment with the native reward; `info["outcome"]` closes an episode.

On plain ground it equals a freshly made BipedalWalker-v3 with the same seed, bit for bit over unseeded resets too. Unlike
Gymnasium's, a seeded reset also forgets the Box2D world's history, so that a seed always gives the same trajectory.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.task import TaskSpec
from envs.walker.batch import WalkerBatch
from envs.walker.world import FPS

Observation = NDArray[np.float32]


class WalkerEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """A batch of one that does not reset itself. The first reset without a seed takes the task's."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": FPS}  # noqa: RUF012  # Gymnasium's own declaration

    def __init__(self, task: TaskSpec, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self._task = task
        self._walker = WalkerBatch(task, 1, auto_reset=False)
        self.observation_space: gymnasium.spaces.Space[Any] = self._walker.observation_space
        self.action_space: gymnasium.spaces.Space[Any] = self._walker.action_space
        self._running = self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; with `seed`, in a world without history."""
        if seed is None and not self._seeded:
            seed = self._task.seed
        super().reset(seed=seed)
        self._running = self._seeded = True
        observation = self._walker.begin([0]) if seed is None else self._walker.restart([self.np_random])
        return observation[0], {}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Advance by 1/50 s; raises `gymnasium.error.ResetNeeded` after the end of an episode."""
        if not self._running:
            raise gymnasium.error.ResetNeeded("the episode has ended (or not begun): call reset() before step()")
        moved = self._walker.step(np.asarray(action)[None])
        info = {"outcome": moved.outcomes[0]} if moved.outcomes else {}
        self._running = not moved.outcomes
        terminated, truncated = bool(moved.terminated[0]), bool(moved.truncated[0])
        return moved.observation[0], float(moved.reward[0]), terminated, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """RGB frame [320, 480, 3]."""
        return self._walker.render(0)

    def close(self) -> None:
        """Let go of the world."""
        self._walker.close()
