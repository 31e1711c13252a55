"""One world of any `BatchEnv` as a plain Gymnasium environment. The episode's outcome is in `info["outcome"]`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv


class SingleWorld(gymnasium.Env[NDArray[Any], Any]):
    """Step world 0 of a batch of one. Its observations, rewards and endings are the batch's own."""

    def __init__(self, batch: BatchEnv) -> None:
        if batch.num_envs != 1:
            raise ValueError(f"SingleWorld takes a batch of 1 world, this one has {batch.num_envs}.")
        self.batch = batch
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 30}
        self.render_mode = "rgb_array"
        self.observation_space = batch.observation_space
        self.action_space = batch.action_space
        self._fresh: NDArray[Any] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start an episode: from `seed` when given, else the next one of the running random stream."""
        super().reset(seed=seed)
        if seed is None and self._fresh is not None:
            observation, self._fresh = self._fresh, None
            return observation, {}
        self._fresh = None
        chosen = int(self.np_random.integers(2**31)) if seed is None else seed
        return self.batch.reset(chosen)[0], {}

    def step(self, action: Any) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Advance by one control step; the observation is the true successor, also at the end."""
        if self._fresh is not None:
            raise ValueError("the episode has ended: call reset() before step().")
        batch = self.batch.step(np.asarray(action)[None])
        info: dict[str, Any] = {}
        if batch.outcomes:
            self._fresh = batch.observation[0]
            info["outcome"] = batch.outcomes[0]
        ended = bool(batch.terminated[0]), bool(batch.truncated[0])
        return batch.final_observation[0], float(batch.reward[0]), *ended, info

    def render(self) -> NDArray[np.uint8]:
        """RGB frame [height, width, 3]."""
        return self.batch.render(0)

    def close(self) -> None:
        self.batch.close()
