"""Rules that shorten a circuit without looking at its energy: merge, cancel and drop gates by what commutes with what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from envs.quantum.gates import CNOT, CZ, RX, RZ, Gate

_SMALL = 1e-9


def letter(gate: Gate, wire: int) -> int:
    """What a gate does on one of its wires: 0 X-like, 1 Y-like, 2 Z-like. Equal letters on all shared wires commute."""
    if gate.is_rotation:
        return gate.kind
    return RX if gate.kind == CNOT and wire == gate.qubit else RZ


def commutes(one: Gate, other: Gate) -> bool:
    """Whether two gates are seen to commute; False when unsure."""
    return all(letter(one, wire) == letter(other, wire) for wire in one.wires if wire in other.wires)


def simplify(circuit: Sequence[Gate], start: int = 0) -> tuple[Gate, ...]:
    """The same state from basis state `start` with fewer gates, where a rule sees how.

    Equal rotations merge and equal two-qubit gates cancel when all gates between commute with them; a rotation by no
    angle, RZ on a wire still in a basis state, and two-qubit gates with a control still in 0 are dropped.
    """
    kept: list[Gate] = []
    for gate in circuit:
        _append(kept, gate, start)
    shorter = tuple(kept)
    return shorter if len(shorter) == len(circuit) else simplify(shorter, start)


def is_simple(circuit: Sequence[Gate], start: int = 0) -> bool:
    """Whether no rule shortens the circuit, whatever its angles."""
    kept: list[Gate] = []
    return all(_append(kept, gate if gate.angle else _turned(gate), start) for gate in circuit)


def _turned(gate: Gate) -> Gate:
    return replace(gate, angle=1.0) if gate.is_rotation else gate


def _append(kept: list[Gate], gate: Gate, start: int) -> bool:
    """Add a gate by the rules; False when that made the circuit shorter than by simply adding it."""
    if _is_idle(kept, gate, start):
        return False
    for place in range(len(kept) - 1, -1, -1):
        old = kept[place]
        if _same(old, gate):
            angle = old.angle + gate.angle
            if gate.is_rotation and abs(math.remainder(angle, 2.0 * math.pi)) > _SMALL:
                kept[place] = replace(old, angle=math.remainder(angle, 2.0 * math.pi))
            else:
                del kept[place]
            return False
        if not commutes(old, gate):
            break
    kept.append(gate)
    return True


def _same(old: Gate, gate: Gate) -> bool:
    wires = set(old.wires) == set(gate.wires) if gate.kind == CZ else old.wires == gate.wires
    return old.kind == gate.kind and wires


def _is_idle(kept: Sequence[Gate], gate: Gate, start: int) -> bool:
    if gate.is_rotation and abs(math.remainder(gate.angle, 2.0 * math.pi)) <= _SMALL:
        return True
    still = [wire for wire in gate.wires if not any(_moves(old, wire) for old in kept)]
    if gate.kind == RZ:
        return bool(still)
    if gate.kind == CZ:  # a control in 1 still turns the other wire
        return len(still) == 2 or any(not start >> wire & 1 for wire in still)
    return gate.kind == CNOT and gate.control in still and not start >> gate.control & 1


def _moves(gate: Gate, wire: int) -> bool:
    """Whether a gate may take a wire out of its basis state."""
    return wire == gate.qubit and gate.kind not in (RZ, CZ)
