"""Regenerate the shipped Hamiltonians: `python -m envs.quantum.regenerate [folder]`, with the extra `chem`.

Writes one JSON file a molecule: name, title, mapping, sectors, and for each geometry the Pauli list with its SHA-256, the
exact energy, the lowest basis state and its energy. Sources of the settings: STO-3G, RHF orbitals; LiH without its two pi
orbitals, as the published files; H2O with the coordinates read as bohr (the published file) and as angstrom (water).
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from envs.quantum.chemistry import Molecule, make_molecule
from envs.quantum.problems import Problem, point_of

_log = logging.getLogger(__name__)

_H2_LENGTHS = (0.5, 0.6, 0.7, 0.7414, 0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.63)
_LIH_LENGTHS = (1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2, 3.4)
_WATER = "H -0.021 -0.002 0; O 0.835 0.452 0; H 1.477 -0.273 0"


def list_molecules() -> list[Molecule]:
    """Every geometry of every shipped molecule."""
    made = []
    for name, mapping in (("h2-2", "parity"), ("h2-3", "jordan-wigner-1"), ("h2-4", "jordan-wigner")):
        made += [_hydrogen(name, mapping, length) for length in _H2_LENGTHS]
    for name, mapping in (("lih-4", "parity"), ("lih-6", "jordan-wigner")):
        made += [_lithium_hydride(name, mapping, length) for length in _LIH_LENGTHS]
    return [*made, _water("h2o-8-paper", "bohr"), _water("h2o-8", "angstrom")]


def _hydrogen(name: str, mapping: str, length: float) -> Molecule:
    title = f"Hydrogen, {name[-1]} qubits"
    return Molecule(name=name, title=title, atoms=f"H 0 0 0; H 0 0 {length}", mapping=mapping, setting=length)


def _lithium_hydride(name: str, mapping: str, length: float) -> Molecule:
    return Molecule(
        name=name,
        title=f"Lithium hydride, {name[-1]} qubits",
        atoms=f"Li 0 0 0; H 0 0 {length}",
        active="2e3o",
        orbitals=(1, 2, 5),
        mapping=mapping,
        setting=length,
    )


def _water(name: str, unit: str) -> Molecule:
    published = " as published (coordinates read as bohr, O-H 0.51 angstrom)" if unit == "bohr" else ""
    return Molecule(
        name=name,
        title=f"Water, 8 qubits{published}",
        atoms=_WATER,
        unit=unit,
        active="4e4o",
        setting=_water_bond(unit),
    )


def _water_bond(unit: str) -> float:
    """O-H distance in angstrom (0.969, or the same number of bohr)."""
    distance: float = (0.856**2 + 0.454**2) ** 0.5
    return round(distance * (0.529177210903 if unit == "bohr" else 1.0), 4)


def write_all(folder: Path) -> None:
    """Compute every molecule and write its file into `folder`."""
    groups: dict[str, list[Problem]] = {}
    for molecule in list_molecules():
        problem = make_molecule(molecule)
        _log.info("%s at %.4f A: exact %.10f, floor %.10f", problem.name, problem.setting, problem.exact, problem.floor)
        groups.setdefault(problem.name, []).append(problem)
    for name, points in groups.items():
        text = json.dumps(_document(points), indent=None, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text.replace('{"setting"', '\n{"setting"') + "\n", encoding="utf-8")


def _document(points: list[Problem]) -> dict[str, Any]:
    first = points[0]
    return {
        "name": first.name,
        "title": first.title,
        "mapping": first.mapping,
        "sectors": first.sectors,
        "points": [point_of(problem) for problem in points],
    }


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data")
