"""A batch of worlds as a Stable-Baselines3 `VecEnv`."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from envs.family import BatchEnv, StepBatch
from experimenter.trainers.base import NonFinite


class Sb3Worlds(VecEnv):
    """Steps a `BatchEnv` for SB3. Set `restart_with` before the algorithm resets it."""

    def __init__(self, worlds: BatchEnv) -> None:
        box = worlds.observation_space
        assert isinstance(box, gymnasium.spaces.Box)
        observations = gymnasium.spaces.Box(
            np.asarray(box.low, np.float32), np.asarray(box.high, np.float32), dtype=np.float32
        )
        super().__init__(worlds.num_envs, observations, copy.deepcopy(worlds.action_space))
        self.worlds = worlds
        self.restart_with = 0
        """Seed of the next reset."""
        self.steps = 0
        self._actions: NDArray[Any] = np.zeros(0)
        self.last: StepBatch | None = None
        """What the newest step led to."""

    def reset(self) -> NDArray[np.float32]:
        return np.array(self.worlds.reset(self.restart_with), dtype=np.float32)

    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        batch = self.last = self.worlds.step(self._actions)
        self.steps += self.num_envs
        if not (np.isfinite(batch.reward).all() and np.isfinite(batch.final_observation).all()):
            where = "the observation" if np.isfinite(batch.reward).all() else "the reward"
            raise NonFinite(where, self.steps, "look at the reward program and the environment's state")
        done = batch.terminated | batch.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for slot in np.flatnonzero(done):
            infos[slot] = {
                "terminal_observation": np.array(batch.final_observation[slot], dtype=np.float32),
                "TimeLimit.truncated": bool(batch.truncated[slot] and not batch.terminated[slot]),
            }
        return np.array(batch.observation, np.float32), batch.reward.astype(np.float32), done, infos

    def close(self) -> None:
        self.worlds.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        value = None if attr_name == "render_mode" else getattr(self.worlds, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("worlds are set through their family, not through SB3")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("worlds are called through their family, not through SB3")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[NDArray[np.uint8]]:
        return [self.worlds.render(slot) for slot in range(self.num_envs)]

    def _get_indices(self, indices: Any) -> Iterable[int]:
        if indices is None:
            return range(self.num_envs)
        return [indices] if isinstance(indices, int) else list(indices)
