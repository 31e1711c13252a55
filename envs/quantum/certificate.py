"""What must stand beside a result: both energies, the floor, the electron sector, the counts. Plain numbers, no judgement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.quantum.energies import energies, expectation, make_model, state_of
from envs.quantum.gates import Gate, count_gates, depth, pack
from envs.quantum.noise import Noise
from envs.quantum.paulis import Term
from envs.quantum.problems import Problem
from envs.quantum.statevector import Complex128


def certificate_numbers(
    problem: Problem,
    circuit: Sequence[Gate],
    noise: Noise | None = None,
    *,
    start: int = 0,
    angles: Sequence[float] | None = None,
) -> dict[str, float]:
    """Measure `circuit` (with other `angles`, one a gate, where they are given) without noise and under `noise`.

    Keys: energy, energy_error, exact, floor, floor_error, noisy_energy, noisy_error, noise_error (noisy less noiseless; all
    three the noiseless figures without `noise`), gates, two_qubit_gates, rotations, depth, ground_overlap (squared, with the
    space of lowest energy); for molecules electrons and spin_z of the state found with their variances, and sector_error: the
    distance of their means from those of the best basis state, which is the neutral molecule's. Hartree for molecules.
    """
    batch = pack([circuit])
    if angles is not None:
        if len(angles) != len(circuit):
            raise ValueError(f"{len(angles)} angles do not fit a circuit of {len(circuit)} gates.")
        batch.angles[0] = angles
    placed = batch.circuit(0)
    model = make_model(problem, start=start)
    energy = float(energies(model, batch)[0])
    noisy = float(energies(make_model(problem, noise, start=start), batch)[0]) if noise is not None else energy
    pairs, rotations = count_gates(placed)
    psi = state_of(model, placed)
    return {
        "energy": energy,
        "energy_error": energy - problem.exact,
        "exact": problem.exact,
        "floor": problem.floor,
        "floor_error": problem.floor_error,
        "noisy_energy": noisy,
        "noisy_error": noisy - problem.exact,
        "noise_error": noisy - energy,
        "gates": float(len(placed)),
        "two_qubit_gates": float(pairs),
        "rotations": float(rotations),
        "depth": float(depth(placed)),
        "ground_overlap": ground_overlap(problem, psi),
        **sector_numbers(problem, psi),
    }


def sector_numbers(problem: Problem, psi: Complex128) -> dict[str, float]:
    """Means and variances of the conserved quantities in `psi`, and `sector_error`; empty where the problem has none."""
    if not problem.sectors:
        return {}
    basis = np.zeros(len(psi), dtype=np.complex128)
    basis[problem.floor_state] = 1.0
    found: dict[str, float] = {}
    apart = 0.0
    for name, terms in problem.sectors.items():
        mean, square = (0.0, 0.0) if not terms else (expectation(terms, psi), _mean_square(terms, psi))
        found[name] = mean
        found[f"{name}_variance"] = max(square - mean**2, 0.0)
        apart = max(apart, abs(mean - (expectation(terms, basis) if terms else 0.0)))
    return {**found, "sector_error": apart}


def ground_overlap(problem: Problem, psi: Complex128) -> float:
    """Share of `psi` in the space of the lowest energy (to 1e-7)."""
    values, vectors = np.linalg.eigh(problem.matrix.to_dense())
    ground = vectors[:, values < values[0] + 1e-7]
    return float((np.abs(ground.T @ psi) ** 2).sum())


def _mean_square(terms: Sequence[Term], psi: Complex128) -> float:
    from envs.quantum.paulis import sparse_matrix

    matrix = sparse_matrix(terms)
    rows = np.repeat(np.arange(len(psi)), np.diff(matrix.starts))
    applied = np.zeros_like(psi)
    np.add.at(applied, rows, matrix.values * psi[matrix.columns])
    return float(np.vdot(applied, applied).real)
