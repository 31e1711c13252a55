"""What a learner sees of a circuit: the published 3-D tensor, and a compact vector over actions.

The compact vector holds for every action whether it is legal, how the energy reacts to it (the slope of an appended
rotation at angle 0, the change by an appended two-qubit gate) and how recently it was used; then a few totals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.quantum import statevector
from envs.quantum.actions import COUNT, PAIRS, QUBITS, STOP
from envs.quantum.compiled import kernel
from envs.quantum.energies import Model
from envs.quantum.gates import CNOT, Gate, moments
from envs.quantum.paulis import Float64, Int32

TOTALS = 10
SIZE = 2 * STOP + COUNT + TOTALS
"""Length of the compact observation."""


def crlqas_tensor(circuit: Sequence[Gate], qubits: int, layers: int) -> Float64:
    """The published encoding [layers, qubits + 6, qubits]: a layer a moment.

    Row `target`, column `control` is 1 for a CNOT; rows n to n+2 mark RX, RY, RZ on a column's qubit and rows n+3 to n+5
    hold their angles. Raises `ValueError` for a gate that it has no place for, or a circuit deeper than `layers`.
    """
    tensor = np.zeros((layers, qubits + 6, qubits))
    for gate, moment in zip(circuit, moments(circuit), strict=True):
        if moment >= layers or gate.kind > CNOT:
            raise ValueError(f"the published encoding has {layers} layers of RX, RY, RZ and CNOT; {gate} does not fit.")
        if gate.is_rotation:
            tensor[moment, qubits + gate.kind, gate.qubit] = 1.0
            tensor[moment, qubits + 3 + gate.kind, gate.qubit] = gate.angle
        else:
            tensor[moment, gate.qubit, gate.control] = 1.0
    return tensor


def crlqas_observation(tensor: Float64, energy: float) -> Float64:
    """What the published agent is given: the tensor without angles, flat, then the energy before."""
    rows = tensor.shape[1] - 3
    return np.concatenate([tensor[:, :rows].reshape(-1), [energy]])


@kernel
def reactions(
    model: Model,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    count: int,
    two_qubit: int,
    out: Float64,
) -> float:
    """Write into `out` [STOP] how the noiseless energy reacts to each action; return that energy.

    Derivative by the angle for a rotation, difference for a two-qubit gate, 0 beyond the problem's qubits.
    """
    psi = np.empty(1 << model.qubits, np.complex128)
    lam, other = np.empty_like(psi), np.empty_like(psi)
    out[:] = 0.0
    statevector.run_circuit(psi, model.start, kinds, qubits, controls, angles, count)
    energy = statevector.multiply(model.starts, model.columns, model.values, psi, lam)
    for qubit in range(model.qubits):
        for kind in range(3):
            out[PAIRS + 3 * qubit + kind] = statevector.slope(psi, lam, kind, qubit)
    for control in range(model.qubits):
        for target in range(model.qubits):
            if target != control:
                other[:] = psi
                statevector.entangle(other, two_qubit, 1 << target, 1 << control)
                after = statevector.multiply(model.starts, model.columns, model.values, other, lam)
                out[control * (QUBITS - 1) + target - (1 if target > control else 0)] = after - energy
    return energy
