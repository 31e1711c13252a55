"""Circuits as OpenQASM 3 and as a drawing, by hand; an exported circuit skill; refusals of damaged gates."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skills import play
from skills.artifact import ArtifactError, save_policy
from skills.circuit_export import circuit_files, describe, draw, to_qasm
from skills.export import export_artifact
from skills.shelf import FILES
from skills.skill import Skill

GATES: list[dict[str, Any]] = [
    {"gate": "RY", "qubit": 0, "angle": math.pi / 2},
    {"gate": "CNOT", "control": 0, "qubit": 2},
    {"gate": "RZ", "qubit": 1, "angle": -math.pi},
    {"gate": "CZ", "control": 2, "qubit": 1},
]
SPEC: dict[str, Any] = {
    "kind": "circuit", "gates": GATES, "qubits": 3, "start": 2, "problem": "h2-3", "title": "Hydrogen, 3 qubits",
    "energy": -1.137, "exact": -1.1372, "floor": -1.1167, "noisy_energy": -1.13, "hamiltonian_sha256": "ab" * 32,
    "counts": {"gates": 4, "two_qubit_gates": 2}, "sector": {"electrons": 2.0, "spin_z": 0.0},
}  # fmt: skip


def test_qasm_by_hand() -> None:
    assert to_qasm(GATES, 3, start=2, comments=["one\nline"]).splitlines() == [
        "OPENQASM 3.0;",
        "// one line",
        'include "stdgates.inc";',
        "qubit[3] q;",
        "x q[1];",
        "ry(1.5707963267948966) q[0];",
        "cx q[0], q[2];",
        "rz(-3.141592653589793) q[1];",
        "cz q[2], q[1];",
    ]


def test_drawing_by_hand() -> None:
    assert draw(GATES, 3, start=2).splitlines() == [
        "q0 |0> -RY(+0.500)--o----------------",
        "q1 |1> -------------|--RZ(-1.000)--Z-",
        "q2 |0> -------------X--------------o-",
    ]
    assert draw([], 1) == "q0 |0> --\n"


def test_words_about_the_result() -> None:
    told = "\n".join(describe(SPEC))
    for part in ("+0.2000 milli", "noise -1.1300000000, +7.2000 milli", "+20.5000 milli", "2 two qubit gates", "abab"):
        assert part in told


@pytest.mark.parametrize(
    "gate",
    [
        {"gate": "H", "qubit": 0},
        {"gate": "RY", "qubit": 3, "angle": 0.1},
        {"gate": "RY", "qubit": 0, "angle": math.nan},
        {"gate": "RY", "qubit": 0},
        {"gate": "CNOT", "control": 1, "qubit": 1},
        {"gate": "CNOT", "qubit": 1},
        {"gate": "CZ", "control": "0", "qubit": 1},
    ],
)
def test_damaged_gates_are_refused(gate: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="gate 0"):
        to_qasm([gate], 3)


def test_an_exported_circuit_skill_prints_itself(tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    save_policy(artifact, SPEC, {"angles": np.zeros(4, dtype=np.float32)})
    for name in set(FILES) - {path.name for path in artifact.iterdir()}:
        (artifact / name).write_text("{}")
    skill = Skill.model_construct(  # type: ignore[call-arg]  # only what the README shows
        name="h2", version=1, id="x", description="ground state", family="quantum", region={}, episodes=20,
        success_rate=1.0, success_low=0.8, success_high=1.0, task={"horizon": 40}, fitness_iqm=1.4, fitness_low=1.4, fitness_high=1.4,
        native_return_mean=5.0, artifact_digest="d",
    )  # fmt: skip
    folder = export_artifact(skill, artifact, tmp_path / "out")
    assert (folder / "circuit.qasm").read_text() == circuit_files(SPEC)["circuit.qasm"]
    assert "OpenQASM 3" in (folder / "README.md").read_text()
    done = subprocess.run([sys.executable, "play.py"], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == (folder / "circuit.txt").read_text()
    assert "q0 |0> -RY(+0.500)--o" in done.stdout
    with pytest.raises(ValueError, match="circuit"):
        play.load(folder)


def test_other_policies_have_no_circuit() -> None:
    assert circuit_files({"kind": "mlp"}) == {}
