"""The worlds: batch and single, masks, order of work, noise, endings, rewards, encodings, drawing."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from envs.catalog import get_family
from envs.quantum.actions import STOP, encode
from envs.quantum.batch import QuantumBatch
from envs.quantum.encoding import crlqas_observation, crlqas_tensor
from envs.quantum.energies import energies, make_model
from envs.quantum.env import QuantumEnv
from envs.quantum.gates import CNOT, RX, RY, Gate, count_gates, depth, pack, to_qasm
from envs.quantum.problems import PROBLEMS, load_problem
from envs.quantum.rewards import Change, pay
from envs.task import ParamValue
from envs.testing import check_family

H2 = PROBLEMS.index("h2-2")


def make_batch(n: int = 1, horizon: int = 40, **params: ParamValue) -> QuantumBatch:
    family = get_family("quantum")
    env = family.make_vec(family.resolve_task({"problem": H2, "bond_length": 0.7414, **params}, horizon=horizon), n)
    assert isinstance(env, QuantumBatch)
    env.reset(0)
    return env


def act(env: QuantumBatch, *gate: int) -> Any:
    return env.step(np.full(env.num_envs, encode(*gate) if gate else STOP))


def test_contract_on_noisy_and_other_tasks() -> None:
    family = get_family("quantum")
    noisy: dict[str, ParamValue] = {"problem": H2, "noise_level": 0.002, "readout_error": 0.01, "noise_kind": 3}
    check_family(family, [family.resolve_task(noisy)])


def test_two_gates_reach_the_ground_state_of_h2() -> None:
    # the ground state is a |00> + b |11>: RY, then CNOT from the same qubit
    env = make_batch()
    assert not act(env, RY, 0).outcomes
    step = act(env, CNOT, 1, 0)
    (outcome,) = step.outcomes
    assert outcome.success
    assert abs(outcome.extras["energy_error"]) < 1e-8
    assert (outcome.length, outcome.extras["gates"]) == (2, 2.0)
    assert outcome.fitness == pytest.approx(1.0 + 0.5 * (1 - 2 / 40))
    assert step.reward.tolist() == [5.0]


def test_the_gate_is_added_first_and_optimised_after() -> None:
    env = make_batch()
    before = env.named_state()["energy"][0]
    after = act(env, RY, 0).next_state["energy"][0]
    diagonal = np.diag(load_problem("h2-2").matrix.to_dense())
    assert before == pytest.approx(diagonal[0])
    assert after == pytest.approx(min(diagonal[0], diagonal[1]), abs=1e-9)


def test_success_by_greedy_search_ends_the_episode_with_plus_five() -> None:
    env = make_batch()
    rng = np.random.default_rng(1)
    for _ in range(400):
        masks = env.action_masks()
        masks[:, STOP] = False
        step = env.step(np.where(masks, rng.random(masks.shape), -1).argmax(axis=1))
        if step.outcomes and step.outcomes[0].success:
            outcome = step.outcomes[0]
            assert step.reward[0] == 5.0
            assert step.terminated[0]
            assert outcome.extras["energy_error"] < 1.6e-3
            assert outcome.fitness == pytest.approx(1.0 + 0.5 * (1 - outcome.extras["gates"] / 40))
            assert outcome.extras["gates"] == outcome.extras["two_qubit_gates"] + outcome.extras["rotations"]
            assert outcome.extras["evaluations"] > outcome.extras["gates"]
            return
    pytest.fail("random search does not solve H2 in 400 steps")


def test_illegal_actions_add_nothing() -> None:
    env = make_batch()
    step = act(env, CNOT, 1, 0)  # control still |0>
    assert step.reward.tolist() == [-0.1]
    assert step.next_state["gates"].tolist() == [0.0]
    assert step.next_state["illegal"].tolist() == [1.0]
    step = act(env, RY, 7)  # no such qubit
    assert step.next_state["illegal"].tolist() == [1.0]


def test_stop_and_a_full_circuit_end_the_episode() -> None:
    stopped = act(make_batch())
    assert stopped.terminated.tolist() == [True]
    assert stopped.reward.tolist() == [-5.0]
    assert not stopped.outcomes[0].success
    full = act(make_batch(max_gates=1), RX, 0)
    assert full.terminated.tolist() == [True]


def test_oracle_free_episodes_do_not_end_at_success() -> None:
    free, oracle = make_batch(reward_kind=3, threshold=100.0), make_batch(threshold=100.0)
    # one RY turns |00> into the Hartree-Fock state on one of the two qubits, 20 mHa above the ground state
    done: dict[str, list[bool]] = {"free": [], "oracle": []}
    for name, env in (("free", free), ("oracle", oracle)):
        for qubit in (0, 1):
            done[name].append(bool(act(env, RY, qubit).terminated[0]))
    assert not any(done["free"])
    assert any(done["oracle"])
    assert act(free).outcomes[0].success


def test_noise_raises_the_measured_energy_and_success_is_noiseless() -> None:
    env = make_batch(noise_level=0.005, reward_kind=3)
    for qubit in (0, 1):
        act(env, RY, qubit)
    state = env.named_state()
    assert state["noise_error"][0] > 1e-4
    circuit, problem = env.circuit(0), load_problem("h2-2")
    true = energies(make_model(problem), pack([circuit]))[0]
    assert state["energy_error"][0] == pytest.approx(true - problem.exact, abs=1e-12)


def test_random_halting_draws_a_smaller_limit_for_each_episode() -> None:
    limits = make_batch(64, halting=1).named_state()["gates_left"]
    # negative binomial (40, 0.6): mean 26.7, within 10 to 40
    assert 24 < limits.mean() < 30
    assert limits.min() >= 10
    assert len(set(limits.tolist())) > 5


def test_mixed_problems_in_one_batch_equal_single_worlds() -> None:
    family = get_family("quantum")
    problems = iter([0, 3, 1])
    mixed = family.make_vec(family.resolve_task(), 3, lambda: {"problem": next(problems)})
    mixed.reset(0)
    step = mixed.step(np.full(3, encode(RY, 1)))
    for slot, problem in enumerate((0, 3, 1)):
        alone = family.make_vec(family.resolve_task({"problem": problem}), 1)
        alone.reset(0)
        energy = alone.step(np.array([encode(RY, 1)])).next_state["energy"][0]
        assert step.next_state["energy"][slot] == pytest.approx(energy, abs=1e-9)


CHANGE = {"before": -1.0, "after": -1.1, "exact": -1.5, "legal": True, "added_pair": False, "added_gate": True}
OPEN = {**CHANGE, "solved": False, "over": False}


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        (0, {}, 0.2),  # a tenth gained of a half
        (0, {"after": -0.2}, -1.0),
        (0, {"solved": True, "over": True}, 5.0),
        (0, {"over": True}, -5.0),
        (0, {"legal": False, "added_gate": False}, -0.1),
        (1, {}, 0.0),
        (2, {}, 0.19),
        (2, {"added_pair": True}, 0.17),
        (3, {"after": -1.01}, 0.19),  # 20 times 0.01 less the rotation
        (3, {"solved": True, "over": True, "after": -1.0}, -0.01),
    ],
)
def test_rewards_by_hand(kind: int, changes: dict[str, Any], expected: float) -> None:
    assert pay(kind, Change(**{**OPEN, **changes})) == pytest.approx(expected)


def test_published_tensor_by_hand() -> None:
    circuit = [
        Gate(kind=RY, qubit=0, angle=0.5),
        Gate(kind=RX, qubit=2, angle=-0.25),
        Gate(kind=CNOT, qubit=1, control=0),
        Gate(kind=RY, qubit=2, angle=1.0),
    ]
    tensor = crlqas_tensor(circuit, 3, 4)
    assert tensor.shape == (4, 9, 3)
    ones = {tuple(place) for place in np.argwhere(tensor == 1.0).tolist()}
    # moment 0: RY on 0, RX on 2; moment 1: CNOT (row target 1, column control 0), RY on 2 with angle 1
    assert ones == {(0, 4, 0), (0, 3, 2), (1, 1, 0), (1, 4, 2), (1, 7, 2)}
    assert tensor[0, 7, 0] == 0.5
    assert tensor[0, 6, 2] == -0.25
    assert crlqas_observation(np.zeros((40, 10, 4)), -7.8).shape == (1121,)  # the published LiH-4 size
    assert crlqas_observation(np.zeros((70, 12, 6)), -7.8).shape == (3781,)
    assert depth(circuit) == 2
    assert count_gates(circuit) == (1, 3)
    with pytest.raises(ValueError, match="does not fit"):
        crlqas_tensor(circuit, 3, 1)


def test_qasm_text() -> None:
    text = to_qasm([Gate(kind=RY, qubit=0, angle=math.pi), Gate(kind=CNOT, qubit=1, control=0)], 2, start=2)
    assert text.splitlines() == [
        "OPENQASM 3.0;",
        'include "stdgates.inc";',
        "qubit[2] q;",
        "x q[1];",
        "ry(3.141592653589793) q[0];",
        "cx q[0], q[1];",
    ]


def test_single_world_masks_and_published_tensor() -> None:
    family = get_family("quantum")
    env = family.make(family.resolve_task({"problem": H2}))
    assert isinstance(env, QuantumEnv)
    env.reset(seed=0)
    assert env.action_masks().sum() == 4 + 1  # RX, RY on each qubit and STOP: RZ and CNOT do nothing yet
    env.step(np.int64(encode(RX, 0)))
    assert env.crlqas_tensor().shape == (40, 8, 2)
    assert env.crlqas_tensor()[0, 2, 0] == 1.0


def test_frame_changes_with_the_circuit() -> None:
    env = make_batch()
    empty = env.render()
    act(env, RX, 0)
    assert (env.render() != empty).any()


def test_the_card_needs_no_compiler() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from envs.quantum.family import QuantumFamily\n"
        "family = QuantumFamily(); family.card(); family.resolve_task({'threshold': 1.0})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_missing_numba_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.quantum.compiled.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"install the extra with pip install 'rl-experimenter\[quantum\]'"):
        get_family("quantum")
