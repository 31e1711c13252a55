"""One task's Hamiltonian and machine, prepared once and shared by all worlds that have the same parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from envs.quantum.actions import GATE_SETS, Mask, allowed
from envs.quantum.energies import Model, energies, make_model
from envs.quantum.gates import CircuitBatch, Gate, pack
from envs.quantum.legality import published_rule, strong_rule
from envs.quantum.noise import noise_of
from envs.quantum.params import QuantumParams, problem_of
from envs.quantum.problems import Problem
from envs.quantum.shots import Plan, make_plan, sample_energy


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """What a world runs on."""

    params: QuantumParams
    problem: Problem
    measured: Model
    """Gives the energy that angles are optimised for: noisy where the task is."""
    true: Model
    """Noiseless: fitness and success come from it."""
    allowed: Mask
    two_qubit: int
    """Kind of the gate set's two-qubit gate."""
    plan: Plan | None = None
    """How the energy is measured shot by shot; none where it is exact."""

    def error_of(self, energy: float) -> float:
        """Energy above the exact one."""
        return energy - self.problem.exact

    def fitness_of(self, energy: float, gates: int) -> float:
        """Progress from the floor to the threshold on a log scale, 0 to 1, and up to a half more for a short circuit.

        The scale starts at the error of the best basis state, or at ten thresholds where that is larger.
        """
        limit = self.params.threshold_energy
        worst = max(self.problem.floor_error, 10.0 * limit)
        error = max(abs(self.error_of(energy)), 1e-15)
        if error < limit:
            return 1.0 + 0.5 * (1.0 - gates / self.params.max_gates)
        return min(max(math.log(worst / error) / math.log(worst / limit), 0.0), 1.0)

    def energy_of(self, circuit: Sequence[Gate], rng: np.random.Generator) -> float:
        """Energy as the machine gives it: exact, or estimated from the task's shots."""
        if self.plan is None:
            return float(energies(self.measured, pack([circuit]))[0])
        return sample_energy(self.plan, self.measured, circuit, self.params.shots, rng)[0]

    def legal(self, batch: CircuitBatch, slot: int) -> Mask:
        """[COUNT] actions that may be taken in one world now, by the task's mask rule."""
        mask = self.allowed.copy()
        row = (batch.kinds[slot], batch.qubits[slot], batch.controls[slot], int(batch.lengths[slot]))
        if self.params.mask_rule:
            strong_rule(*row, self.two_qubit, self.true.start, mask)
        else:
            published_rule(*row, mask)
        return mask

    def draw_limit(self, rng: np.random.Generator) -> int:
        """Most gates of an episode: the task's, or with random halting a negative-binomial draw about two thirds of it."""
        most = self.params.max_gates
        if not self.params.halting:
            return most
        return int(np.clip(rng.negative_binomial(most, 0.6), max(1, most // 4), most))


@lru_cache(maxsize=64)
def make_machine(params: QuantumParams) -> Machine:
    """Prepare the machine that `params` describe."""
    problem = problem_of(params)
    start = problem.floor_state if params.start_state else 0
    true = make_model(problem, start=start)
    measured, readout = true, None
    if params.is_noisy:
        noise = noise_of(
            params.noise_kind, params.noise_level, params.noise_ratio, params.readout_error, problem.qubits
        )
        measured, readout = make_model(problem, noise, start=start), noise.readout
    return Machine(
        params=params,
        problem=problem,
        measured=measured,
        true=true,
        allowed=allowed(problem.qubits, params.gate_set, params.coupling),
        two_qubit=GATE_SETS[params.gate_set][-1],
        plan=make_plan(problem.terms, readout) if params.shots else None,
    )
