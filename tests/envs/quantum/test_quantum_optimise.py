"""Optimisers and pruning: known minima, evaluation counts, repeatability."""

from __future__ import annotations

import numpy as np
import pytest

from envs.quantum.energies import energies, make_model
from envs.quantum.gates import CNOT, RY, Gate, count_gates, pack
from envs.quantum.noise import make_noise
from envs.quantum.optimise import SpsaSettings, grow_batch, lbfgs, rotosolve, spsa
from envs.quantum.problems import load_problem
from envs.quantum.prune import prune


def ladder(qubits: int, layers: int, rng: np.random.Generator) -> tuple[Gate, ...]:
    gates: list[Gate] = []
    for layer in range(layers + 1):
        gates += [Gate(kind=RY, qubit=qubit, angle=float(rng.normal())) for qubit in range(qubits)]
        if layer < layers:
            gates += [Gate(kind=CNOT, qubit=qubit + 1, control=qubit) for qubit in range(qubits - 1)]
    return tuple(gates)


def test_lbfgs_finds_the_ground_state_of_lih() -> None:
    problem = load_problem("lih-4", 3.4)
    found = lbfgs(make_model(problem), ladder(4, 5, np.random.default_rng(1)))
    assert -1e-9 < found.energy - problem.exact < 1e-4
    assert found.evaluations < 300
    assert energies(make_model(problem), pack([found.circuit]))[0] == pytest.approx(found.energy, abs=1e-12)


def test_lbfgs_under_noise_stays_above_the_noiseless_minimum() -> None:
    problem = load_problem("h2-3")
    noisy = make_model(problem, make_noise(3, single_depolarising=0.001, double_depolarising=0.005))
    found = lbfgs(noisy, ladder(3, 2, np.random.default_rng(0)), rng=np.random.default_rng(0), restarts=3)
    clean = energies(make_model(problem), pack([found.circuit]))[0]
    assert clean - problem.exact < 1.6e-3
    assert found.energy > clean + 1e-3


def test_rotosolve_finds_one_angle_exactly() -> None:
    problem = load_problem("h2-2")
    circuit = [Gate(kind=RY, qubit=1, angle=0.3), Gate(kind=CNOT, qubit=0, control=1)]
    by_sweeps, by_slopes = rotosolve(make_model(problem), circuit), lbfgs(make_model(problem), circuit)
    assert by_sweeps.energy == pytest.approx(by_slopes.energy, abs=1e-9)
    assert by_sweeps.evaluations == 1 + 2 * 2  # one sweep that gains, one that does not


def test_spsa_improves_and_counts() -> None:
    problem = load_problem("h2-2")
    model, circuit = make_model(problem), ladder(2, 1, np.random.default_rng(2))
    found = spsa(model, circuit, np.random.default_rng(0), SpsaSettings(evaluations=600))
    assert found.evaluations == 600
    assert found.energy < energies(model, pack([circuit]))[0] - 0.1
    assert found == spsa(model, circuit, np.random.default_rng(0), SpsaSettings(evaluations=600))


def test_growing_leaves_the_saddle_of_angle_zero() -> None:
    # from |00> an RX or RY at angle 0 has no slope on these Hamiltonians, yet the minimum lies half a turn away
    problem = load_problem("h2-2")
    batch = pack([[Gate(kind=RY, qubit=0)], [Gate(kind=RY, qubit=1)]])
    reached, spent = grow_batch(make_model(problem), batch, np.zeros((2, 1)))
    diagonal = np.diag(problem.matrix.to_dense())
    expected = [min(diagonal[0], diagonal[1]), min(diagonal[0], diagonal[2])]
    assert reached.tolist() == pytest.approx(expected, abs=1e-6)
    assert (spent >= 4).all()


def test_restarts_need_a_generator() -> None:
    with pytest.raises(ValueError, match="generator"):
        lbfgs(make_model(load_problem("h2-2")), [], restarts=1)


@pytest.mark.parametrize(("name", "most"), [("h2-2", 2), ("h2-3", 4), ("h2-4", 5)])
def test_pruning_reaches_the_shortest_known_circuits(name: str, most: int) -> None:
    problem = load_problem(name)
    model, rng = make_model(problem), np.random.default_rng(0)
    limit = problem.exact + 1.6e-3
    found = [prune(model, ladder(problem.qubits, 3, rng), limit, rng, restarts=2) for _ in range(4 if most > 4 else 2)]
    shortest = min(found, key=lambda one: len(one.circuit))
    assert len(shortest.circuit) <= most
    assert shortest.energy < limit
    assert sum(count_gates(shortest.circuit)) == len(shortest.circuit)


def test_pruning_refuses_a_circuit_that_is_not_accurate() -> None:
    problem = load_problem("h2-2")
    with pytest.raises(ValueError, match="not below the limit"):
        prune(make_model(problem), [], problem.exact + 1.6e-3, np.random.default_rng(0))
