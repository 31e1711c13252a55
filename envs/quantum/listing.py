"""Every problem as a row of facts, for people and for `--json`. Needs no compiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envs.quantum.problems import MOLECULES, PROBLEMS, Problem, list_settings, load_problem
from envs.quantum.stored import list_stored, load_stored


def list_problems(home: Path | None = None) -> list[dict[str, Any]]:
    """Facts of every shipped geometry, every chain at field 1, and every made problem in `home`."""
    shipped = [
        {"problem": index, **problem_facts(load_problem(name, setting))}
        for index, name in enumerate(PROBLEMS)
        for setting in (list_settings(name) if name in MOLECULES else (1.0,))
    ]
    made = [{"family": f"quantum:{name}", **problem_facts(load_stored(name, home))} for name in list_stored(home)]
    return shipped + made


def problem_facts(problem: Problem) -> dict[str, Any]:
    """What is known of one problem; energies in hartree for molecules and in units of the coupling for chains."""
    return {
        "name": problem.name,
        "title": problem.title,
        "setting": problem.setting,
        "geometry": problem.geometry,
        "mapping": problem.mapping,
        "qubits": problem.qubits,
        "electrons": count_electrons(problem),
        "terms": len(problem.terms),
        "exact": problem.exact,
        "hartree_fock_floor": problem.floor,
        "floor_error_mha": 1e3 * problem.floor_error,
        "floor_state": format(problem.floor_state, f"0{problem.qubits}b"),
        "sha256": problem.digest,
    }


def count_electrons(problem: Problem) -> int | None:
    """Active electrons, counted in the best basis state; none for chains."""
    if "electrons" not in problem.sectors:
        return None
    state, total = problem.floor_state, 0.0
    for letters, value in problem.sectors["electrons"]:
        if set(letters) <= {"I", "Z"}:
            ones = sum(1 for qubit, letter in enumerate(letters) if letter == "Z" and state >> qubit & 1)
            total += -value if ones % 2 else value
    return round(total)
