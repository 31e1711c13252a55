"""A circuit's two-qubit gates with every rotation that could stand between them: the first thing to make small.

With a rotation on each wire before and after every two-qubit gate the angles alone decide how good a skeleton is, so
skeletons can be compared; which rotations are needed is a question for pruning afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.quantum.gates import CZ, Gate
from envs.quantum.settle import Machines, accurate, settle

Circuit = tuple[Gate, ...]
_STARTS = 4


def skeleton_of(circuit: Sequence[Gate]) -> Circuit:
    """The two-qubit gates in their order."""
    return tuple(gate for gate in circuit if not gate.is_rotation)


def saturate(circuit: Sequence[Gate], qubits: int, turn: int) -> Circuit:
    """Put a rotation of kind `turn` on every wire at the start, and on both wires after each two-qubit gate.

    Angles of rotations of that kind are kept; other rotations are left out.
    """
    full = [Gate(kind=turn, qubit=qubit) for qubit in range(qubits)]
    newest = list(range(qubits))
    for gate in circuit:
        if gate.kind == turn:
            place = newest[gate.qubit]
            full[place] = Gate(kind=turn, qubit=gate.qubit, angle=full[place].angle + gate.angle)
        elif not gate.is_rotation:
            full.append(gate)
            for wire in gate.wires:
                newest[wire] = len(full)
                full.append(Gate(kind=turn, qubit=wire))
    return tuple(full)


def is_lean(skeleton: Sequence[Gate], start: int = 0) -> bool:
    """Whether no two-qubit gate is the same as the one before it on both of its wires."""
    last: dict[int, Gate] = {}
    for gate in skeleton:
        old = last.get(gate.qubit)
        if old is not None and old is last.get(gate.control) and _equal(old, gate):
            return False
        last.update(dict.fromkeys(gate.wires, gate))
    return True


def _equal(one: Gate, other: Gate) -> bool:
    return one.wires == other.wires or one.kind == CZ


def change_skeleton(full: Sequence[Gate], pairs: Sequence[Gate], qubits: int, rng: np.random.Generator) -> Circuit:
    """Another saturated circuit with as many two-qubit gates: one or two of them replaced, moved or turned round.

    Rotations keep their angles as far as they still have a place. `pairs` are the two-qubit gates that there are.
    """
    turn = full[0].kind
    for _ in range(20):
        changed = list(full)
        for _ in range(2 if rng.random() < 0.3 else 1):
            places = [place for place, gate in enumerate(changed) if not gate.is_rotation]
            gate = changed.pop(int(rng.choice(places)))
            if rng.random() < 0.6:
                gate = pairs[int(rng.integers(len(pairs)))]
            changed.insert(int(rng.integers(len(changed) + 1)), gate)
        if is_lean(skeleton_of(changed)):
            break
    return saturate(changed, qubits, turn)


def fill(
    machines: Machines, circuit: Sequence[Gate], qubits: int, turn: int, rng: np.random.Generator
) -> tuple[Circuit | None, int]:
    """Saturate an accurate circuit and set its angles; None when it is not accurate so. Second: evaluations made."""
    settled = settle(machines.true, [saturate(circuit, qubits, turn)] * _STARTS, rng, enough=machines.limit, spread=1.0)
    found, more = accurate(machines, settled, rng)
    return (found[0] if found else None), settled.evaluations + more
