"""Gates and circuits: plain records, batches as arrays, depth and counts, OpenQASM 3. It simulates nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.quantum.paulis import Float64, Int32

RX, RY, RZ, CNOT, CZ = range(5)
NAMES = ("RX", "RY", "RZ", "CNOT", "CZ")
_QASM = ("rx", "ry", "rz", "cx", "cz")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate. A rotation is exp(-i angle/2 P)."""

    kind: int
    """RX, RY, RZ, CNOT or CZ."""
    qubit: int
    """The qubit of a rotation, the target of a two-qubit gate."""
    control: int = -1
    angle: float = 0.0
    """Radians; 0 for two-qubit gates."""

    def __post_init__(self) -> None:
        """Refuse what no kernel may see: compiled code does not check its indices."""
        paired = self.control >= 0 and self.control != self.qubit
        if not 0 <= self.kind <= CZ or self.qubit < 0 or paired == self.is_rotation:
            raise ValueError(f"{self} is no gate: a rotation has a qubit, CNOT and CZ a qubit and another as control.")

    @property
    def is_rotation(self) -> bool:
        return self.kind <= RZ

    @property
    def wires(self) -> tuple[int, ...]:
        return (self.qubit,) if self.is_rotation else (self.control, self.qubit)


@dataclass(frozen=True, eq=False)
class CircuitBatch:
    """B circuits of up to L gates as arrays; gates from `lengths[b]` on mean nothing."""

    kinds: Int32
    """[B, L]"""
    qubits: Int32
    """[B, L]"""
    controls: Int32
    """[B, L], -1 for rotations."""
    angles: Float64
    """[B, L] radians."""
    lengths: Int32
    """[B]"""

    def __len__(self) -> int:
        return len(self.lengths)

    def circuit(self, index: int) -> tuple[Gate, ...]:
        """Gates of one circuit."""
        length = int(self.lengths[index])
        rows = (array[index, :length].tolist() for array in (self.kinds, self.qubits, self.controls, self.angles))
        return tuple(Gate(kind=k, qubit=q, control=c, angle=a) for k, q, c, a in zip(*rows, strict=True))


def empty_batch(count: int, most_gates: int) -> CircuitBatch:
    """Circuits without gates, with room for `most_gates`."""
    kinds, qubits, controls = (np.zeros((count, most_gates), dtype=np.int32) for _ in range(3))
    return CircuitBatch(kinds, qubits, controls, np.zeros((count, most_gates)), np.zeros(count, dtype=np.int32))


def pack(circuits: Sequence[Sequence[Gate]]) -> CircuitBatch:
    """Circuits as one batch, with room for the longest."""
    batch = empty_batch(len(circuits), max((len(circuit) for circuit in circuits), default=0))
    for index, circuit in enumerate(circuits):
        for place, gate in enumerate(circuit):
            batch.kinds[index, place], batch.qubits[index, place] = gate.kind, gate.qubit
            batch.controls[index, place], batch.angles[index, place] = gate.control, gate.angle
        batch.lengths[index] = len(circuit)
    return batch


def moments(circuit: Iterable[Gate]) -> list[int]:
    """Moment of each gate when all are packed as soon as possible, counted from 0."""
    busy: dict[int, int] = {}
    placed = []
    for gate in circuit:
        moment = max(busy.get(wire, 0) for wire in gate.wires)
        placed.append(moment)
        busy.update(dict.fromkeys(gate.wires, moment + 1))
    return placed


def depth(circuit: Iterable[Gate]) -> int:
    """Number of moments."""
    return max(moments(circuit), default=-1) + 1


def count_gates(circuit: Sequence[Gate]) -> tuple[int, int]:
    """Two-qubit gates, rotations."""
    rotations = sum(gate.is_rotation for gate in circuit)
    return len(circuit) - rotations, rotations


def to_qasm(circuit: Sequence[Gate], qubits: int, start: int = 0) -> str:
    """OpenQASM 3 text; `start` is the basis state that X flips prepare first."""
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;"]
    lines += [f"x q[{qubit}];" for qubit in range(qubits) if start >> qubit & 1]
    for gate in circuit:
        angle = f"({gate.angle!r})" if gate.is_rotation else ""
        lines.append(f"{_QASM[gate.kind]}{angle} " + ", ".join(f"q[{wire}]" for wire in gate.wires) + ";")
    return "\n".join(lines) + "\n"


def used_mask(circuit: Iterable[Gate], qubits: int) -> NDArray[np.bool_]:
    """[qubits] whether any gate touches the qubit."""
    mask = np.zeros(qubits, dtype=bool)
    for gate in circuit:
        mask[list(gate.wires)] = True
    return mask
