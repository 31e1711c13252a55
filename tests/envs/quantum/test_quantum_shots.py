"""Shots: groups, distributions whose mean is the exact energy, noise and read-out error included, and the spread of samples."""

from __future__ import annotations

import numpy as np
import pytest

from envs.quantum.energies import energies, make_model
from envs.quantum.gates import RY, Gate, pack
from envs.quantum.noise import amplitude_damping, make_noise
from envs.quantum.problems import load_problem, make_problem
from envs.quantum.shots import Plan, count_groups, distributions, make_plan, sample_energy, share_shots


def mean_energy(plan: Plan, chances: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> float:
    """Exact mean of what is read: sum over outcomes of probability times value, value by value."""
    total = plan.constant
    for group, chance in zip(plan.groups, chances, strict=True):
        for mask, weight in zip(group.masks, group.weights, strict=True):
            for outcome, probability in enumerate(chance):
                total += weight * probability * (-1) ** (outcome & mask).bit_count()
    return float(total)


def test_groups_by_hand() -> None:
    plan = make_plan([("II", 3.0), ("ZI", 0.5), ("IZ", -0.4), ("ZZ", 0.2), ("XX", 0.1), ("XI", 0.05)])
    assert plan.constant == 3.0
    assert [group.basis for group in plan.groups] == ["ZZ", "XX"]
    assert [group.masks for group in plan.groups] == [(1, 2, 3), (3, 1)]  # qubit 0 is the lowest bit
    assert share_shots(plan, 1250) == [1100, 150]  # 1.1 to 0.15
    assert share_shots(plan, 1) == [1, 1]


def test_grouping_saves_most_measurements() -> None:
    terms = load_problem("lih-4").terms
    assert len(terms) == 100
    assert count_groups(terms) <= 25
    assert count_groups(load_problem("h2-2").terms) == 2  # ZI, IZ, ZZ together, and XX


@pytest.mark.parametrize("readout", [(0.0, 0.0), (0.03, 0.07)])
@pytest.mark.parametrize("is_noisy", [False, True])
def test_distributions_have_the_exact_energy_as_mean(
    is_noisy: bool, readout: tuple[float, float], random_circuits: list[tuple[Gate, ...]]
) -> None:
    problem = load_problem("lih-4")
    noise = make_noise(4, double_depolarising=0.05, single=amplitude_damping(0.1), readout=readout)
    quiet = make_noise(4, readout=readout)
    exact = make_model(problem, noise if is_noisy else quiet)
    simulated = exact if is_noisy else make_model(problem)
    plan = make_plan(problem.terms, noise.readout)
    for circuit in random_circuits:
        chances = distributions(plan, simulated, circuit)
        assert all(chance.sum() == pytest.approx(1.0) for chance in chances)
        assert mean_energy(plan, chances) == pytest.approx(energies(exact, pack([circuit]))[0], abs=1e-10)


def test_samples_scatter_about_the_energy_by_their_error() -> None:
    problem = load_problem("h2-4", 0.7414)
    model, plan = make_model(problem), make_plan(problem.terms)
    circuit = [Gate(kind=RY, qubit=q, angle=0.4 + q) for q in range(4)]
    exact = energies(model, pack([circuit]))[0]
    rng = np.random.default_rng(0)
    drawn = [sample_energy(plan, model, circuit, 1000, rng) for _ in range(400)]
    found, told = np.array([one[0] for one in drawn]), np.array([one[1] for one in drawn])
    assert abs(found.mean() - exact) < 4 * found.std() / 20
    assert found.std() == pytest.approx(told.mean(), rel=0.15)
    more = np.std([sample_energy(plan, model, circuit, 16_000, rng)[0] for _ in range(200)])
    assert found.std() / more == pytest.approx(4.0, rel=0.25)


def test_an_eigenstate_has_no_shot_noise() -> None:
    problem = make_problem("pair", [("ZZ", 1.0), ("II", 0.5)])
    energy, error = sample_energy(make_plan(problem.terms), make_model(problem), [], 7, np.random.default_rng(0))
    assert (energy, error) == (1.5, 0.0)
    with pytest.raises(ValueError, match="0 shots"):
        sample_energy(make_plan(problem.terms), make_model(problem), [], 0, np.random.default_rng(0))
