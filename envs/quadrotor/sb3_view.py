"""The swarm as a Stable-Baselines3 `VecEnv`: every drone of every room is one environment, flown by one shared policy.

It stands on the kernel itself (restarts included), not on the family's batch, so that SB3's own loop is all that costs. Observations and
rewards are those of the family; task parameters stay the task's. Needs the package stable-baselines3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from envs.quadrotor import layout as at
from envs.quadrotor.batch import check_actions
from envs.quadrotor.drawing import draw_room
from envs.quadrotor.measures import make_outcome
from envs.quadrotor.params import check_params
from envs.quadrotor.swarm import View, make_swarm
from envs.task import TaskSpec


class SwarmVecEnv(VecEnv):
    """`rooms` rooms of the task's drones. `infos[i]` of a finished drone holds SB3's keys and, under `outcome`, the `EpisodeOutcome`."""

    def __init__(self, task: TaskSpec, rooms: int, view: View | None = None, seed: int = 0) -> None:
        params = check_params(task.params)
        self.swarm = make_swarm(rooms, params, task.horizon, view)
        self.task = task
        super().__init__(
            self.swarm.agents,
            gymnasium.spaces.Box(-np.inf, np.inf, (self.swarm.size,), np.float32),
            gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32),
        )
        self._seed, self._actions = seed, np.zeros((self.swarm.agents, 4), np.float32)
        self._quiet: list[dict[str, Any]] = [{} for _ in range(self.swarm.agents)]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the seed of the next `reset`."""
        self._seed = self._seed if seed is None else seed
        return [self._seed] * self.num_envs

    def reset(self) -> NDArray[np.float32]:
        """Restart every room; a second call without `seed` goes on with other episodes."""
        observation = self.swarm.reset(self._seed)
        self._seed += 1
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = check_actions(actions, self.num_envs)

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Advance all rooms; finished ones have restarted, their last observations are in `terminal_observation`."""
        swarm = self.swarm
        over = swarm.step(self._actions)
        done = swarm.terminated | swarm.truncated
        infos = self._quiet
        if over:
            infos = list(self._quiet)
            for slot in np.flatnonzero(done).tolist():
                infos[slot] = self._ending(slot)
        return swarm.observation.copy(), swarm.reward.astype(np.float32), done, infos

    def _ending(self, slot: int) -> dict[str, Any]:
        swarm = self.swarm
        world = swarm.world_table[slot // swarm.drones].copy()
        world[at.STEP] = world[at.ENDED_STEP]
        outcome = make_outcome(swarm.ended, world, slot, dict(self.task.params))
        return {
            "terminal_observation": swarm.final_observation[slot].copy(),
            "TimeLimit.truncated": bool(swarm.truncated[slot]),
            "episode": {"r": outcome.native_return, "l": outcome.length},
            "outcome": outcome,
        }

    def close(self) -> None:
        """Nothing to close."""

    def get_images(self) -> list[NDArray[np.uint8] | None]:
        """A frame of each room, once for each of its drones."""
        frames = [draw_room(self.swarm, world, []) for world in range(self.swarm.worlds)]
        return [frames[slot // self.swarm.drones] for slot in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The view's own attribute, once for each of `indices`."""
        return [getattr(self, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError("the drones share one kernel: make a new SwarmVecEnv to change the task.")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise AttributeError(f"the drones share one kernel and have no method {method_name!r} of their own.")

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: Any = None
    ) -> list[bool]:
        """No drone is wrapped; SB3's monitor finds its numbers in `infos` all the same."""
        return [False for _ in self._get_indices(indices)]
