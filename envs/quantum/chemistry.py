"""Molecules to qubit Hamiltonians with PySCF and OpenFermion (extra `chem`): RHF/STO-3G, active space, mapping.

It does what the published benchmark files were made with; it needs no chemistry package once the lists are made.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from envs.quantum.paulis import Term
from envs.quantum.problems import MAX_QUBITS, Problem, make_problem

MAPPINGS = ("jordan-wigner", "parity", "jordan-wigner-1")
"""`parity` removes two qubits by symmetry (symmetry-conserving Bravyi-Kitaev); `jordan-wigner-1` tapers one off."""
_TINY = 1e-10


@dataclass(frozen=True, kw_only=True)
class Molecule:
    """What to build a Hamiltonian from."""

    name: str
    atoms: str
    """`Li 0 0 0; H 0 0 2.2`: element and coordinates, atoms separated by semicolons."""
    unit: str = "angstrom"
    """`angstrom` or `bohr`."""
    active: str = ""
    """`2e3o`: electrons and spatial orbitals kept; empty for all of them."""
    orbitals: tuple[int, ...] = ()
    """The spatial orbitals to keep, counted from 0 by energy; those next to the Fermi level when empty."""
    mapping: str = "jordan-wigner"
    basis: str = "sto-3g"
    charge: int = 0
    title: str = ""
    setting: float = 0.0
    """Bond length in angstrom, for the shipped tables."""


def make_molecule(molecule: Molecule) -> Problem:
    """Compute the Hamiltonian and its exact energy.

    Raises `ValueError` with one line for a geometry that cannot be read, an odd number of electrons, an active space that
    does not fit, an unknown mapping or too many qubits, and `ImportError` naming the extra when a package is missing.
    """
    pyscf, openfermion = _require("pyscf"), _require("openfermion")
    if molecule.mapping not in MAPPINGS:
        raise ValueError(f"unknown mapping {molecule.mapping!r}; choose one of {', '.join(MAPPINGS)}.")
    atoms = _build(pyscf, molecule)
    electrons, frozen, kept = _choose_active(molecule, atoms.nelectron, int(atoms.nao))
    modes = 2 * len(kept)
    _check_size(molecule, modes)
    fermions = _fermion_operator(openfermion, atoms, frozen, kept)
    terms = _map(openfermion, fermions, modes, electrons, molecule.mapping)
    counted = {
        "electrons": openfermion.number_operator(modes),
        "spin_z": openfermion.hamiltonians.sz_operator(modes // 2),
    }
    sectors = {name: _map(openfermion, op, modes, electrons, molecule.mapping) for name, op in counted.items()}
    return make_problem(
        molecule.name,
        terms,
        title=molecule.title or molecule.name,
        setting=molecule.setting,
        geometry=f"{molecule.atoms} ({molecule.unit})",
        mapping=molecule.mapping,
        sectors={name: tuple(listed) for name, listed in sectors.items()},
    )


def _require(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(
            f"making a molecule needs {package}: install the extra with pip install 'rl-experimenter[chem]'."
        ) from None


def _build(pyscf: Any, molecule: Molecule) -> Any:
    gto = import_module("pyscf.gto")
    listed = [part.strip() for part in molecule.atoms.split(";") if part.strip()]
    if not listed:
        raise ValueError("a molecule needs at least one atom, such as 'H 0 0 0; H 0 0 0.74'.")
    for atom in listed:
        if not re.fullmatch(r"[A-Z][a-z]?(\s+[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?){3}", atom):
            raise ValueError(f"atom {atom!r} is not an element and three numbers, such as 'H 0 0 0.74'.")
    _check_apart(listed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error says it
            return gto.M(
                atom=molecule.atoms,
                basis=molecule.basis,
                unit=molecule.unit,
                charge=molecule.charge,
                spin=None,
                verbose=0,
            )
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{pyscf.__name__} cannot build the molecule {molecule.atoms!r}: {reason}") from None


def _check_apart(atoms: Sequence[str]) -> None:
    """Raise `ValueError` when two atoms lie on one another."""
    places = [tuple(float(number) for number in atom.split()[1:]) for atom in atoms]
    for index, one in enumerate(places):
        for other in range(index):
            if math.dist(one, places[other]) < 0.1:
                raise ValueError(f"atoms {atoms[other]!r} and {atoms[index]!r} lie on one another: check the geometry.")


def _choose_active(molecule: Molecule, electrons: int, orbitals: int) -> tuple[int, list[int], list[int]]:
    """Active electrons, frozen orbitals, kept orbitals."""
    if electrons % 2:
        raise ValueError(
            f"{molecule.atoms!r} with charge {molecule.charge} has {electrons} electrons: only even numbers (closed shells) "
            f"are supported; change the charge by one."
        )
    match = re.fullmatch(r"(\d+)e(\d+)o", molecule.active or f"{electrons}e{orbitals}o")
    if match is None:
        raise ValueError(
            f"active space {molecule.active!r} is not understood; write electrons and orbitals, such as 2e3o."
        )
    active, count = int(match[1]), int(match[2])
    core = (electrons - active) // 2
    if active % 2 or active > electrons or active > 2 * count or core + count > orbitals or active < 1:
        raise ValueError(
            f"active space {molecule.active!r} does not fit a molecule of {electrons} electrons in {orbitals} orbitals: keep an "
            f"even number of electrons, and as many orbitals as hold them, such as 2e3o."
        )
    kept = list(molecule.orbitals) or list(range(core, core + count))
    if not all(core <= orbital < orbitals for orbital in kept):
        raise ValueError(
            f"orbitals {', '.join(map(str, kept))} are not all there to keep: write numbers from {core} (those below are "
            f"filled by the other electrons) to {orbitals - 1}."
        )
    return active, list(range(core)), kept


def _check_size(molecule: Molecule, modes: int) -> None:
    qubits = modes - {"parity": 2, "jordan-wigner-1": 1}.get(molecule.mapping, 0)
    if qubits > MAX_QUBITS:
        gigabytes = 8 * 4.0**qubits / 1e9
        raise ValueError(
            f"{molecule.name} needs {qubits} qubits: exact diagonalisation would take {gigabytes:,.0f} GB. At most {MAX_QUBITS} "
            f"fit (0.13 GB): keep at most {MAX_QUBITS // 2} orbitals ({MAX_QUBITS // 2 + 1} with the parity mapping) by "
            f"--active, such as --active 2e3o; worlds and trainers take at most 8 qubits."
        )


def _fermion_operator(openfermion: Any, atoms: Any, frozen: Sequence[int], kept: Sequence[int]) -> Any:
    """Second-quantised Hamiltonian of the kept orbitals, frozen core and nuclei folded into its constant."""
    field = import_module("pyscf.scf").RHF(atoms)
    field.conv_tol = 1e-12
    field.kernel()
    if not field.converged:
        raise ValueError(
            "the Hartree-Fock calculation does not converge: check the geometry (atoms too close or too far)."
        )
    orbitals = field.mo_coeff
    ao2mo = import_module("pyscf.ao2mo")
    one = orbitals.T @ field.get_hcore() @ orbitals
    two = ao2mo.restore(1, ao2mo.kernel(atoms, orbitals), orbitals.shape[1]).transpose(0, 2, 3, 1)
    representations = import_module("openfermion.ops.representations")
    shift, one, two = representations.get_active_space_integrals(one, two, list(frozen), list(kept))
    one, two = import_module("openfermion.chem.molecular_data").spinorb_from_spatial(one, two)
    constant = float(atoms.energy_nuc() + shift)
    return openfermion.get_fermion_operator(openfermion.InteractionOperator(constant, one, 0.5 * two))


def _map(openfermion: Any, fermions: Any, modes: int, electrons: int, mapping: str) -> list[Term]:
    """Qubit operator as sorted Pauli terms."""
    if mapping == "parity":
        qubits, width = openfermion.symmetry_conserving_bravyi_kitaev(fermions, modes, electrons), modes - 2
    else:
        qubits, width = openfermion.jordan_wigner(fermions), modes
    if mapping == "jordan-wigner-1":
        # the parity of the electron number is conserved; an even number of electrons makes it +1
        parity = " ".join(f"Z{mode}" for mode in range(modes))
        qubits, width = openfermion.taper_off_qubits(qubits, [openfermion.QubitOperator(parity, 1.0)]), modes - 1
    listed = []
    for factors, value in qubits.terms.items():
        letters = ["I"] * width
        for qubit, letter in factors:
            letters[qubit] = letter
        if abs(value) > _TINY:
            listed.append(("".join(letters), round(float(value.real), 12)))
    return sorted(listed)
