"""A circuit as a policy artifact: energies with and without noise, gate counts, sector, and how to play it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.quantum.actions import COUNT, STOP
from envs.quantum.batch import MOST_GATES
from envs.quantum.energies import energies, expectation, state_of
from envs.quantum.gates import NAMES, Gate, count_gates, depth, pack
from envs.quantum.machine import Machine
from envs.quantum.optimise import lbfgs

_TOTALS = COUNT + 2 * STOP
_SHARE, _LEFT = _TOTALS + 1, _TOTALS + 2
"""Where an observation tells gates / limit and gates left (encoding.py, batch.py)."""


def make_spec(
    machine: Machine, circuit: tuple[Gate, ...], actions: list[int], search: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Spec and tensors of kind `circuit`; the angles are settled a last time for the machine's own energy."""
    problem = machine.problem
    circuit = lbfgs(machine.measured, circuit, iterations=300, tolerance=1e-9).circuit
    batch = pack([circuit])
    energy, measured = (float(energies(model, batch)[0]) for model in (machine.true, machine.measured))
    pairs, rotations = count_gates(circuit)
    psi = state_of(machine.true, circuit)
    spec = {
        **playback(actions),
        "gates": [_gate(gate) for gate in circuit],
        "qubits": problem.qubits,
        "start": machine.true.start,
        "problem": problem.name,
        "title": problem.title,
        "setting": float(problem.setting),
        "hamiltonian_sha256": problem.digest,
        "energy": energy,
        "noisy_energy": measured,
        "exact": float(problem.exact),
        "floor": float(problem.floor),
        "error": energy - float(problem.exact),
        "threshold": machine.params.threshold_energy,
        "is_accurate": abs(energy - problem.exact) < machine.params.threshold_energy,
        "counts": {
            "gates": len(circuit), "two_qubit_gates": pairs, "rotations": rotations, "depth": depth(circuit),
        },
        "sector": {name: expectation(terms, psi) if terms else 0.0 for name, terms in problem.sectors.items()},
        "task_params": machine.params.model_dump(),
        "search": search,
    }  # fmt: skip
    return spec, {"angles": np.array([gate.angle for gate in circuit], dtype=np.float32)}


def playback(actions: list[int]) -> dict[str, Any]:
    """The part of the spec that is needed to play it."""
    progress = {"share": _SHARE, "left": _LEFT, "left_scale": float(MOST_GATES)}
    return {"kind": "circuit", "actions": actions, "stop": STOP, "progress": progress}


def _gate(gate: Gate) -> dict[str, Any]:
    if gate.is_rotation:
        return {"gate": NAMES[gate.kind], "qubit": gate.qubit, "angle": gate.angle}
    return {"gate": NAMES[gate.kind], "control": gate.control, "qubit": gate.qubit}
