"""What stands beside a result: floor, both energies, sector, overlap; and the extras of an episode's outcome."""

from __future__ import annotations

import math

import numpy as np
import pytest

from envs.catalog import get_family
from envs.quantum.actions import STOP
from envs.quantum.certificate import certificate_numbers
from envs.quantum.energies import make_model
from envs.quantum.gates import CNOT, RX, RY, Gate
from envs.quantum.noise import make_noise
from envs.quantum.optimise import lbfgs
from envs.quantum.problems import load_problem, make_chain


def test_the_hartree_fock_state_is_its_own_floor() -> None:
    problem = load_problem("h2-4", 0.7414)
    flips = [Gate(kind=RX, qubit=q, angle=math.pi) for q in (0, 1)]  # floor state 0011
    told = certificate_numbers(problem, flips)
    assert told["energy"] == pytest.approx(problem.floor, abs=1e-10)
    assert told["energy_error"] == pytest.approx(0.02059, abs=1e-5)
    assert told["floor_error"] == pytest.approx(told["energy_error"], abs=1e-10)
    assert told["electrons"] == pytest.approx(2.0)
    assert told["spin_z"] == pytest.approx(0.0, abs=1e-12)
    assert told["electrons_variance"] == pytest.approx(0.0, abs=1e-9)
    assert told["sector_error"] == pytest.approx(0.0, abs=1e-9)
    assert 0.95 < told["ground_overlap"] < 1.0
    assert (told["gates"], told["two_qubit_gates"], told["rotations"], told["depth"]) == (2, 0, 2, 1)
    assert told["noisy_energy"] == told["energy"]


def test_leaving_the_sector_shows() -> None:
    # half of the amplitude has one electron less: mean 1.5, variance 0.25
    problem = load_problem("h2-4", 0.7414)
    tilted = [Gate(kind=RX, qubit=0, angle=math.pi), Gate(kind=RY, qubit=1, angle=math.pi / 2)]
    told = certificate_numbers(problem, tilted)
    assert told["electrons"] == pytest.approx(1.5)
    assert told["electrons_variance"] == pytest.approx(0.25)
    assert told["spin_z"] == pytest.approx(0.25)  # orbital up is full, orbital down half
    assert told["sector_error"] == pytest.approx(0.5)


def test_noise_costs_energy_and_other_angles_may_be_given() -> None:
    problem = load_problem("h2-2", 0.7414)
    circuit = lbfgs(
        make_model(problem), [Gate(kind=RY, qubit=0, angle=3.0), Gate(kind=CNOT, qubit=1, control=0)]
    ).circuit
    told = certificate_numbers(problem, circuit, make_noise(2, double_depolarising=0.005))
    assert abs(told["energy_error"]) < 1e-9
    assert told["noisy_error"] == pytest.approx(told["noise_error"], abs=1e-9)
    assert told["noise_error"] > 1e-3
    assert told["ground_overlap"] == pytest.approx(1.0)
    still = certificate_numbers(problem, circuit, angles=[0.0, 0.0])
    assert still["energy"] == pytest.approx(problem.matrix.to_dense()[0, 0])
    with pytest.raises(ValueError, match="1 angles"):
        certificate_numbers(problem, circuit, angles=[0.0])


def test_chains_have_no_sector() -> None:
    assert "electrons" not in certificate_numbers(make_chain("tfim", 3, 1.0), [])


def test_outcomes_tell_sector_oracle_and_both_energies() -> None:
    family = get_family("quantum")
    world = family.make_vec(family.resolve_task({"problem": 2, "noise_level": 0.001, "reward_kind": 3}), 1)
    world.reset(0)
    (outcome,) = world.step(np.array([STOP])).outcomes
    extras = outcome.extras
    assert extras["oracle"] == 0.0
    assert extras["electrons"] == pytest.approx(0.0)
    assert extras["sector_error"] == pytest.approx(2.0)
    assert extras["noise_error"] == pytest.approx(extras["measured_error"] - extras["energy_error"])
