"""Energies as a quantum machine gives them: bit strings drawn shot by shot, a few measurement bases for all Pauli strings.

Strings that agree qubit by qubit (or are I) are measured together. Each group gets its share of the shots, outcomes are drawn
from the multinomial distribution of the final state, noise and read-out error included, and averaged. No Gaussian stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.quantum.energies import Model, coefficients_of, state_of
from envs.quantum.gates import Gate
from envs.quantum.paulis import LETTERS, Float64, Term
from envs.quantum.statevector import Complex128

_ROOT = 0.5**0.5
_TO_Z = {
    "X": np.array([[_ROOT, _ROOT], [_ROOT, -_ROOT]], dtype=complex),
    "Y": np.array([[_ROOT, -1j * _ROOT], [_ROOT, 1j * _ROOT]]),
}
"""What turns each basis into that of Z."""


@dataclass(frozen=True, eq=False)
class Group:
    """Pauli strings that are read off the same shots."""

    basis: str
    """One letter out of X, Y, Z a qubit."""
    masks: tuple[int, ...]
    """Qubits whose parity each string is."""
    weights: Float64

    @property
    def norm(self) -> float:
        return float(np.abs(self.weights).sum())


@dataclass(frozen=True, eq=False)
class Plan:
    """How an observable is measured."""

    qubits: int
    constant: float
    groups: tuple[Group, ...]
    readout: Float64
    """[n, 2] probability of reading 1 for 0, and 0 for 1."""


def make_plan(terms: Sequence[Term], readout: Float64 | None = None) -> Plan:
    """Group `terms` greedily by qubit-wise commutation, heaviest string first."""
    qubits = len(terms[0][0])
    constant, bases = 0.0, list[list[str]]()
    held = list[list[Term]]()
    for letters, weight in sorted(terms, key=lambda term: -abs(term[1])):
        if set(letters) == {"I"}:
            constant += weight
            continue
        for basis, group in zip(bases, held, strict=True):
            if all("I" in (one, two) or one == two for one, two in zip(basis, letters, strict=True)):
                group.append((letters, weight))
                basis[:] = [two if one == "I" else one for one, two in zip(basis, letters, strict=True)]
                break
        else:
            bases.append(list(letters))
            held.append([(letters, weight)])
    groups = tuple(_group(basis, group) for basis, group in zip(bases, held, strict=True))
    return Plan(qubits, constant, groups, np.zeros((qubits, 2)) if readout is None else readout)


def _group(basis: list[str], terms: list[Term]) -> Group:
    masks = tuple(sum(1 << q for q, letter in enumerate(letters) if letter != "I") for letters, _ in terms)
    return Group("".join(basis).replace("I", "Z"), masks, np.array([weight for _, weight in terms]))


def share_shots(plan: Plan, shots: int) -> list[int]:
    """Shots of each group, in proportion to the sum of its absolute weights, one at least."""
    total = sum(group.norm for group in plan.groups)
    return [max(1, round(shots * group.norm / total)) for group in plan.groups]


def sample_energy(
    plan: Plan, model: Model, circuit: Sequence[Gate], shots: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Energy estimated from about `shots` shots of `circuit` on the machine of `model`, and its standard error.

    Unbiased: its mean over many calls is what `energies` gives. Raises `ValueError` for less than one shot.
    """
    if shots < 1:
        raise ValueError(f"{shots} shots measure nothing; give 1 or more.")
    chances = distributions(plan, model, circuit)
    energy, variance = plan.constant, 0.0
    for group, chance, count in zip(plan.groups, chances, share_shots(plan, shots), strict=True):
        seen = rng.multinomial(count, chance) / count
        values = _values(group, len(chance))
        mean = float(seen @ values)
        energy += mean
        variance += max(float(seen @ values**2) - mean**2, 0.0) / count
    return energy, variance**0.5


def distributions(plan: Plan, model: Model, circuit: Sequence[Gate]) -> list[Float64]:
    """Probabilities [2^n] of the bit strings that are read in each group's basis."""
    if model.noisy:
        coefficients = coefficients_of(model, circuit)
        raw = [_from_coefficients(coefficients, group.basis) for group in plan.groups]
    else:
        psi = state_of(model, circuit)
        raw = [_from_state(psi, group.basis) for group in plan.groups]
    return [_misread(chance, plan.readout) for chance in raw]


def _values(group: Group, outcomes: int) -> Float64:
    """Sum of the group's strings for each bit string."""
    bits = np.arange(outcomes, dtype=np.uint64)
    total = np.zeros(outcomes)
    for mask, weight in zip(group.masks, group.weights.tolist(), strict=True):
        total += weight * (1.0 - 2.0 * (np.bitwise_count(bits & np.uint64(mask)) & 1))
    return total


def _from_state(psi: Complex128, basis: str) -> Float64:
    qubits = len(basis)
    shaped = psi.reshape((2,) * qubits)  # qubit 0 is the last axis
    for qubit, letter in enumerate(basis):
        if letter in _TO_Z:
            axis = qubits - 1 - qubit
            shaped = np.moveaxis(np.tensordot(_TO_Z[letter], shaped, axes=(1, axis)), 0, axis)
    chance = np.abs(shaped.reshape(-1)) ** 2
    return np.asarray(chance / chance.sum())


def _from_coefficients(coefficients: Float64, basis: str) -> Float64:
    """p(b) = 2^-n sum over subsets S of (-1)^(b.S) <basis letters on S>."""
    qubits = len(basis)
    places = np.zeros(1, dtype=np.int64)
    for qubit, letter in enumerate(basis):
        places = np.concatenate([places, places + (LETTERS.index(letter) << (2 * qubit))])
    chance = coefficients[places].reshape((2,) * qubits)
    for axis in range(qubits):
        zero, one = np.take(chance, 0, axis), np.take(chance, 1, axis)
        chance = np.stack([zero + one, zero - one], axis)
    chance = np.maximum(chance.reshape(-1), 0.0)
    return np.asarray(chance / chance.sum())


def _misread(chance: Float64, readout: Float64) -> Float64:
    if not readout.any():
        return chance
    qubits = len(readout)
    shaped = chance.reshape((2,) * qubits)
    for qubit, (false_one, false_zero) in enumerate(readout.tolist()):
        confusion = np.array([[1.0 - false_one, false_zero], [false_one, 1.0 - false_zero]])
        axis = qubits - 1 - qubit
        shaped = np.moveaxis(np.tensordot(confusion, shaped, axes=(1, axis)), 0, axis)
    return np.asarray(shaped.reshape(-1))


def count_groups(terms: Sequence[Term]) -> int:
    """Measurement bases that the observable takes; the identity takes none."""
    return len(make_plan(terms).groups)
