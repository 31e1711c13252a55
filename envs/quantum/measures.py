"""Named state of the worlds: what reward programs see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from envs.family import NamedState, Variable
from envs.quantum.actions import PAIRS
from envs.quantum.gates import Gate, count_gates, depth
from envs.quantum.paulis import Float64

if TYPE_CHECKING:
    from envs.quantum.machine import Machine  # compiled code: not needed to tell what the state is

_ENERGY = "Ha (units of the coupling for chains)"
VARIABLES = (
    Variable(
        name="energy", unit=_ENERGY, low=-90, high=40, meaning="energy as measured on the machine, noise included"
    ),
    Variable(
        name="energy_error",
        unit=_ENERGY,
        low=-1e-6,
        high=40,
        meaning="energy of the same circuit without noise above the exact ground energy; 0.0016 is chemical accuracy",
    ),
    Variable(name="noise_error", unit=_ENERGY, low=-40, high=40, meaning="measured energy minus that without noise"),
    Variable(name="floor_error", unit=_ENERGY, low=0, high=40, meaning="error of the best state without entanglement"),
    Variable(name="accuracy", unit=_ENERGY, low=0, high=0.2, meaning="the largest accepted error of this task"),
    Variable(name="gates", low=0, high=100, meaning="gates in the circuit"),
    Variable(name="two_qubit_gates", low=0, high=100, meaning="two-qubit gates in the circuit, the costly ones"),
    Variable(name="rotations", low=0, high=100, meaning="rotations in the circuit"),
    Variable(name="depth", low=0, high=100, meaning="moments when all gates are packed as early as possible"),
    Variable(name="gates_left", low=0, high=100, meaning="gates that may still be added in this episode"),
    Variable(
        name="gradient",
        unit="Ha/rad",
        low=0,
        high=100,
        meaning="largest slope of the energy by any rotation that could be added next; near 0 means a single rotation gains nothing",
    ),
    Variable(
        name="gradient_norm",
        unit="Ha/rad",
        low=0,
        high=500,
        meaning="length of the vector of slopes by every rotation that could be added next",
    ),
    Variable(
        name="entanglement",
        low=-1e-9,
        high=1.0 + 1e-9,
        meaning="how entangled the state is on average: 0 for a product of single qubits, 1 when every qubit is fully mixed",
    ),
    Variable(
        name="expressivity",
        low=0,
        high=100,
        meaning="rotations for each direction in which the state could move; far below 1 the circuit cannot reach most states",
    ),
    Variable(name="evaluations", low=0, high=1e9, meaning="energy evaluations spent on this circuit so far"),
    Variable(name="illegal", low=0, high=1, meaning="1 when the last action was not legal and added nothing, else 0"),
)


def name_state(
    machines: Sequence[Machine],
    circuits: Sequence[Sequence[Gate]],
    *,
    measured: Float64,
    true: Float64,
    reactions: Float64,
    entanglement: Float64,
    limits: NDArray[np.int_],
    illegal: NDArray[np.bool_],
    evaluations: Float64,
) -> NamedState:
    """One float64 array [n] a variable, in the order of `VARIABLES`."""
    exact = np.array([machine.problem.exact for machine in machines])
    counts = np.array([count_gates(circuit) for circuit in circuits], dtype=float).reshape(-1, 2)
    gates = counts.sum(axis=1)
    return {
        "energy": measured.copy(),
        "energy_error": true - exact,
        "noise_error": measured - true,
        "floor_error": np.array([machine.problem.floor_error for machine in machines]),
        "accuracy": np.array([machine.params.threshold_energy for machine in machines]),
        "gates": gates,
        "two_qubit_gates": counts[:, 0],
        "rotations": counts[:, 1],
        "depth": np.array([float(depth(circuit)) for circuit in circuits]),
        "gates_left": np.asarray(limits, dtype=float) - gates,
        "gradient": np.abs(reactions[:, PAIRS:]).max(axis=1),
        "gradient_norm": np.sqrt((reactions[:, PAIRS:] ** 2).sum(axis=1)),
        "entanglement": entanglement.copy(),
        "expressivity": counts[:, 1] / np.array([2.0 ** (machine.problem.qubits + 1) - 2.0 for machine in machines]),
        "evaluations": evaluations.copy(),
        "illegal": illegal.astype(float),
    }
