"""Shorter circuits: take any gate out, optimise again, keep what is still accurate, until nothing can go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.quantum.energies import Model
from envs.quantum.gates import Gate
from envs.quantum.optimise import Optimised, lbfgs


def prune(
    model: Model, circuit: Sequence[Gate], limit: float, rng: np.random.Generator, *, restarts: int = 1
) -> Optimised:
    """Remove gates while the energy stays below `limit`; returns the shortest circuit found with all evaluations spent.

    In each round every gate is tried and the removal that leaves the lowest energy is kept, as is the circuit itself when
    none does. Not a proof of minimality. Raises `ValueError` when the circuit does not reach `limit` to begin with.
    """
    current = lbfgs(model, circuit, rng=rng, restarts=restarts)
    spent = current.evaluations
    if current.energy >= limit:
        raise ValueError(f"prune: the circuit's energy {current.energy:.6f} is not below the limit {limit:.6f}.")
    while current.circuit:
        trials = []
        for place in range(len(current.circuit)):
            shorter = current.circuit[:place] + current.circuit[place + 1 :]
            trials.append(lbfgs(model, shorter, rng=rng, restarts=restarts))
        spent += sum(trial.evaluations for trial in trials)
        best = min(trials, key=lambda trial: trial.energy)
        if best.energy >= limit:
            break
        current = best
    return Optimised(circuit=current.circuit, energy=current.energy, evaluations=spent)
