"""Task parameters of the quantum family. All are numbers, so that teachers can move along them."""

from __future__ import annotations

from pydantic import Field

from envs.family import Params
from envs.quantum.noise import KINDS
from envs.quantum.problems import MOLECULES, PROBLEMS, Problem, load_problem


class QuantumParams(Params):
    """One task: which Hamiltonian, on which machine, with which gates, how accurate, rewarded how."""

    problem: int = Field(default=PROBLEMS.index("lih-4"), ge=0, le=len(PROBLEMS) - 1)
    bond_length: float = Field(default=2.2, ge=0.5, le=3.4)
    field: float = Field(default=1.0, ge=0.0, le=2.0)
    noise_kind: int = Field(default=0, ge=0, le=len(KINDS) - 1)
    noise_level: float = Field(default=0.0, ge=0.0, le=0.03)
    noise_ratio: float = Field(default=5.0, ge=1.0, le=20.0)
    readout_error: float = Field(default=0.0, ge=0.0, le=0.1)
    gate_set: int = Field(default=0, ge=0, le=2)
    coupling: int = Field(default=0, ge=0, le=2)
    max_gates: int = Field(default=40, ge=1, le=100)
    threshold: float = Field(default=1.6, ge=0.01, le=100.0)
    mask_rule: int = Field(default=1, ge=0, le=1)
    start_state: int = Field(default=0, ge=0, le=1)
    halting: int = Field(default=0, ge=0, le=1)
    reward_kind: int = Field(default=0, ge=0, le=3)

    @property
    def threshold_energy(self) -> float:
        """Largest accepted energy error: hartree for molecules, units of the coupling for chains."""
        return self.threshold * 1e-3

    @property
    def is_noisy(self) -> bool:
        return self.noise_level > 0 or self.readout_error > 0


def problem_of(params: QuantumParams) -> Problem:
    """The Hamiltonian that `params` name: the shipped geometry nearest to the bond length, or the chain at the field."""
    name = PROBLEMS[params.problem]
    return load_problem(name, params.bond_length if name in MOLECULES else params.field)
