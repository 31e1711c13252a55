"""Random circuits that the quantum tests share."""

from __future__ import annotations

import numpy as np

from envs.quantum.gates import Gate


def random_circuit(rng: np.random.Generator, qubits: int, count: int, kinds: int = 5) -> tuple[Gate, ...]:
    circuit = []
    for _ in range(count):
        kind, qubit = int(rng.integers(kinds)), int(rng.integers(qubits))
        if kind > 2:
            circuit.append(Gate(kind=kind, qubit=qubit, control=int((qubit + 1 + rng.integers(qubits - 1)) % qubits)))
        else:
            circuit.append(Gate(kind=kind, qubit=qubit, angle=float(rng.normal())))
    return tuple(circuit)
