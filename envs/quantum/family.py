"""The quantum family: the `Family` contract over card, parameters and worlds. numba is imported only by `make` and `make_vec`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from envs.family import BatchEnv, Card, Family, Params, ParamSource
from envs.quantum.compiled import require_numba
from envs.quantum.params import QuantumParams, StoredParams, dump_params, resolve_quantum
from envs.task import ParamValue, TaskSpec

NAME = "quantum"


class QuantumFamily:
    """Circuit search for the ground states of small Hamiltonians."""

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self.params_model: type[Params] = StoredParams if ":" in name else QuantumParams

    def card(self) -> Card:
        """Tell a model about the family."""
        from envs.quantum.card import make_card

        return make_card(self.name)

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        """Return the full task; raises `ValueError` with one line on an unknown name, a bad value, horizon or seed."""
        from envs.quantum.card import HORIZON

        if horizon is not None and horizon < 1:
            raise ValueError(f"quantum: horizon = {horizon} is not a number of gates of at least 1.")
        if seed < 0:
            raise ValueError(f"quantum: seed = {seed} is negative; give 0 or more.")
        filled = resolve_quantum(self.name, params or {})
        return TaskSpec(family=self.name, params=dump_params(filled), horizon=horizon or HORIZON, seed=seed)

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        """One circuit; see `envs.quantum.env.QuantumEnv`."""
        from envs.quantum.env import QuantumEnv

        return QuantumEnv(task)

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> BatchEnv:
        """n circuits; see `envs.quantum.batch.QuantumBatch`. Raises `ValueError` when n is below 1."""
        from envs.quantum.batch import QuantumBatch

        if n < 1:
            raise ValueError(f"quantum: n = {n} worlds is not at least 1.")
        return QuantumBatch(task, n, params)

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw every parameter uniformly from its bounds, but for the optimiser: any but the first takes minutes on 8 qubits."""
        drawn: dict[str, ParamValue] = {}
        for p in self.card().params:
            whole = int(rng.integers(int(p.low), int(p.high) + 1)) if p.integer else float(rng.uniform(p.low, p.high))
            drawn[p.name] = whole
        return {**drawn, "optimiser": 0}


def make_family(name: str) -> Family:
    """Build the family: `quantum`, or `quantum:NAME` for a made problem (see stored.py).

    Raises `ValueError` for a problem that is not there, `ImportError` without numba.
    """
    require_numba()
    head, colon, stored = name.partition(":")
    if head != NAME:
        raise ValueError(f"unknown environment {name!r}. Did you mean {NAME!r}?")
    if colon:
        from envs.quantum.actions import QUBITS
        from envs.quantum.stored import load_stored

        if (qubits := load_stored(stored).qubits) > QUBITS:
            raise ValueError(
                f"{name} has {qubits} qubits; worlds take at most {QUBITS}: keep fewer orbitals by --active."
            )
    return QuantumFamily(name)
