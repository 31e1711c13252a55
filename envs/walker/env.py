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
from envs.walker.batch import action_space, clip_actions, observation_space
from envs.walker.drawing import draw_walker
from envs.walker.lidar import Lidar
from envs.walker.measures import CENTRE, Float32, observe
from envs.walker.params import check_params
from envs.walker.walker import Walker
from envs.walker.world import FPS


class WalkerEnv(gymnasium.Env[Float32, Float32]):
    """A single walker. The first reset without a seed takes the task's."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": FPS}  # noqa: RUF012  # Gymnasium's own declaration

    def __init__(self, task: TaskSpec, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._params = task, check_params(task.params)
        self._walker: Walker | None = None
        self._lidar = Lidar(1)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Start an episode; with `seed`, in a world without history."""
        if seed is None and self._walker is None:
            seed = self._task.seed
        super().reset(seed=seed)
        if self._walker is None or seed is not None:
            self._walker = Walker()
        self._walker.begin(self._params, self.np_random)
        self._lidar.load(0, self._walker.ground)
        self._running = True
        return self._look(self._walker), {}

    def step(self, action: NDArray[Any]) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Advance by 1/50 s; raises `gymnasium.error.ResetNeeded` outside an episode."""
        walker = self._walker
        if walker is None or not self._running:
            raise gymnasium.error.ResetNeeded("no episode is running: call reset() before step()")
        reward = walker.advance(clip_actions(action, 1)[0])
        terminated = walker.fell or walker.arrived
        truncated = walker.length >= self._task.horizon and not terminated
        self._running = not (terminated or truncated)
        info = {} if self._running else {"outcome": walker.outcome(0)}
        return self._look(walker), reward, terminated, truncated, info

    def _look(self, walker: Walker) -> Float32:
        raw = np.array([walker.row])
        self._rays = self._lidar.cast(raw[:, CENTRE].T)
        observation: Float32 = observe(raw, self._rays)[0]
        return observation

    def render(self) -> NDArray[np.uint8]:
        """RGB frame [320, 480, 3]."""
        if self._walker is None:
            raise gymnasium.error.ResetNeeded("nothing to draw yet: call reset() before render()")
        return draw_walker(self._walker, self._rays[0])

    def close(self) -> None:
        """Let go of the world."""
        self._walker, self._running = None, False
