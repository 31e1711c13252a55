"""What may be added next: numbering of actions, legality rules, coupling maps. It changes no circuit.

Actions are numbered for `QUBITS` qubits whatever the problem: directed two-qubit gates first (control, then target),
then rotations (qubit, then RX, RY, RZ), then STOP. Those beyond the problem's qubits are never legal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quantum.compiled import kernel
from envs.quantum.gates import CNOT, CZ, RX, RY, RZ
from envs.quantum.paulis import Int32

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


@kernel
def published_rule(kinds: Int32, qubits: Int32, controls: Int32, count: int, mask: Mask) -> None:
    """Clear every action that repeats the newest gate on all of its wires (the rule of the published environment)."""
    for action in range(STOP):
        if not mask[action]:
            continue
        pair = action < PAIRS
        control = action // (QUBITS - 1) if pair else -1
        place = action % (QUBITS - 1)
        qubit = place + (1 if place >= control else 0) if pair else (action - PAIRS) // 3
        for g in range(count - 1, -1, -1):
            touches = qubits[g] == qubit or controls[g] == qubit
            touches = touches or (pair and (qubits[g] == control or controls[g] == control))
            if touches:
                same = qubits[g] == qubit and controls[g] == control
                if same and (pair == (kinds[g] > 2)) and (pair or kinds[g] == (action - PAIRS) % 3):
                    mask[action] = False
                break


@kernel
def _commutes(kind: int, qubit: int, control: int, old: int, target: int, source: int) -> bool:
    """Whether a new gate commutes with an `old` one (`source` controls it) that shares a wire; False when unsure."""
    # what each gate does on a wire: 0 X-like, 1 Y-like, 2 Z-like; equal letters on every shared wire commute
    for wire in (qubit, control):
        if wire < 0 or (wire != target and wire != source):
            continue
        mine = 2 if wire == control else (kind if kind <= 2 else (0 if kind == 3 else 2))
        other = 2 if wire == source else (old if old <= 2 else (0 if old == 3 else 2))
        if mine != other:
            return False
    return True


@kernel
def strong_rule(
    kinds: Int32, qubits: Int32, controls: Int32, count: int, two_qubit: int, start: int, mask: Mask
) -> None:
    """Clear every action that provably adds nothing.

    These are: a gate equal to an earlier one with only commuting gates between; RZ on a qubit still in a basis state; CNOT
    whose control is still |0>; CZ on a qubit still in a basis state.
    """
    fixed = np.ones(QUBITS, dtype=np.bool_)
    value = start
    for g in range(count):
        kind, qubit, control = kinds[g], qubits[g], controls[g]
        if kind == 0 or kind == 1:
            fixed[qubit] = False
        elif kind == 3 and fixed[control]:
            if value >> control & 1:
                value ^= 1 << qubit
        elif kind == 3:
            fixed[qubit] = False
    for action in range(STOP):
        if not mask[action]:
            continue
        pair = action < PAIRS
        control = action // (QUBITS - 1) if pair else -1
        place = action % (QUBITS - 1)
        qubit = place + (1 if place >= control else 0) if pair else (action - PAIRS) // 3
        kind = two_qubit if pair else (action - PAIRS) % 3
        if kind == 2 and fixed[qubit]:
            mask[action] = False
        elif kind == 3 and fixed[control] and not value >> control & 1:
            mask[action] = False
        elif kind == 4 and (fixed[control] or fixed[qubit]):
            mask[action] = False
        else:
            for g in range(count - 1, -1, -1):
                old, target, source = kinds[g], qubits[g], controls[g]
                same = old == kind and target == qubit and source == control
                if same or (kind == 4 and old == 4 and target == control and source == qubit):
                    mask[action] = False
                    break
                if not _commutes(kind, qubit, control, old, target, source):
                    break
