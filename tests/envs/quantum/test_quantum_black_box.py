"""Optimisers that see energies only, and the worlds that use them: counts, minima by hand, shots."""

from __future__ import annotations

import math

import numpy as np
import pytest

from envs.catalog import get_family
from envs.quantum.actions import encode
from envs.quantum.batch import QuantumBatch
from envs.quantum.black_box import cobyla_by, rotosolve_by, spsa_by
from envs.quantum.gates import RY
from envs.quantum.optimise import SpsaSettings
from envs.quantum.paulis import Float64
from envs.task import ParamValue


def bowl(angles: Float64) -> float:
    """2 - cos(a - 0.3) - 0.5 cos(b + 1): least 0.5 at (0.3, -1); the last angle belongs to a CNOT."""
    return 2.0 - math.cos(angles[0] - 0.3) - 0.5 * math.cos(angles[1] + 1.0)


TURNING = np.array([True, True, False])
START = np.array([2.0, 1.5, 0.0])


def test_rotosolve_is_exact_in_one_sweep_on_separate_angles() -> None:
    found = rotosolve_by(bowl, START, TURNING)
    assert found.energy == pytest.approx(0.5, abs=1e-12)
    assert found.angles[:2].tolist() == pytest.approx([0.3, -1.0])
    assert found.evaluations == 2 * (3 * 2 + 1)  # one sweep that gains, one that does not


def test_spsa_spends_what_it_may_and_improves() -> None:
    found = spsa_by(bowl, START, TURNING, np.random.default_rng(0), SpsaSettings(evaluations=900))
    assert found.evaluations == 900
    assert found.energy < 0.52
    assert found.angles[2] == 0.0


def test_cobyla_minimises_within_its_evaluations() -> None:
    pytest.importorskip("nlopt")
    found = cobyla_by(bowl, START, TURNING, evaluations=300)
    assert found.energy == pytest.approx(0.5, abs=1e-8)
    assert found.evaluations <= 300
    assert cobyla_by(bowl, START, np.zeros(3, dtype=bool)).evaluations == 1


def make_world(**params: ParamValue) -> QuantumBatch:
    family = get_family("quantum")
    given: dict[str, ParamValue] = {"problem": 0, "bond_length": 0.7414, **params}
    world = family.make_vec(family.resolve_task(given), 2)
    assert isinstance(world, QuantumBatch)
    world.reset(0)
    return world


@pytest.mark.parametrize("optimiser", [0, 1, 2])
def test_worlds_reach_the_same_minimum_by_each_optimiser(optimiser: int) -> None:
    step = make_world(optimiser=optimiser).step(np.full(2, encode(RY, 0)))
    best = make_world().step(np.full(2, encode(RY, 0))).next_state["energy"]
    assert step.next_state["energy"].tolist() == pytest.approx(best.tolist(), abs=1e-3)
    assert (step.next_state["evaluations"] > 3).all()


def test_shots_scatter_the_measured_energy_and_leave_the_true_one() -> None:
    world = make_world(shots=200)
    step = world.step(np.full(2, encode(RY, 0)))
    exact = make_world().step(np.full(2, encode(RY, 0))).next_state
    assert step.next_state["energy_error"].tolist() == pytest.approx(exact["energy_error"].tolist(), abs=1e-6)
    assert step.next_state["energy"][0] != step.next_state["energy"][1]
    assert 0 < np.abs(step.next_state["noise_error"]).max() < 0.2
