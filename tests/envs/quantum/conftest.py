"""Circuits that the quantum tests share."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from envs.quantum.gates import Gate

collect_ignore_glob = [] if find_spec("numba") else ["test_*.py"]
"""Nothing here runs without the extra `quantum`."""


def random_circuit(rng: np.random.Generator, qubits: int, count: int, kinds: int = 5) -> tuple[Gate, ...]:
    circuit = []
    for _ in range(count):
        kind, qubit = int(rng.integers(kinds)), int(rng.integers(qubits))
        if kind > 2:
            circuit.append(Gate(kind=kind, qubit=qubit, control=int((qubit + 1 + rng.integers(qubits - 1)) % qubits)))
        else:
            circuit.append(Gate(kind=kind, qubit=qubit, angle=float(rng.normal())))
    return tuple(circuit)


@pytest.fixture
def random_circuits() -> list[tuple[Gate, ...]]:
    rng = np.random.default_rng(4)
    return [random_circuit(rng, 4, 18) for _ in range(4)]
