"""Task parameters of the quantum family. All are numbers, so that teachers can move along them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from pydantic import Field

from envs.family import Params, resolve_params
from envs.quantum.noise import KINDS
from envs.quantum.problems import MOLECULES, PROBLEMS, Problem, load_problem
from envs.quantum.stored import load_stored
from envs.task import ParamValue


class QuantumParams(Params):
    """One task: which Hamiltonian, on which machine, with which gates, how accurate, rewarded how."""

    problem: int = Field(default=PROBLEMS.index("lih-4"), ge=0, le=len(PROBLEMS) - 1)
    bond_length: float = Field(default=2.2, ge=0.5, le=3.4)
    field: float = Field(default=1.0, ge=0.0, le=2.0)
    noise_kind: int = Field(default=0, ge=0, le=len(KINDS) - 1)
    noise_level: float = Field(default=0.0, ge=0.0, le=0.03)
    noise_ratio: float = Field(default=5.0, ge=1.0, le=20.0)
    readout_error: float = Field(default=0.0, ge=0.0, le=0.1)
    shots: int = Field(default=0, ge=0, le=1_000_000)
    optimiser: int = Field(default=0, ge=0, le=2 + bool(find_spec("nlopt")))
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


SHIPPED_ONLY = frozenset({"problem", "bond_length", "field"})
"""Parameters that choose among the shipped problems."""


class StoredParams(QuantumParams):
    """The same for a molecule that is not shipped: `problem`, `bond_length` and `field` have no meaning."""

    molecule: str
    """Name and digest of the stored problem (see stored.py)."""


def resolve_quantum(family: str, params: Mapping[str, ParamValue]) -> QuantumParams:
    """Fill in defaults for family `quantum` or `quantum:NAME`, whose problem is in its name; raises `ValueError`, one line."""
    _, _, name = family.partition(":")
    if not name:
        return QuantumParams.model_validate(resolve_params(family, QuantumParams, params))
    given = {**params, "molecule": params.get("molecule", name)}
    if given["molecule"] != name:
        raise ValueError(f"{family}: molecule = {given['molecule']!r} is another problem than the family's.")
    return StoredParams.model_validate(resolve_params(family, StoredParams, given))


def dump_params(params: QuantumParams) -> dict[str, ParamValue]:
    """What a task of the family says: every parameter, or for a stored problem those that its card has."""
    left_out = {*SHIPPED_ONLY, "molecule"} if isinstance(params, StoredParams) else set[str]()
    return params.model_dump(exclude=left_out)


def problem_of(params: QuantumParams) -> Problem:
    """The Hamiltonian that `params` name: the shipped geometry nearest to the bond length, or the chain at the field."""
    if isinstance(params, StoredParams):
        return load_stored(params.molecule)
    name = PROBLEMS[params.problem]
    return load_problem(name, params.bond_length if name in MOLECULES else params.field)
