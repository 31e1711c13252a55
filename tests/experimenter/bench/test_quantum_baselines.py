from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.quantum.energies import make_model, state_of
from envs.quantum.machine import Machine, make_machine
from envs.quantum.params import resolve_quantum
from experimenter.bench.quantum_baselines import METHODS, _pool, _summary, floor_circuit, run, table


def machine() -> Machine:
    return make_machine(resolve_quantum("quantum", {"problem": 2, "bond_length": 0.7414}))


@pytest.mark.parametrize("method", METHODS)
def test_each_method_stays_within_its_energies(method: str) -> None:
    found = run(method, machine(), 600, 0)
    assert found["energy_error"] < 0.021  # no worse than the floor, 20.59 mHa
    assert found["spent"] < 600 + 500  # the one in progress is not cut, and not counted as found
    assert found == run(method, machine(), 600, 0)
    if method == "floor":
        assert found["energy_error"] == pytest.approx(found["floor_error"])
        assert found["spent"] == 2


def test_adapt_solves_hydrogen_from_the_floor() -> None:
    found = run("adapt", machine(), 3000, 0)
    assert 0 < found["first_success"] <= 3000
    assert found["energy_error"] < 1.6e-3


def test_the_floor_circuit_prepares_the_floor_state() -> None:
    psi = state_of(make_model(machine().problem), floor_circuit(machine()))
    assert np.abs(psi[machine().problem.floor_state]) == pytest.approx(1.0)


def test_the_pool_turns_about_pauli_strings() -> None:
    # each has one rotation with an angle and undoes its own frame: at angle 0 it is the identity
    model = make_model(machine().problem)
    for gates, place in _pool(machine()):
        assert gates[place].is_rotation
        assert np.abs(state_of(model, gates) - np.eye(16)[0]).max() < 1e-15


def test_rows_and_table() -> None:
    row = {"problem": "h2-4", "method": "floor", **_summary([run("floor", machine(), 10, 0)])}
    assert (row["successes"], row["runs"]) == (0.0, 1.0)
    assert "20.59" in table({"evaluations": 10, "rows": [row]})
