"""Angles of the worlds' circuits after a gate was added, by the optimiser that the task names."""

from __future__ import annotations

import numpy as np

from envs.quantum.black_box import Found, cobyla_by, rotosolve_by, spsa_by
from envs.quantum.gates import RZ, CircuitBatch
from envs.quantum.machine import Machine
from envs.quantum.optimise import grow_batch, rotosolve, spsa, with_angles
from envs.quantum.paulis import Float64

KICK = 0.5
"""Radians: spread of the second start's angles about the first's, and of new angles, which have no slope at 0."""
WIDE = 2.0
"""Radians: spread of a third start, made under noise, where the second alone often ends in a poor minimum."""
ITERATIONS = 50


def optimise_grown(
    machine: Machine, batch: CircuitBatch, generators: list[np.random.Generator]
) -> tuple[Float64, Float64]:
    """Set all angles of circuits whose last gate is new, in place; return the energies as measured and the evaluations, [B].

    With exact gradients the descent itself is exact on the machine and the energy it leaves is measured, with the task's
    shots where it has them; the other optimisers see measured energies only.
    """
    if machine.params.optimiser == 0:
        return _descend(machine, batch, generators)
    reached, spent = np.empty(len(batch)), np.empty(len(batch))
    for index, rng in enumerate(generators):
        found = _search(machine, batch, index, rng)
        batch.angles[index, : len(found.angles)] = found.angles
        reached[index], spent[index] = found.energy, found.evaluations
    return reached, spent


def _descend(machine: Machine, batch: CircuitBatch, generators: list[np.random.Generator]) -> tuple[Float64, Float64]:
    reached, spent = np.zeros(len(batch)), np.zeros(len(batch))
    for spread in (KICK, WIDE) if machine.params.is_noisy else (KICK,):
        kicks = np.zeros(batch.angles.shape)
        for index, rng in enumerate(generators):
            count = int(batch.lengths[index])
            kicks[index, :count] = spread * rng.standard_normal(count)
        kicks[batch.kinds > RZ] = 0.0
        reached, more = grow_batch(machine.measured, batch, kicks, iterations=ITERATIONS)
        spent += more
    if machine.plan is not None:
        for index, rng in enumerate(generators):
            reached[index] = machine.energy_of(batch.circuit(index), rng)
        spent += 1.0
    return reached, spent


def _search(machine: Machine, batch: CircuitBatch, index: int, rng: np.random.Generator) -> Found:
    circuit, count = batch.circuit(index), int(batch.lengths[index])
    turning = batch.kinds[index, :count] <= RZ
    angles = batch.angles[index, :count].copy()
    if count and turning[-1]:
        angles[-1] = KICK * rng.standard_normal()

    def energy(trial: Float64) -> float:
        return machine.energy_of(with_angles(circuit, trial), rng)

    if machine.plan is None and machine.params.optimiser < 3:  # exact energies: compiled
        started = with_angles(circuit, angles)
        exact = (
            rotosolve(machine.measured, started, sweeps=10)
            if machine.params.optimiser == 1
            else spsa(machine.measured, started, rng)
        )
        return Found(
            angles=np.array([gate.angle for gate in exact.circuit]), energy=exact.energy, evaluations=exact.evaluations
        )
    if machine.params.optimiser == 1:
        return rotosolve_by(energy, angles, turning)
    if machine.params.optimiser == 2:
        return spsa_by(energy, angles, turning, rng)
    return cobyla_by(energy, angles, turning)
