"""Shipped Hamiltonians: exact energies and floors of the published benchmark, digests, refusals."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest

from envs.quantum import problems
from envs.quantum.paulis import index_of, sparse_matrix, weigh
from envs.quantum.problems import PROBLEMS, list_settings, load_problem, make_chain, make_problem

# name, bond length in angstrom, exact energy in Ha, floor above it in mHa, Pauli strings (identity included)
PUBLISHED = [
    ("h2-2", 0.7414, -1.1372701747, 20.59, 5),
    ("h2-3", 0.7414, -1.1372701747, 20.59, 10),
    ("h2-4", 0.70, -1.1361894542, 18.84, 15),
    ("h2-4", 0.7414, -1.1372701746, 20.59, 15),
    ("h2-4", 2.63, -0.9349902272, 2.77, 15),
    ("lih-4", 1.2, -7.8506984711, 15.08, 100),
    ("lih-4", 2.2, -7.8448791504, 36.88, 100),
    ("lih-4", 3.4, -7.7890887260, 119.03, 100),
    ("lih-6", 2.2, -7.8448791504, 36.88, 118),
    ("lih-6", 3.4, -7.7890887260, 70.83, 118),
    ("h2o-8-paper", 0.51, -73.2941067593, 2.63, 193),
    ("h2o-8", 0.97, -74.9723355877, 7.81, 193),
]


@pytest.mark.parametrize(("name", "length", "exact", "floor_mha", "strings"), PUBLISHED)
def test_exact_energy_and_floor(name: str, length: float, exact: float, floor_mha: float, strings: int) -> None:
    problem = load_problem(name, length)
    dense = problem.matrix.to_dense()
    assert abs(problem.exact - exact) < 1e-6
    assert abs(np.linalg.eigvalsh(dense)[0] - problem.exact) < 1e-9
    assert abs(dense[problem.floor_state, problem.floor_state] - problem.floor) < 1e-9
    assert abs(problem.floor_error * 1e3 - floor_mha) < 0.006
    assert len(problem.terms) == strings


def test_the_published_lower_bounds_come_out() -> None:
    # the published "minimum energy" is minus the sum of absolute weights
    assert sum(abs(value) for _, value in load_problem("h2-2").terms) == pytest.approx(1.320446366, abs=1e-6)
    assert sum(abs(value) for _, value in load_problem("h2-3").terms) == pytest.approx(1.983914462, abs=1e-6)
    assert sum(abs(value) for _, value in load_problem("h2o-8-paper").terms) == pytest.approx(77.89106685, abs=1e-5)


def test_matrix_of_each_letter_by_hand() -> None:
    assert sparse_matrix([("X", 2.0)]).to_dense().tolist() == [[0, 2], [2, 0]]
    assert sparse_matrix([("Z", 1.0)]).to_dense().tolist() == [[1, 0], [0, -1]]
    # Y Y maps |00> to -|11> and |01> to |10>
    expected = [[0, 0, 0, -1], [0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0]]
    assert sparse_matrix([("YY", 1.0)]).to_dense().tolist() == expected
    # the first letter is qubit 0, the lowest bit
    assert np.diag(sparse_matrix([("ZI", 1.0)]).to_dense()).tolist() == [1, -1, 1, -1]


def test_weights_sit_at_base_four_digits() -> None:
    assert index_of("XZ") == 1 + 4 * 3
    assert weigh([("XZ", 0.5)])[13] == 0.5


def test_ising_chain_of_two_sites_by_hand() -> None:
    # -ZZ - g(X1 + X2): ground energy -sqrt(1 + 4 g^2)
    assert make_chain("tfim", 2, 1.0).exact == pytest.approx(-(5**0.5))


def test_heisenberg_pair_is_a_singlet() -> None:
    assert make_chain("heisenberg", 2, 0.0).exact == pytest.approx(-3.0)


def test_the_nearest_geometry_is_taken() -> None:
    assert load_problem("lih-4", 2.26).setting == 2.2
    assert 1.2 in list_settings("lih-4")


def test_every_problem_of_the_list_loads() -> None:
    for name in PROBLEMS:
        problem = load_problem(name)
        assert problem.name == name
        assert problem.exact <= problem.floor
        assert len(problem.digest) == 64


def test_sectors_count_electrons_in_the_ground_state() -> None:
    problem = load_problem("h2-4", 0.7414)
    _, states = np.linalg.eigh(problem.matrix.to_dense())
    ground = states[:, 0]
    electrons = ground @ sparse_matrix(problem.sectors["electrons"]).to_dense() @ ground
    spin = ground @ sparse_matrix(problem.sectors["spin_z"]).to_dense() @ ground
    assert electrons == pytest.approx(2.0)
    assert spin == pytest.approx(0.0, abs=1e-12)


def test_a_damaged_list_is_refused() -> None:
    document = json.loads(files("envs.quantum").joinpath("data", "h2-2.json").read_text())
    document["points"][0]["terms"][0][1] += 1e-6
    with pytest.raises(ValueError, match="damaged"):
        problems.problem_from(document, document["points"][0])


@pytest.mark.parametrize(
    ("name", "told"), [("lih4", "Did you mean 'lih-4'"), ("tfim-9", "2 to 8 sites"), ("caffeine", "Known: h2-2")]
)
def test_unknown_problems_are_refused(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        load_problem(name)


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ([], "at least one"),
        ([("XY", 1.0)], "odd number of Y"),
        ([("XQ", 1.0)], "not 2 letters"),
        ([("Z" * 20, 1.0)], "At most 12 fit"),
    ],
)
def test_hamiltonians_that_cannot_be_simulated_are_refused(terms: list[tuple[str, float]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make_problem("mine", terms)
