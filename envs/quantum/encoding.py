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
from envs.quantum.energies import Model, dot
from envs.quantum.gates import CNOT, Gate, moments
from envs.quantum.paulis import Float64, Int32
from envs.quantum.trigonometry import turn_angles

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
) -> tuple[float, float]:
    """Write into `out` [STOP] how the noiseless energy reacts to each action; return that energy and the entanglement.

    Derivative by the angle for a rotation, difference for a two-qubit gate, 0 beyond the problem's qubits.
    """
    psi, lam, other = np.empty(2 * model.size), np.empty(2 * model.size), np.empty(2 * model.size)
    cosines, sines = np.empty((1, count)), np.empty((1, count))
    out[:] = 0.0
    turn_angles(angles, count, 0.5, cosines[0], sines[0])
    statevector.run_circuit(psi, model.size, model.start, kinds, qubits, controls, count, cosines, sines)
    statevector.multiply(model.blocks, model.rows, model.columns, psi, lam)
    energy, mixed = dot(psi, lam), mixedness(psi, model.qubits)
    for qubit in range(model.qubits):
        for kind in range(3):  # undoing no rotation at all gives the slope of one at angle 0
            out[PAIRS + 3 * qubit + kind] = statevector.undo_gate(psi, lam, kind, qubit, -1, 1.0, 0.0)
    for control in range(model.qubits):
        for target in range(model.qubits):
            if target != control:
                other[:] = psi
                statevector.entangle(other, 0, model.size, two_qubit, target, control)
                statevector.multiply(model.blocks, model.rows, model.columns, other, lam)
                place = control * (QUBITS - 1) + target - (1 if target > control else 0)
                out[place] = dot(other, lam) - energy
    return energy, mixed


@kernel
def mixedness(psi: Float64, qubits: int) -> float:
    """Mean over the qubits of 2 (1 - purity): Meyer and Wallach's entanglement, 0 for product states, at most 1."""
    size, total = len(psi) >> 1, 0.0
    for qubit in range(qubits):
        step, up, real, imag = 1 << qubit, 0.0, 0.0, 0.0
        for low in range(size):
            if low & step:
                up += psi[low] ** 2 + psi[size + low] ** 2
            else:
                a, b, x, y = psi[low], psi[size + low], psi[low + step], psi[size + low + step]
                real += a * x + b * y
                imag += a * y - b * x
        # eigenvalues of the qubit's density matrix: determinant = (1 - purity) / 2
        total += 4.0 * (up * (1.0 - up) - real * real - imag * imag)
    return total / qubits
