"""Shorter circuits: take any gate out, optimise again, keep what is still accurate, until nothing can go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.quantum.energies import Model
from envs.quantum.gates import Gate
from envs.quantum.optimise import Optimised, lbfgs
from envs.quantum.settle import Machines, accurate, settle
from envs.quantum.simplify import simplify


def prune(
    model: Model, circuit: Sequence[Gate], limit: float, rng: np.random.Generator, *, restarts: int = 1
) -> Optimised:
    """Remove gates while the energy stays below `limit`; returns the shortest circuit found with all evaluations spent.

    In each round every gate is tried and the removal that leaves the lowest energy is kept. Not a proof of minimality;
    minimise.py looks further. Raises `ValueError` when the circuit does not reach `limit` to begin with.
    """
    current = lbfgs(model, circuit, rng=rng, restarts=restarts)
    if current.energy >= limit:
        raise ValueError(f"prune: the circuit's energy {current.energy:.6f} is not below the limit {limit:.6f}.")
    shortest, spent = prune_accurate(Machines(model, model, limit), current.circuit, rng)
    final = lbfgs(model, shortest)
    spent += current.evaluations + final.evaluations
    return Optimised(circuit=final.circuit, energy=final.energy, evaluations=spent)


def prune_accurate(
    machines: Machines, circuit: Sequence[Gate], rng: np.random.Generator, *, greedy: bool = True
) -> tuple[tuple[Gate, ...], int]:
    """Prune a circuit that is accurate on `machines`, noise included; returns it with the evaluations spent.

    With `greedy` the removal that leaves the lowest energy is kept, else a random one of those that stay accurate.
    """
    current, spent = _prune_runs(machines, circuit, rng) if greedy else (tuple(circuit), 0)
    while current:
        merged = simplify(current, machines.true.start)
        shorter = [current[:place] + current[place + 1 :] for place in range(len(current))]
        found, made = _accurate(machines, [merged] if len(merged) < len(current) else shorter, rng)
        spent += made
        if not found and len(merged) < len(current):  # the merged circuit's angles slid elsewhere
            found, made = _accurate(machines, shorter, rng)
            spent += made
        if not found:
            break
        current = found[0 if greedy else int(rng.integers(len(found)))]
    return current, spent


def _prune_runs(machines: Machines, circuit: Sequence[Gate], rng: np.random.Generator) -> tuple[tuple[Gate, ...], int]:
    """Take out whole runs of gates, long ones first, while that works: most of a random circuit is not needed."""
    current, spent = tuple(circuit), 0
    size = len(current) // 3
    while size > 1:
        starts = range(0, len(current) - size + 1, max(1, size // 2))
        found, made = _accurate(machines, [current[:start] + current[start + size :] for start in starts], rng)
        spent += made
        if found:
            current = found[0]
        size = min(size, len(current) // 2) if found else size // 2
    return current, spent


def _accurate(
    machines: Machines, trials: Sequence[tuple[Gate, ...]], rng: np.random.Generator
) -> tuple[list[tuple[Gate, ...]], int]:
    settled = settle(machines.true, trials, rng, enough=machines.limit)
    found, more = accurate(machines, settled, rng)
    return found, settled.evaluations + more
