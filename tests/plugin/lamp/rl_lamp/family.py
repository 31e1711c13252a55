"""The lamp's card, parameters and factory: what the entry point names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from pydantic import Field

from envs.family import BatchEnv, Card, Parameter, Params, ParamSource, Variable, resolve_params
from envs.gym.single import SingleWorld
from envs.task import ParamValue, TaskSpec
from rl_lamp.lamp import Lamps


class LampParams(Params):
    """Task parameters of the lamp."""

    drift: float = Field(default=0.02, ge=0.0, le=0.08)


CARD = Card(
    family="lamp",
    title="Hold a lamp at a steady brightness",
    text="A lamp slowly loses brightness. A knob makes it brighter or darker. Good behaviour holds it close to 0.7.",
    state=(Variable(name="brightness", low=0.0, high=1.0, meaning="how bright the lamp is"),),
    actions=(Variable(name="knob", low=-1.0, high=1.0, meaning="turn up (positive) or down"),),
    params=(
        Parameter(
            name="drift", low=0.0, high=0.08, default=0.02, unit="1/step", step=0.02, meaning="brightness lost a step"
        ),
    ),
    fitness="The share of steps with the brightness within 0.1 of 0.7, from 0 to 1.",
    success="The brightness is within 0.1 of 0.7 on at least half of the steps.",
    horizon=50,
)


class LampFamily:
    """A `Family` around `Lamps`."""

    name = "lamp"
    params_model: type[Params] = LampParams

    def card(self) -> Card:
        """The card."""
        return CARD

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Validate `params` and fill in defaults."""
        steps = CARD.horizon if horizon is None else horizon
        if steps < 1:
            raise ValueError(f"lamp: horizon is {steps}; give at least 1.")
        return TaskSpec(
            family="lamp", params=resolve_params("lamp", LampParams, params or {}), horizon=steps, seed=seed
        )

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One lamp."""
        return SingleWorld(self.make_vec(task, 1))

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n lamps."""
        return Lamps(task, n, params)

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw a drift."""
        return {"drift": float(rng.uniform(0.0, 0.08))}


def make_family(name: str) -> LampFamily:
    """Entry point of the group `experimenter.families`."""
    return LampFamily()
