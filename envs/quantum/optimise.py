"""Angles of circuits: L-BFGS with exact gradients, Rotosolve, Adam-SPSA. Each counts its energy evaluations.

One evaluation is one energy of one circuit; an exact gradient comes with its energy and counts as none beyond it, which
holds for this simulator and not for a quantum machine (there it costs two evaluations an angle).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from envs.quantum.descent import descend, grow, turn_one, wander
from envs.quantum.energies import Model, check_fits, energy_of, make_scratch
from envs.quantum.gates import RZ, CircuitBatch, Gate, pack
from envs.quantum.paulis import Float64

ITERATIONS, TOLERANCE = 100, 1e-6


@dataclass(frozen=True, kw_only=True)
class Optimised:
    """A circuit with its angles set."""

    circuit: tuple[Gate, ...]
    energy: float
    evaluations: int


@dataclass(frozen=True, kw_only=True)
class SpsaSettings:
    """Adam-SPSA: step a/(k+1)^alpha, perturbation c/(k+1)^gamma, beta1/(k+1)^lamda. Defaults: the published LiH-4 ones."""

    evaluations: int = 1667
    """Three an iteration: two for the gradient, one for the record."""
    a: float = 1.8658
    alpha: float = 0.9451
    c: float = 0.046
    gamma: float = 0.1397
    lamda: float = 0.0138
    beta1: float = 0.9658
    beta2: float = 0.8594


def lbfgs(
    model: Model,
    circuit: Sequence[Gate],
    *,
    rng: np.random.Generator | None = None,
    restarts: int = 0,
    spread: float = 1.0,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Optimised:
    """Minimise from the circuit's own angles and from `restarts` random ones (normal, `spread` radians about them)."""
    if restarts and rng is None:
        raise ValueError("lbfgs: random restarts need a generator; pass rng=np.random.default_rng(seed).")
    batch = pack([circuit])
    check_fits(model, batch)
    scratch = make_scratch(model, max(len(circuit), 1))
    best, best_angles, spent = np.inf, batch.angles[0].copy(), 0
    for attempt in range(restarts + 1):
        angles = batch.angles[0].copy()
        if attempt and rng is not None:
            angles += spread * rng.standard_normal(len(angles))
        row = (batch.kinds[0], batch.qubits[0], batch.controls[0], angles)
        energy, made = descend(model, scratch, *row, len(circuit), iterations, tolerance)
        spent += made
        if energy < best:
            best, best_angles = energy, angles
    return Optimised(circuit=with_angles(circuit, best_angles), energy=float(best), evaluations=spent)


def rotosolve(model: Model, circuit: Sequence[Gate], *, sweeps: int = 50, tolerance: float = 1e-8) -> Optimised:
    """Minimise one angle after the other, exactly, until a sweep gains less than `tolerance`."""
    batch = pack([circuit])
    check_fits(model, batch)
    row = (batch.kinds[0], batch.qubits[0], batch.controls[0], batch.angles[0])
    scratch = make_scratch(model, max(len(circuit), 1))
    energy = energy_of(model, scratch, *row, len(circuit))
    spent = 1
    for _ in range(sweeps):
        before = energy
        for which in np.flatnonzero(batch.kinds[0] <= RZ).tolist():
            energy = turn_one(model, scratch, *row, len(circuit), which, energy)
            spent += 2
        if before - energy < tolerance:
            break
    return Optimised(circuit=with_angles(circuit, batch.angles[0]), energy=float(energy), evaluations=spent)


def spsa(
    model: Model, circuit: Sequence[Gate], rng: np.random.Generator, settings: SpsaSettings | None = None
) -> Optimised:
    """Minimise by simultaneous perturbation with Adam moments; returns the best angles seen."""
    chosen = settings or SpsaSettings()
    batch = pack([circuit])
    check_fits(model, batch)
    iterations = chosen.evaluations // 3
    signs = rng.choice([-1.0, 1.0], (iterations, len(circuit))) * (batch.kinds[0] <= RZ)
    schedule = np.array(
        [chosen.a, chosen.alpha, chosen.c, chosen.gamma, chosen.beta1, chosen.lamda, chosen.beta2], dtype=np.float64
    )
    row = (batch.kinds[0], batch.qubits[0], batch.controls[0], batch.angles[0])
    best = wander(model, *row, signs, schedule)
    return Optimised(circuit=with_angles(circuit, batch.angles[0]), energy=float(best), evaluations=3 * iterations)


def grow_batch(
    model: Model,
    batch: CircuitBatch,
    kicks: Float64,
    *,
    iterations: int = ITERATIONS,
    tolerance: float = 1e-5,
) -> tuple[Float64, Float64]:
    """Re-optimise circuits whose last gate is new, angles in place; return energies [B] and evaluations [B].

    `kicks` [B, L] radians are added to all angles for a second start; zeros leave it out.
    """
    check_fits(model, batch)
    reached, spent = np.empty(len(batch)), np.zeros(len(batch), dtype=np.int32)
    flat = (batch.kinds, batch.qubits, batch.controls, batch.angles, batch.lengths)
    grow(model, *flat, kicks, iterations, tolerance, reached, spent)
    return reached, spent.astype(np.float64)


def with_angles(circuit: Sequence[Gate], angles: Float64) -> tuple[Gate, ...]:
    """The circuit with other angles, wrapped to (-pi, pi]."""
    wrapped = np.pi - np.mod(np.pi - angles, 2.0 * np.pi)
    return tuple(
        replace(gate, angle=float(angle)) if gate.is_rotation else gate
        for gate, angle in zip(circuit, wrapped, strict=True)
    )
