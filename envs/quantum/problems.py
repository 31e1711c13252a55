"""The problems: shipped molecular Hamiltonians (data/*.json) and spin chains, each with its exact energy and floor.

Energies are in hartree for molecules and in units of the coupling for chains. The floor is the lowest energy of any
basis state, which one X flip a qubit reaches without entanglement; for these molecules it is the Hartree-Fock energy
or, where the orbitals say so, lower. It simulates nothing.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from envs.quantum.paulis import Float64, SparseMatrix, Term, check_terms, digest_terms, sparse_matrix, weigh

MAX_QUBITS = 12
"""Exact diagonalisation is dense: 12 qubits take 134 MB, 14 would take 2.1 GB."""
MOLECULES = ("h2-2", "h2-3", "h2-4", "lih-4", "lih-6", "h2o-8-paper", "h2o-8")
CHAINS = ("tfim-4", "tfim-6", "heisenberg-4", "heisenberg-5")
PROBLEMS = (*MOLECULES, *CHAINS)
"""In the order of the task parameter `problem`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """One Hamiltonian with what is known about it."""

    name: str
    title: str
    qubits: int
    terms: tuple[Term, ...]
    exact: float
    """Lowest eigenvalue of the whole matrix."""
    floor: float
    """Lowest energy of a basis state."""
    floor_state: int
    """Index of that basis state."""
    setting: float
    """Bond length in angstrom for a molecule, field in units of the coupling for a chain."""
    geometry: str = ""
    mapping: str = ""
    sectors: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    """Conserved quantities as Pauli lists: `electrons` and `spin_z`, where the mapping keeps them."""

    @property
    def digest(self) -> str:
        return digest_terms(self.terms)

    @property
    def matrix(self) -> SparseMatrix:
        return _matrix(self.terms)

    @property
    def weights(self) -> Float64:
        return weigh(self.terms)

    @property
    def floor_error(self) -> float:
        """Energy of the best basis state above the exact energy."""
        return self.floor - self.exact


def load_problem(name: str, setting: float | None = None) -> Problem:
    """Return a problem by name, at the shipped bond length nearest to `setting` (or at that field, for a chain).

    Raises `ValueError` with the nearest name when there is none of that name.
    """
    head, _, count = name.partition("-")
    if head in _CHAIN_TERMS and count.isdigit():
        return make_chain(head, int(count), 1.0 if setting is None else setting)
    if name not in MOLECULES:
        near = difflib.get_close_matches(name, PROBLEMS, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown quantum problem {name!r}. {hint}Known: {', '.join(PROBLEMS)}.")
    points = _read(name)
    wanted = _DEFAULT_SETTING.get(name, points[0].setting) if setting is None else setting
    return min(points, key=lambda point: abs(point.setting - wanted))


def list_settings(name: str) -> tuple[float, ...]:
    """Bond lengths in angstrom at which molecule `name` is shipped, ascending."""
    return tuple(point.setting for point in _read(name))


def make_problem(name: str, terms: Sequence[Term], **known: Any) -> Problem:
    """Build a problem from real Pauli terms: exact energy and floor by dense diagonalisation.

    Raises `ValueError` when the terms are no real Hamiltonian or have more than `MAX_QUBITS` qubits.
    """
    qubits = check_terms(terms)
    if qubits > MAX_QUBITS:
        gigabytes = 8 * 4.0**qubits / 1e9
        raise ValueError(
            f"{name} has {qubits} qubits: exact diagonalisation would take {gigabytes:,.1f} GB. At most {MAX_QUBITS} fit; "
            f"choose a smaller active space or a mapping that removes qubits."
        )
    dense = sparse_matrix(terms).to_dense()
    diagonal = np.diag(dense)
    return Problem(
        name=name,
        title=known.pop("title", name),
        qubits=qubits,
        terms=tuple((letters, float(value)) for letters, value in terms),
        exact=float(np.linalg.eigvalsh(dense)[0]),
        floor=float(diagonal.min()),
        floor_state=int(diagonal.argmin()),
        setting=float(known.pop("setting", 0.0)),
        **known,
    )


@cache
def make_chain(kind: str, sites: int, field_strength: float) -> Problem:
    """An open chain of 2 to 8 sites: `tfim` (-sum ZZ - g sum X) or `heisenberg` (sum XX+YY+ZZ + g sum Z)."""
    if not 2 <= sites <= 8:
        raise ValueError(f"a {kind} chain of {sites} sites is not shipped; give 2 to 8 sites.")
    pair_letters, single_letter, sign = _CHAIN_TERMS[kind]
    terms: list[Term] = []
    for site in range(sites - 1):
        terms += [("I" * site + 2 * letter + "I" * (sites - site - 2), sign) for letter in pair_letters]
    for site in range(sites):
        terms.append(("I" * site + single_letter + "I" * (sites - site - 1), sign * field_strength))
    title = f"{_CHAIN_TITLES[kind]}, {sites} sites, field {field_strength:g}"
    return make_problem(f"{kind}-{sites}", terms, title=title, setting=field_strength)


_CHAIN_TERMS = {"tfim": ("Z", "X", -1.0), "heisenberg": ("XYZ", "Z", 1.0)}
_CHAIN_TITLES = {"tfim": "Transverse-field Ising chain", "heisenberg": "Heisenberg chain"}
_DEFAULT_SETTING = {"h2-2": 0.7414, "h2-3": 0.7414, "h2-4": 0.7414, "lih-4": 2.2, "lih-6": 2.2}


@cache
def _read(name: str) -> tuple[Problem, ...]:
    """Read data/<name>.json; raises `ValueError` when a Pauli list does not have the digest that is written beside it."""
    document = json.loads(files("envs.quantum").joinpath("data", f"{name}.json").read_text(encoding="utf-8"))
    points = sorted((problem_from(document, point) for point in document["points"]), key=lambda point: point.setting)
    return tuple(points)


def problem_from(document: Mapping[str, Any], point: Mapping[str, Any]) -> Problem:
    """One geometry of a problem file; raises `ValueError` when its Pauli list does not have the digest beside it."""
    terms = tuple((letters, float(value)) for letters, value in point["terms"])
    check_terms(terms)
    if digest_terms(terms) != point["sha256"]:
        raise ValueError(f"the Hamiltonian {document['name']} at {point['setting']} A is damaged: its digest differs.")
    return Problem(
        name=document["name"],
        title=document["title"],
        qubits=len(terms[0][0]),
        terms=terms,
        exact=point["exact"],
        floor=point["floor"],
        floor_state=point["floor_state"],
        setting=point["setting"],
        geometry=point["geometry"],
        mapping=document["mapping"],
        sectors={
            key: tuple((letters, float(v)) for letters, v in listed) for key, listed in document["sectors"].items()
        },
    )


def point_of(problem: Problem) -> dict[str, Any]:
    """What a problem file holds of one geometry; `problem_from` reads it."""
    return {
        "setting": problem.setting,
        "geometry": problem.geometry,
        "exact": round(problem.exact, 11),
        "floor": round(problem.floor, 11),
        "floor_state": problem.floor_state,
        "sha256": problem.digest,
        "terms": problem.terms,
    }


@cache
def _matrix(terms: tuple[Term, ...]) -> SparseMatrix:
    return sparse_matrix(terms)
