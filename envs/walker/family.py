"""The walker family: the `Family` contract over card, parameters and worlds. Box2D is imported only by `make` and `make_vec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from envs.family import BatchEnv, Card, Family, Params, ParamSource
from envs.task import ParamValue, TaskSpec
from envs.walker.params import bounds, check_params
from envs.walker.terrain import WalkerParams

NAME = "walker"


class WalkerFamily:
    """A parameterised BipedalWalker."""

    name = NAME
    params_model: type[Params] = WalkerParams

    native_reward = (
        "Every step pays the gain of a potential: 130/30 a metre forward less 5 a radian of the hull's tilt. Effort costs 0.00035 x 80 x |action| "
        "for each of the four joints. A fall ends the episode with -100. Reaching the end comes to about 300 in all."
    )

    def card(self) -> Card:
        """Tell a model about the walker."""
        from envs.walker.card import make_card

        return make_card(self.name)

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Return the full task; raises `ValueError` with one line on an unknown name, a bad value, horizon or seed."""
        from envs.walker.card import HORIZON

        if horizon is not None and horizon < 1:
            raise ValueError(f"walker: horizon = {horizon} is not a number of control steps of at least 1.")
        if seed < 0:
            raise ValueError(f"walker: seed = {seed} is negative; give 0 or more.")
        checked = check_params(params or {})
        return TaskSpec(family=self.name, params=checked.model_dump(), horizon=horizon or HORIZON, seed=seed)

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One walker; see `envs.walker.env.WalkerEnv`."""
        from envs.walker.env import WalkerEnv

        return WalkerEnv(task)

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n walkers; see `envs.walker.batch.WalkerBatch`. Raises `ValueError` when n is below 1."""
        from envs.walker.batch import WalkerBatch

        if n < 1:
            raise ValueError(f"walker: n = {n} worlds is not at least 1.")
        return WalkerBatch(task, n, params)

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw every parameter uniformly from its bounds."""
        drawn: dict[str, ParamValue] = {}
        for name, field in WalkerParams.model_fields.items():
            low, high = bounds(name)
            whole = isinstance(field.default, int)
            drawn[name] = int(rng.integers(int(low), int(high) + 1)) if whole else float(rng.uniform(low, high))
        return drawn


def make_family(name: str) -> Family:
    """Build the family; raises `ValueError` when `name` carries more than `walker`."""
    if name != NAME:
        raise ValueError(
            f"unknown environment {name!r}. Did you mean {NAME!r}? It takes task parameters, not variants."
        )
    return WalkerFamily()
