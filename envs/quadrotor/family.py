"""The quadrotor family: the `Family` contract over card, parameters and rooms. numba is imported only by `make` and `make_vec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from envs.family import BatchEnv, Card, Family, Params, ParamSource
from envs.quadrotor.params import QuadrotorParams, bounds, check_params
from envs.task import ParamValue, TaskSpec

if TYPE_CHECKING:
    from envs.quadrotor.swarm import View

NAME = "quadrotor"


class QuadrotorFamily:
    """Quadrotors in a room. `view` sets what each drone senses and how flight is integrated; None is the published view with the task's history.

    `device` steps that published view in torch on `auto`, `cpu` or `cuda` instead of numba; the name says so too (`quadrotor:torch`).
    """

    params_model: type[Params] = QuadrotorParams

    def __init__(self, view: View | None = None, device: str | None = None) -> None:
        self.view, self._device = view, device
        self.name = NAME if device is None else f"{NAME}:torch" + ("" if device == "auto" else f":{device}")

    @property
    def measures(self) -> Mapping[str, str]:
        """What the measures beside fitness and success say, for people who read a report."""
        from envs.quadrotor.meanings import MEANINGS

        return MEANINGS

    def card(self) -> Card:
        """Tell a model about the drones."""
        from envs.quadrotor.card import make_card

        return make_card(self.name)

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Return the full task; raises `ValueError` with one line on an unknown name, a bad value, an overfull room, horizon or seed."""
        from envs.quadrotor.card import HORIZON

        if horizon is not None and horizon < 1:
            raise ValueError(f"quadrotor: horizon = {horizon} is not a number of control steps of at least 1.")
        if seed < 0:
            raise ValueError(f"quadrotor: seed = {seed} is negative; give 0 or more.")
        checked = check_params(params or {})
        return TaskSpec(family=self.name, params=checked.model_dump(), horizon=horizon or HORIZON, seed=seed)

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One drone in one room as a Gymnasium environment. Raises `ValueError` when the task has several drones."""
        from envs.gym.single import SingleWorld

        drones = check_params(task.params).drones
        if drones != 1:
            raise ValueError(
                f"quadrotor: a single Gymnasium world flies 1 drone, this task has {drones}; use make_vec."
            )
        return SingleWorld(self.make_vec(task, 1))

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n rooms, n x drones slots; see `envs.quadrotor.batch.QuadrotorBatch`. Raises `ValueError` when n is below 1."""
        from envs.quadrotor.batch import QuadrotorBatch
        from envs.quadrotor.swarm import View

        view = self.view
        if self._device is not None:
            history = check_params(task.params).history
            view = View(history=history, backend="torch", device=self._device)
        return QuadrotorBatch(task, n, params, view)

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw every parameter uniformly from its bounds, but leave `drones` at 1 and `history` at 0: the shape of a batch, not of an episode."""
        drawn: dict[str, ParamValue] = {}
        for name, field in QuadrotorParams.model_fields.items():
            low, high = bounds(name)
            whole = isinstance(field.default, int)
            drawn[name] = int(rng.integers(int(low), int(high) + 1)) if whole else float(rng.uniform(low, high))
        return {**drawn, "drones": 1, "history": 0}


def make_family(name: str) -> Family:
    """Build the family: `quadrotor`, or `quadrotor:torch` and `quadrotor:torch:cuda` for the torch back end.

    Raises `ValueError` when the name carries anything else, or asks for a GPU that is not there.
    """
    head, _, back_end = name.partition(":")
    back_end, _, device = back_end.partition(":")
    if head != NAME or back_end not in ("", "torch"):
        raise ValueError(
            f"unknown environment {name!r}. Did you mean {NAME!r}? It takes task parameters, not variants; "
            f"'{NAME}:torch' steps it in torch."
        )
    if not back_end:
        return QuadrotorFamily()
    from envs.quadrotor.torch_swarm import choose_device

    choose_device(device or "auto")
    return QuadrotorFamily(device=device or "auto")
