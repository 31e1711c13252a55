"""The numbering of actions, gate sets and coupling maps. Which of them are legal now is decided in legality.py.

Actions are numbered for `QUBITS` qubits whatever the problem: directed two-qubit gates first (control, then target),
then rotations (qubit, then RX, RY, RZ), then STOP. Those beyond the problem's qubits are never legal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quantum.gates import CNOT, CZ, RX, RY, RZ

QUBITS = 8
"""Largest number of qubits that the family's worlds hold."""
PAIRS = QUBITS * (QUBITS - 1)
STOP = PAIRS + 3 * QUBITS
COUNT = STOP + 1

GATE_SETS = ((RX, RY, RZ, CNOT), (RY, CNOT), (RX, RY, RZ, CZ))
COUPLINGS = ("all pairs", "line", "ring")
Mask = NDArray[np.bool_]


def decode(action: int, two_qubit: int = CNOT) -> tuple[int, int, int]:
    """Kind, qubit and control (-1 for a rotation) of an action other than STOP."""
    if action >= PAIRS:
        return (action - PAIRS) % 3, (action - PAIRS) // 3, -1
    control, place = divmod(action, QUBITS - 1)
    return two_qubit, place + (place >= control), control


def encode(kind: int, qubit: int, control: int = -1) -> int:
    """Number of the action that adds this gate."""
    if kind <= RZ:
        return PAIRS + 3 * qubit + kind
    return control * (QUBITS - 1) + qubit - (qubit > control)


def allowed(qubits: int, gate_set: int, coupling: int) -> Mask:
    """[COUNT] actions that the machine has at all; STOP included."""
    kinds = GATE_SETS[gate_set]
    mask = np.zeros(COUNT, dtype=bool)
    mask[STOP] = True
    for action in range(STOP):
        kind, qubit, control = decode(action, kinds[-1])
        fits = max(qubit, control) < qubits and kind in kinds
        mask[action] = fits and (control < 0 or _coupled(control, qubit, qubits, coupling))
    return mask


def _coupled(one: int, two: int, qubits: int, coupling: int) -> bool:
    gap = abs(one - two)
    return coupling == 0 or gap == 1 or (coupling == 2 and gap == qubits - 1)
