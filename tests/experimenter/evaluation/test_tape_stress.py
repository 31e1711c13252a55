"""Tapes of real worlds: whole episodes, true outcomes, repeatable; and perturbed worlds that differ as they say."""

from __future__ import annotations

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import FloatArray
from experimenter.evaluation.rollout import RolloutError
from experimenter.evaluation.stress import LONGER, record_stress
from experimenter.evaluation.tape import Tape, random_act, record_tape

CARTPOLE = get_family("gym:CartPole-v1")
TASK = CARTPOLE.resolve_task(horizon=60)
PENDULUM = get_family("gym:Pendulum-v1")


def lean(observation: FloatArray) -> FloatArray:
    """A fair balancer: push to the side to which the pole leans or falls."""
    return np.asarray(observation[:, 2] + 0.5 * observation[:, 3] > 0, dtype=np.int64)


def left(observation: FloatArray) -> FloatArray:
    return np.zeros(len(observation), np.int64)


def lengths(tape: Tape) -> list[int]:
    return [outcome.length for outcome in tape.outcomes]


def test_a_tape_holds_whole_episodes() -> None:
    tape = record_tape(CARTPOLE, TASK, left, 7, 3)
    assert np.bincount(tape.episode).tolist() == lengths(tape)
    assert tape.terminated == (True, True, True)
    assert [outcome.fitness for outcome in tape.outcomes] == [
        pytest.approx((length - 1) / 60, abs=1e-9) for length in lengths(tape)
    ]
    for episode in range(3):
        rows = tape.episode == episode
        position = tape.state["cart_position"][rows]
        # each state is the successor of the one before it, and the first is near the middle
        assert np.array_equal(position[1:], tape.next_state["cart_position"][rows][:-1])
        assert abs(position[0]) <= 0.05
    assert tape.action.shape == (len(tape.episode), 1) and not tape.action.any()


def test_a_tape_is_repeatable_and_depends_on_its_seed() -> None:
    first, again, other = (record_tape(CARTPOLE, TASK, left, seed, 3) for seed in (7, 7, 8))
    assert np.array_equal(first.state["pole_angle"], again.state["pole_angle"])
    assert not np.array_equal(first.state["pole_angle"][:3], other.state["pole_angle"][:3])


def test_actions_are_kept_as_the_worlds_clip_them() -> None:
    task = PENDULUM.resolve_task(horizon=3)
    tape = record_tape(PENDULUM, task, lambda o: np.full((len(o), 1), 99.0), 1, 2)
    assert tape.action.tolist() == [[2.0]] * 6
    assert tape.terminated == (False, False)


def test_a_random_policy_uses_its_whole_range() -> None:
    env = PENDULUM.make_vec(PENDULUM.resolve_task(), 1)
    act = random_act(env.action_space, np.random.default_rng(0))
    drawn = act(np.zeros((1000, 3)))
    assert drawn.shape == (1000, 1) and -2.0 <= drawn.min() < -1.9 and 1.9 < drawn.max() <= 2.0


def test_a_policy_without_finite_actions_is_said() -> None:
    with pytest.raises(RolloutError, match="non-finite action"):
        record_tape(PENDULUM, PENDULUM.resolve_task(horizon=3), lambda o: np.full((len(o), 1), np.nan), 1, 2)


def test_every_stress_changes_what_it_says() -> None:
    plain = record_tape(CARTPOLE, TASK, lean, 7, 4)
    found = {stressed.world: stressed.tape for stressed in record_stress(CARTPOLE, TASK, lean, 7, 4)}
    assert list(found) == ["longer", "parameters", "observations", "actions"]
    assert lengths(plain) == [60] * 4
    assert lengths(found["longer"]) == [round(60 * LONGER)] * 4
    drawn = [outcome.params["gravity"] for outcome in found["parameters"].outcomes]
    assert len(set(drawn)) == 4 and all(2.0 <= float(value) <= 25.0 for value in drawn)
    same = found["observations"].outcomes[0].params == plain.outcomes[0].params
    assert same and not np.array_equal(found["observations"].action, plain.action)
    assert not np.array_equal(found["actions"].action[:40], plain.action[:40])


def test_a_stress_is_repeatable() -> None:
    first, again = (record_stress(CARTPOLE, TASK, lean, 7, 2) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.tape.action, two.tape.action)
