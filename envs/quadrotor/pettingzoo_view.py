"""One room as a PettingZoo parallel environment: agents `drone_0` to `drone_n`, all of which end together. Needs the package pettingzoo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from envs.family import EpisodeOutcome
from envs.quadrotor.batch import check_actions
from envs.quadrotor.drawing import draw_room
from envs.quadrotor.measures import make_outcome
from envs.quadrotor.params import check_params
from envs.quadrotor.swarm import Swarm, View
from envs.task import ParamValue, TaskSpec

Observations = dict[str, NDArray[np.float32]]


class SwarmParallel(ParallelEnv):  # type: ignore[misc]  # pettingzoo has no types
    """The task's drones in one room. A drone that crashed is terminated, the others truncated; `infos` then hold each one's `outcome`."""

    metadata = {"name": "quadrotor_v0", "render_modes": ["rgb_array"], "is_parallelizable": True}  # noqa: RUF012  # PettingZoo's own way

    def __init__(self, task: TaskSpec, view: View | None = None, seed: int = 0) -> None:
        params = check_params(task.params)
        self.swarm = Swarm(1, params, task.horizon, view or View(history=params.history))
        self.render_mode = "rgb_array"
        self.possible_agents = [f"drone_{index}" for index in range(params.drones)]
        self.agents: list[str] = []
        self._params: Mapping[str, ParamValue] = dict(task.params)
        self._seed = seed
        low = gymnasium.spaces.Box(-np.inf, np.inf, (self.swarm.size,), np.float32)
        self.observation_spaces = dict.fromkeys(self.possible_agents, low)
        self.action_spaces = {name: gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32) for name in self.possible_agents}

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, dict[str, Any]]]:
        """Start an episode: from `seed` when given, else the next one."""
        self._seed = self._seed + 1 if seed is None else seed
        observation = self.swarm.reset(self._seed)
        self.agents = list(self.possible_agents)
        return self._by_name(observation), {name: {} for name in self.agents}

    def step(
        self, actions: Mapping[str, NDArray[Any]]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Advance the room by 0.01 s. Raises `ValueError` when the episode has ended or a drone has no action."""
        if not self.agents:
            raise ValueError("the episode has ended: call reset() before step().")
        missing = [name for name in self.agents if name not in actions]
        if missing:
            raise ValueError(f"no action for {', '.join(missing)}; give one for every drone.")
        swarm, names = self.swarm, self.agents
        over = swarm.step(check_actions(np.stack([actions[name] for name in names]), len(names)), restart=False)
        infos: dict[str, dict[str, Any]] = {name: {} for name in names}
        if over:
            infos = {name: {"outcome": self._outcome(index)} for index, name in enumerate(names)}
            self.agents = []
        return (
            self._by_name(swarm.final_observation),
            dict(zip(names, swarm.reward.tolist(), strict=True)),
            dict(zip(names, swarm.terminated.tolist(), strict=True)),
            dict(zip(names, swarm.truncated.tolist(), strict=True)),
            infos,
        )

    def _outcome(self, index: int) -> EpisodeOutcome:
        return make_outcome(self.swarm.table, self.swarm.world_table[0], index, self._params)

    def _by_name(self, rows: NDArray[np.float32]) -> Observations:
        return {name: rows[index].copy() for index, name in enumerate(self.possible_agents)}

    def render(self) -> NDArray[np.uint8]:
        """RGB frame [360, 720, 3]."""
        return draw_room(self.swarm, 0, [])

    def close(self) -> None:
        """Nothing to close."""
