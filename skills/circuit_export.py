"""Circuits as text: OpenQASM 3 and a drawing, from the plain gates that a policy of kind `circuit` stores.

A gate is `{"gate": "RY", "qubit": 0, "angle": 0.2}` or `{"gate": "CNOT", "control": 0, "qubit": 1}`. Nothing is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from skills.artifact import ArtifactError

Gates = Sequence[Mapping[str, Any]]
_ROTATIONS = {"RX": "rx", "RY": "ry", "RZ": "rz"}
_PAIRS = {"CNOT": "cx", "CZ": "cz"}
_MOST_QUBITS = 64


def check_gates(gates: Gates, qubits: int) -> None:
    """Raise `ArtifactError` unless every gate is known, on its qubits, and has a finite angle where it turns."""
    if not 1 <= qubits <= _MOST_QUBITS:
        raise ArtifactError(f"a circuit of {qubits} qubits: expected 1 to {_MOST_QUBITS}")
    for place, gate in enumerate(gates):
        name, wires = gate.get("gate"), _wires(gate)
        turning = name in _ROTATIONS
        fits = all(isinstance(wire, int) and 0 <= wire < qubits for wire in wires)
        if not (turning or name in _PAIRS) or not fits or len(set(wires)) != (1 if turning else 2):
            raise ArtifactError(f"gate {place} of the circuit, {dict(gate)}, is not one on qubits 0 to {qubits - 1}")
        if turning and not math.isfinite(float(gate.get("angle", math.nan))):
            raise ArtifactError(f"gate {place} of the circuit has no finite angle")


def to_qasm(gates: Gates, qubits: int, *, start: int = 0, comments: Sequence[str] = ()) -> str:
    """OpenQASM 3 text; X gates prepare the basis state `start` (bit q is qubit q) first."""
    check_gates(gates, qubits)
    lines = ["OPENQASM 3.0;", *(f"// {' '.join(text.split())}" for text in comments)]
    lines += ['include "stdgates.inc";', f"qubit[{qubits}] q;"]
    lines += [f"x q[{qubit}];" for qubit in range(qubits) if start >> qubit & 1]
    for gate in gates:
        operands = ", ".join(f"q[{wire}]" for wire in _wires(gate))
        if gate["gate"] in _ROTATIONS:
            lines.append(f"{_ROTATIONS[gate['gate']]}({float(gate['angle'])!r}) {operands};")
        else:
            lines.append(f"{_PAIRS[gate['gate']]} {operands};")
    return "\n".join(lines) + "\n"


def draw(gates: Gates, qubits: int, *, start: int = 0) -> str:
    """Draw the circuit in plain characters, a line a qubit and gates packed to the left; angles in units of pi.

    `o` is a control, `X` the target of a CNOT, `Z` that of a CZ, `|` a wire that a gate passes.
    """
    check_gates(gates, qubits)
    columns: list[dict[int, str]] = []
    busy = [0] * qubits
    for gate in gates:
        wires = _wires(gate)
        spanned = range(min(wires), max(wires) + 1)
        column = max(busy[wire] for wire in spanned)
        if column == len(columns):
            columns.append({})
        columns[column].update({wire: "|" for wire in spanned if wire not in wires})
        columns[column].update(_symbols(gate))
        for wire in spanned:
            busy[wire] = column + 1
    return "\n".join(_line(qubit, columns, qubits, start >> qubit & 1) for qubit in range(qubits)) + "\n"


def _line(qubit: int, columns: list[dict[int, str]], qubits: int, bit: int) -> str:
    label = f"q{qubit}".ljust(len(str(qubits - 1)) + 1)
    cells = []
    for column in columns:
        width = max(len(symbol) for symbol in column.values())
        cells.append(column.get(qubit, "").center(width, "-"))
    return f"{label} |{bit}> -" + "--".join(cells) + "-"


def _symbols(gate: Mapping[str, Any]) -> dict[int, str]:
    if gate["gate"] in _ROTATIONS:
        return {gate["qubit"]: f"{gate['gate']}({float(gate['angle']) / math.pi:+.3f})"}
    return {gate["control"]: "o", gate["qubit"]: "X" if gate["gate"] == "CNOT" else "Z"}


def _wires(gate: Mapping[str, Any]) -> list[Any]:
    return [gate["control"], gate.get("qubit")] if "control" in gate else [gate.get("qubit")]


def describe(spec: Mapping[str, Any]) -> list[str]:
    """What the spec of a circuit says of its result, a line each: energies with their errors, floor, counts, sector."""
    lines = [f"{spec.get('title', spec.get('problem', 'circuit'))}, {spec['qubits']} qubits"]
    if {"energy", "exact"} <= set(spec):
        lines.append(
            f"energy {spec['energy']:.10f}, {1e3 * (spec['energy'] - spec['exact']):+.4f} milli from the exact {spec['exact']:.10f}"
        )
        if spec.get("noisy_energy", spec["energy"]) != spec["energy"]:
            error = 1e3 * (spec["noisy_energy"] - spec["exact"])
            lines.append(
                f"energy under the task's noise {spec['noisy_energy']:.10f}, {error:+.4f} milli from the exact one"
            )
        if "floor" in spec:
            lines.append(f"Hartree-Fock floor {spec['floor']:.10f}, {1e3 * (spec['floor'] - spec['exact']):+.4f} milli")
    if counts := spec.get("counts"):
        lines.append(", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items()))
    if sector := spec.get("sector"):
        lines.append(
            "state found: " + ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in sector.items())
        )
    if digest := spec.get("hamiltonian_sha256"):
        lines.append(f"Hamiltonian SHA-256 {digest}")
    return lines


def circuit_files(spec: Mapping[str, Any]) -> dict[str, str]:
    """Text files of a circuit's export: name -> content. Empty for a policy of another kind."""
    if spec.get("kind") != "circuit":
        return {}
    told, start = describe(spec), int(spec.get("start", 0))
    picture = draw(spec["gates"], spec["qubits"], start=start)
    return {
        "circuit.qasm": to_qasm(spec["gates"], spec["qubits"], start=start, comments=told),
        "circuit.txt": picture + "\n" + "\n".join(told) + "\n",
    }
