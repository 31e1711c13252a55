"""Which actions may be taken after a circuit: the published rule, and a stronger one. Kernels only."""

from __future__ import annotations

import numpy as np

from envs.quantum.actions import PAIRS, QUBITS, STOP, Mask
from envs.quantum.compiled import kernel
from envs.quantum.paulis import Int32


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
    whose control is still |0>; CZ on a qubit still in |0>, or on two still in basis states (beside a |1> it acts as Z).
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
        idle = kind == 2 and fixed[qubit]
        idle = idle or (kind == 3 and fixed[control] and not value >> control & 1)
        if kind == 4:
            down = (fixed[control] and not value >> control & 1) or (fixed[qubit] and not value >> qubit & 1)
            idle = down or (fixed[control] and fixed[qubit])
        if idle:
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
