"""The door of `gym:<id>`: from a name to a family, hand-checked where a recipe exists, derived otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np

from envs.family import BatchEnv, Card, Params, ParamSource, resolve_params
from envs.gym.batch import GymBatch
from envs.gym.lookup import find_spec
from envs.gym.recipe import Recipe
from envs.gym.single import SingleWorld
from envs.task import ParamValue, TaskSpec

HAND_CHECKED: Mapping[str, str] = {
    "CartPole-v1": "envs.gym.cartpole:make_recipe",
    "Pendulum-v1": "envs.gym.pendulum:make_recipe",
    "MountainCar-v0": "envs.gym.mountain_car:make_recipe",
    "MountainCarContinuous-v0": "envs.gym.mountain_car:make_recipe",
    "Acrobot-v1": "envs.gym.acrobot:make_recipe",
    "LunarLander-v3": "envs.gym.lander:make_recipe",
    "LunarLanderContinuous-v3": "envs.gym.lander:make_recipe",
    "Hopper-v5": "envs.gym.locomotion:make_recipe",
    "HalfCheetah-v5": "envs.gym.locomotion:make_recipe",
    "Walker2d-v5": "envs.gym.locomotion:make_recipe",
    "Reacher-v5": "envs.gym.reacher:make_recipe",
    "InvertedDoublePendulum-v5": "envs.gym.balance:make_recipe",
    "MiniGrid-DoorKey-5x5-v0": "envs.gym.doorkey:make_recipe",
    "MiniGrid-DoorKey-6x6-v0": "envs.gym.doorkey:make_recipe",
    "MiniGrid-DoorKey-8x8-v0": "envs.gym.doorkey:make_recipe",
    "MiniGrid-DoorKey-16x16-v0": "envs.gym.doorkey:make_recipe",
}
"""Gymnasium id -> `module:function` that takes the id and returns its recipe."""

_LONGEST_HORIZON = 1_000_000


def make_family(name: str) -> GymFamily:
    """Build the family `gym:<Gymnasium id>`.

    Raises `ValueError` with one line: no id, an unknown id with the nearest one, or a package that is missing.
    """
    gym_id = name.partition(":")[2]
    if not gym_id:
        raise ValueError(f"{name!r} names no environment; write gym:<Gymnasium id>, for example gym:CartPole-v1.")
    find_spec(gym_id)
    module, _, function = HAND_CHECKED.get(gym_id, "envs.gym.generic:make_recipe").partition(":")
    make: Callable[[str], Recipe] = getattr(import_module(module), function)
    return GymFamily(make(gym_id))


class GymFamily:
    """A `Family` around one recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.name = recipe.card.family
        self.params_model: type[Params] = recipe.params_model

    def card(self) -> Card:
        """The card: all that a model is told."""
        return self._recipe.card

    @property
    def native_reward(self) -> str:
        """The authors' own words on the native reward; empty where the docstring has none."""
        from envs.gym.docstring import reward_words

        entry = find_spec(self.name.partition(":")[2]).entry_point
        if isinstance(entry, str):
            module, _, name = entry.partition(":")
            entry = getattr(import_module(module), name)
        return reward_words(entry.__doc__)

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Validate `params`, fill in defaults and return the task; `ValueError` with one line otherwise."""
        steps = self._recipe.card.horizon if horizon is None else horizon
        if not 1 <= steps <= _LONGEST_HORIZON:
            raise ValueError(f"{self.name}: horizon is {steps}; give 1 to {_LONGEST_HORIZON} control steps.")
        if seed < 0:
            raise ValueError(f"{self.name}: seed is {seed}; give 0 or more.")
        filled = resolve_params(self.name, self.params_model, params or {})
        return TaskSpec(family=self.name, params=filled, horizon=steps, seed=seed)

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One world with the native reward; `info["outcome"]` at the end of an episode."""
        return SingleWorld(self.make_vec(task, 1))

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n worlds stepped together; with `params`, each new episode draws its task parameters from it."""
        if task.family != self.name:
            raise ValueError(f"a task of {task.family!r} was given to {self.name!r}; resolve it with its own family.")
        checked = self.resolve_task(task.params, horizon=task.horizon, seed=task.seed)
        return GymBatch(self._recipe, checked, n, params)

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw task parameters uniformly from the card's bounds."""
        drawn: dict[str, ParamValue] = {}
        for p in self._recipe.card.params:
            low, high = int(p.low), int(p.high)
            drawn[p.name] = int(rng.integers(low, high + 1)) if p.integer else float(rng.uniform(p.low, p.high))
        return drawn
