"""The trainer `swarm`: one policy for all drones of a room, by our PPO, with practice that lets it learn on a CPU in minutes.

What it adds to `ppo`: features in the drone's own frame and encoders over neighbours and cylinders (`swarm_network.py`), shaping and a gated
contact ramp (`swarm_coach.py`), collision replay (`envs/quadrotor/replay.py`), and, asked for, privileged inputs for the critic. On families without
drones it is `ppo` with the same settings. After "Collision Avoidance and Navigation for a Quadrotor Swarm Using End-to-end Deep
RL" (arXiv 2309.13285); shapes, sizes and schedule are ours. Density and distance curricula are teachers (`experimenter/curricula/`), not part of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from envs.task import ParamValue
from experimenter.trainers import swarm_settings
from experimenter.trainers.base import Listener, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import Checkpoint
from experimenter.trainers.ppo import Companion, Setup, train_ppo
from experimenter.trainers.ppo_settings import PpoSettings
from experimenter.trainers.swarm_coach import Coach
from experimenter.trainers.swarm_network import SwarmNetwork
from experimenter.trainers.swarm_settings import SwarmSettings
from experimenter.trainers.swarm_worlds import FeaturedWorlds, Side, find_side
from experimenter.trainers.worlds import Shape, resolve_shape


def make_trainer() -> SwarmTrainer:
    return SwarmTrainer()


class SwarmTrainer:
    """The trainer `swarm`."""

    name = "swarm"

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        """Every setting with its default for `family`."""
        return swarm_settings.default_settings(family)

    def check_settings(self, family: str, overrides: Mapping[str, ParamValue]) -> None:
        """Raise `UsageError` for an unknown setting or a value that it cannot have."""
        swarm_settings.make_settings(family, overrides)

    def train(self, problem: Problem, budget: TrainBudget, seed: int, listen: Listener) -> TrainedPolicy:
        """Train until `budget.steps` or a STOP; an env step is one drone's. Errors as for `ppo`."""
        settings = swarm_settings.make_settings(problem.family, problem.settings)
        shape = resolve_shape("swarm", problem.observation_space, problem.action_space)
        return train_ppo(problem, budget, seed, listen, settings, lambda: _set_up(problem, settings, shape))


def _set_up(problem: Problem, settings: SwarmSettings, shape: Shape) -> Setup:
    env = problem.make_vec(settings.num_envs or _count_rooms(problem, settings.agents))
    side = find_side(env)
    if side is None:
        return Setup(env, shape, trainer="swarm")
    coach = Coach(settings)
    worlds = FeaturedWorlds(env, side, coach.hear, privileged=settings.privileged)

    def make_network(shape: Shape, plain: PpoSettings, generator: torch.Generator) -> SwarmNetwork:
        return SwarmNetwork(shape, settings, generator, neighbours=side.neighbours, history=side.history)

    seen = Shape(worlds.size, shape.action, shape.discrete, shape.low, shape.high)
    return Setup(worlds, seen, make_network, SwarmCompanion(coach, side), trainer="swarm")


def _count_rooms(problem: Problem, agents: int) -> int:
    """Rooms that together hold about `agents` drones."""
    probe = problem.make_vec(1)
    try:
        return max(1, round(agents / probe.num_envs))
    finally:
        probe.close()


class SwarmCompanion(Companion):
    """Coach and practice beside the loop of PPO."""

    def __init__(self, coach: Coach, side: Side) -> None:
        self._coach, self._practice = coach, side.practice
        self._step: int | None = None

    def before_rollout(self, step: int, schedule_steps: int) -> None:
        """Give the rooms their lesson of the day."""
        if self._step is not None:
            self._coach.advance(step - self._step, schedule_steps)
        self._step = step
        self._practice.teach(self._coach.lesson())

    def losses(self) -> dict[str, float]:
        """Contact ramp and what the gate looks at."""
        coach = self._coach
        return {"contact_ramp": coach.ramp, "reached": coach.reached, "touched": coach.touched}

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Coach, stored moments."""
        state, arrays = self._practice.save()
        return {"coach": {**self._coach.state(), "step": self._step}, "practice": state}, arrays

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from `save`."""
        self._coach.load_state(checkpoint.state["coach"])
        self._step = checkpoint.state["coach"]["step"]
        self._practice.load(checkpoint.state["practice"], checkpoint.arrays)
