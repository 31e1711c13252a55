"""Angles of many different circuits, optimised in one compiled call: what pruning and the search for shorter circuits do.

Unlike `optimise.grow_batch` no gate is taken to be new: every circuit starts from its own angles, and again from kicked
ones where that is not low enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.quantum.compiled import kernel
from envs.quantum.descent import descend
from envs.quantum.energies import Model, check_fits, energies, make_scratch
from envs.quantum.gates import RZ, CircuitBatch, Gate, pack
from envs.quantum.paulis import Float64, Int32

TOLERANCE = 1e-5


@kernel
def _settle(
    model: Model,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    lengths: Int32,
    kicks: Float64,
    iterations: int,
    tolerance: float,
    enough: float,
    reached: Float64,
    spent: Int32,
) -> None:
    scratch = make_scratch(model, max(kinds.shape[1], 1))
    other = np.empty(kinds.shape[1])
    for b in range(len(lengths)):
        kind, qubit, control, angle, count = kinds[b], qubits[b], controls[b], angles[b], lengths[b]
        other[:] = angle + kicks[b]
        energy, made = descend(model, scratch, kind, qubit, control, angle, count, iterations, tolerance)
        if energy >= enough and np.abs(kicks[b, :count]).sum() > 0.0:
            kicked, more = descend(model, scratch, kind, qubit, control, other, count, iterations, tolerance)
            made += more
            if kicked < energy:
                energy = kicked
                angle[:] = other
        reached[b], spent[b] = energy, made


@dataclass(frozen=True, eq=False)
class Settled:
    """Circuits with their angles set."""

    batch: CircuitBatch
    energies: Float64
    """[B]"""
    evaluations: int

    def circuit(self, index: int) -> tuple[Gate, ...]:
        """One of them; its angles lie in (-pi, pi]."""
        self.batch.angles[index] = np.pi - np.mod(np.pi - self.batch.angles[index], 2.0 * np.pi)
        return self.batch.circuit(index)


def settle(
    model: Model,
    circuits: Sequence[Sequence[Gate]],
    rng: np.random.Generator,
    *,
    enough: float = -np.inf,
    spread: float = 0.7,
    iterations: int = 60,
    tolerance: float = TOLERANCE,
) -> Settled:
    """Minimise the energy of each circuit over its angles.

    A circuit that does not come below `enough` from its own angles gets a second start, `spread` radians (normal) about
    them; the lower end stays. With `spread` 0 there is none.
    """
    batch = pack(circuits)
    check_fits(model, batch)
    kicks = spread * rng.standard_normal(batch.angles.shape)
    kicks[batch.kinds > RZ] = 0.0
    reached, spent = np.empty(len(batch)), np.zeros(len(batch), dtype=np.int32)
    rows = (batch.kinds, batch.qubits, batch.controls, batch.angles, batch.lengths)
    _settle(model, *rows, kicks, iterations, tolerance, enough, reached, spent)
    return Settled(batch, reached, int(spent.sum()))


@dataclass(frozen=True, eq=False)
class Machines:
    """What makes a circuit accurate: its angles minimise the `measured` energy, and its `true` energy is below `limit`."""

    measured: Model
    true: Model
    limit: float

    @property
    def is_noisy(self) -> bool:
        return self.measured.noisy


def accurate(machines: Machines, settled: Settled, rng: np.random.Generator) -> tuple[list[tuple[Gate, ...]], int]:
    """The circuits of `settled` (noiseless) that are accurate on the machine, lowest energy first; evaluations made.

    Under noise the angles are set again for the noisy energy, and the noiseless energy of the result decides.
    """
    low = [int(i) for i in np.argsort(settled.energies, kind="stable") if settled.energies[i] < machines.limit]
    found = [settled.circuit(i) for i in low]
    if not found or not machines.is_noisy:
        return found, 0
    again = settle(machines.measured, found, rng, spread=0.0)
    kept = energies(machines.true, again.batch) < machines.limit
    return [again.circuit(i) for i in range(len(found)) if kept[i]], again.evaluations + len(found)
