"""Both simulators: golden energies of Qiskit Aer's density matrix, finite differences, channels by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.quantum.energies import Model, coefficients_of, energies, expectation, gradients, make_model, state_of
from envs.quantum.gates import CNOT, RX, RY, RZ, CircuitBatch, Gate, pack
from envs.quantum.noise import (
    KINDS,
    Noise,
    amplitude_damping,
    bit_flip,
    make_noise,
    noise_of,
    phase_flip,
    thermal_relaxation,
)
from envs.quantum.paulis import Float64, index_of
from envs.quantum.problems import load_problem, make_problem

AER = json.loads((Path(__file__).parent / "aer_density_matrix.json").read_text())
HARSH = make_noise(
    4,
    single_depolarising=0.01,
    double_depolarising=0.05,
    single=amplitude_damping(0.1),
    double=thermal_relaxation(0.2, 1.0, 0.7, 0.1),
    readout=(0.02, 0.05),
)


def test_sixty_random_circuits_agree_with_aer() -> None:
    apart = []
    for case in AER["cases"]:
        problem = make_problem("golden", [(letters, value) for letters, value in case["terms"]])
        circuit = [Gate(kind=k, qubit=q, control=c, angle=a) for k, q, c, a in case["gates"]]
        noise = None
        if case["noise"] != "none":
            noise = noise_of(KINDS.index(case["noise"]), case["level"], case["ratio"], 0.0, case["qubits"])
        apart.append(abs(energies(make_model(problem, noise), pack([circuit]))[0] - case["energy"]))
    assert len(apart) == 60
    assert {case["qubits"] for case in AER["cases"]} == {2, 3, 4, 5, 6}
    assert max(apart) < 1e-10


def slopes_by_differences(model: Model, batch: CircuitBatch, step: float = 1e-5) -> Float64:
    slopes = np.zeros(batch.angles.shape)
    for place in range(batch.angles.shape[1]):
        ends = []
        for shift in (step, -step):
            angles = batch.angles.copy()
            angles[:, place] += shift
            ends.append(energies(model, replace(batch, angles=angles)))
        slopes[:, place] = (ends[0] - ends[1]) / (2 * step)
    return slopes


@pytest.mark.parametrize("noise", [None, HARSH], ids=["noiseless", "noisy"])
def test_gradients_equal_finite_differences(noise: Noise | None, random_circuits: list[tuple[Gate, ...]]) -> None:
    model = make_model(load_problem("lih-4"), noise, start=5)
    batch = pack(random_circuits)
    found, slopes = gradients(model, batch)
    turning = batch.kinds <= RZ
    assert np.abs(slopes - slopes_by_differences(model, batch))[turning].max() < 1e-6
    assert np.abs(slopes[turning]).max() > 1e-2
    assert not slopes[~turning].any()
    assert np.abs(found - energies(model, batch)).max() < 1e-12  # sums in another order


def test_gradients_survive_a_channel_without_inverse(random_circuits: list[tuple[Gate, ...]]) -> None:
    # complete damping after every CNOT: nothing can be run backwards
    model = make_model(load_problem("lih-4"), make_noise(4, double=amplitude_damping(1.0)))
    batch = pack(random_circuits)
    turning = batch.kinds <= RZ
    slopes = gradients(model, batch)[1]
    assert np.abs(slopes - slopes_by_differences(model, batch))[turning].max() < 1e-6


def test_no_noise_in_the_noisy_simulator_is_the_noiseless_one(random_circuits: list[tuple[Gate, ...]]) -> None:
    problem = load_problem("lih-4")
    batch = pack(random_circuits)
    plain, transfer = energies(make_model(problem), batch), energies(make_model(problem, make_noise(4)), batch)
    assert np.abs(plain - transfer).max() < 1e-12


def test_bell_state_by_hand() -> None:
    circuit = [Gate(kind=RY, qubit=0, angle=math.pi / 2), Gate(kind=CNOT, qubit=1, control=0)]
    model = make_model(make_problem("pair", [("ZZ", 1.0), ("XX", 1.0)]))
    assert state_of(model, circuit).tolist() == pytest.approx([0.5**0.5, 0, 0, 0.5**0.5])
    assert energies(model, pack([circuit]))[0] == pytest.approx(2.0)


def test_rotations_by_hand() -> None:
    model = make_model(make_problem("one", [("Z", 1.0)]))
    half = math.cos(0.3), math.sin(0.3)
    assert state_of(model, [Gate(kind=RX, qubit=0, angle=0.6)]).tolist() == pytest.approx([half[0], -1j * half[1]])
    assert state_of(model, [Gate(kind=RY, qubit=0, angle=0.6)]).tolist() == pytest.approx(list(half))
    turned = state_of(model, [Gate(kind=RZ, qubit=0, angle=0.6)])
    assert turned.tolist() == pytest.approx([complex(half[0], -half[1]), 0])


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (bit_flip(0.1), [1, 1, 0, 0]),  # |+> does not mind a flip
        (phase_flip(0.1), [1, 0.8, 0, 0]),
        (amplitude_damping(0.36), [1, 0.8, 0, 0.36]),
        (thermal_relaxation(1.0, 2.0, 1.0, 0.5), [1, math.exp(-1), 0, 0]),
    ],
)
def test_channels_on_plus_by_hand(channel: tuple[float, float, float, float], expected: list[float]) -> None:
    model = make_model(make_problem("one", [("Z", 1.0)]), make_noise(1, single=channel))
    assert coefficients_of(model, [Gate(kind=RY, qubit=0, angle=math.pi / 2)]).tolist() == pytest.approx(expected)


def test_depolarising_shrinks_by_the_stated_factors() -> None:
    noise = make_noise(2, single_depolarising=0.03, double_depolarising=0.15)
    model = make_model(make_problem("pair", [("ZZ", 1.0)]), noise)
    circuit = [Gate(kind=RY, qubit=0, angle=0.0), Gate(kind=CNOT, qubit=1, control=0)]
    found = coefficients_of(model, circuit)
    # |00>: after the rotation Z of qubit 0 is 1 - 4/3 0.03 = 0.96; after CNOT ZI stays, IZ becomes old ZZ; all times 1 - 16/15 0.15
    assert found[index_of("ZI")] == pytest.approx(0.96 * 0.84)
    assert found[index_of("ZZ")] == pytest.approx(0.84)


def test_readout_error_by_hand() -> None:
    problem = make_problem("pair", [("ZZ", 1.0)])
    noise = make_noise(2, readout=(0.1, 0.3))
    # |00>: each qubit reads 1 - 2 * 0.1 = 0.8; |01> (qubit 0 is 1): -(1 - 2 * 0.3) * 0.8
    assert energies(make_model(problem, noise), pack([[]]))[0] == pytest.approx(0.64)
    assert energies(make_model(problem, noise, start=1), pack([[]]))[0] == pytest.approx(-0.32)


def test_expectation_of_a_sector() -> None:
    problem = load_problem("h2-4")
    psi = state_of(make_model(problem, start=problem.floor_state), [])
    assert expectation(problem.sectors["electrons"], psi) == pytest.approx(2.0)


def test_gates_that_kernels_must_not_see_are_refused() -> None:
    with pytest.raises(ValueError, match="is no gate"):
        Gate(kind=CNOT, qubit=1)
    with pytest.raises(ValueError, match="is no gate"):
        Gate(kind=RX, qubit=1, control=0)
    model = make_model(make_problem("pair", [("ZZ", 1.0)]))
    with pytest.raises(ValueError, match="uses qubit 2"):
        energies(model, pack([[Gate(kind=RX, qubit=2)]]))


def test_impossible_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="single_depolarising"):
        make_noise(2, single_depolarising=0.9)
    with pytest.raises(ValueError, match="T2"):
        thermal_relaxation(1.0, 1.0, 3.0)
    with pytest.raises(ValueError, match="readout"):
        make_noise(2, readout=(-0.1, 0.0))
