"""The trainer `fly`: its gradients against finite differences, its replay by hand, its curriculum, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.catalog import get_family
from experimenter.errors import JobError, UsageError
from experimenter.trainers.base import Command, Problem, TrainBudget, TrainedPolicy
from experimenter.trainers.fly import FlyTrainer
from experimenter.trainers.fly_network import Adam, Stack, follow
from experimenter.trainers.fly_replay import Replay
from skills.artifact import make_policy

NO_WEIGHTS = np.empty(0, np.float32)


def make_stack(count: int = 2) -> Stack:
    return Stack([3, 5, 4, 2], count=count, last_gain=1.0, rng=np.random.default_rng(0))


def test_gradients_agree_with_finite_differences() -> None:
    stack = make_stack()
    for name in ("flat", "gradient"):  # in float64, so that differences mean something
        setattr(stack, name, getattr(stack, name).astype(np.float64))
    stack.weights, stack.biases = stack._views(stack.flat)
    stack._weight_gradients, stack._bias_gradients = stack._views(stack.gradient)
    rng = np.random.default_rng(1)
    x: Any = rng.normal(size=(7, 3))
    slope: Any = rng.normal(size=(2, 7, 2))

    def loss() -> float:
        return float((stack.forward(x) * slope).sum())

    stack.forward(x, keep=True)
    to_input = stack.backward(slope.copy(), to_input=True)
    for index in rng.integers(0, stack.flat.size, 40).tolist():
        before, step = float(stack.flat[index]), 1e-6
        stack.flat[index] = before + step
        above = loss()
        stack.flat[index] = before - step
        below = loss()
        stack.flat[index] = before
        assert stack.gradient[index] == pytest.approx((above - below) / (2 * step), abs=1e-6)
    above, below = x.copy(), x.copy()
    above[3, 1] += 1e-6
    below[3, 1] -= 1e-6
    difference = ((stack.forward(above) - stack.forward(below)) * slope).sum() / 2e-6
    assert to_input.sum(axis=0)[3, 1] == pytest.approx(difference, abs=1e-6)


def test_the_networks_of_a_stack_are_independent_and_followed() -> None:
    stack, target = make_stack(), make_stack()
    assert not np.allclose(*stack.forward(np.ones((1, 3), np.float32)))
    stack.flat += 1.0
    before = target.flat.copy()
    follow(target, stack, 0.25)
    assert target.flat == pytest.approx(0.75 * before + 0.25 * stack.flat)


def test_adam_takes_its_first_step_against_the_gradients_sign() -> None:
    stack = make_stack(1)
    before = stack.flat.copy()
    stack.gradient[:] = np.linspace(-1, 1, stack.flat.size)
    Adam(stack).step(0.01)
    moved = np.abs(stack.gradient) > 1e-3
    assert (stack.flat - before)[moved] == pytest.approx(-0.01 * np.sign(stack.gradient[moved]), abs=1e-4)


def fill(replay: Replay, steps: int, *, terminated: int = -1, cut: int = -1) -> None:
    """One world; observation and reward of step t are t, the penalty is 1."""
    for t in range(steps):
        replay.add(
            observation=np.array([[t]]),
            state=np.array([[t]]),
            action=np.array([[0.0]]),
            reward=np.array([t]),
            penalty=np.array([[1.0]]),
            terminated=np.array([t == terminated]),
            cut=np.array([t == cut]),
        )


def draw(replay: Replay, n_step: int, weights: Any = (0.0,)) -> dict[int, tuple[float, float, int]]:
    """Start -> (reward, discount, successor) over many draws at a gamma of 0.5."""
    batch = replay.draw(400, n_step, 0.5, np.asarray(weights, np.float32), np.random.default_rng(0))
    rows = zip(
        batch.observation[:, 0].tolist(),
        batch.reward.tolist(),
        batch.discount.tolist(),
        batch.next_observation[:, 0].tolist(),
        strict=True,
    )
    return {int(start): (reward, discount, int(after)) for start, reward, discount, after in rows}


def test_n_step_returns_by_hand() -> None:
    replay = Replay(10, 1, 1, 1, 1, 1)
    fill(replay, 6)
    found = draw(replay, 2)
    assert sorted(found) == [0, 1, 2, 3]
    assert found[2] == (2 + 0.5 * 3, 0.25, 4)


def test_a_true_end_stops_the_sum_and_a_cut_is_not_drawn() -> None:
    replay = Replay(10, 1, 1, 1, 1, 1)
    fill(replay, 9, terminated=3, cut=6)
    found = draw(replay, 2)
    assert found[2] == (2 + 0.5 * 3, 0.0, 4) and found[3] == (3.0, 0.0, 5)
    assert {5, 6}.isdisjoint(found) and 4 in found


def test_a_full_ring_never_joins_its_newest_and_oldest_row() -> None:
    replay = Replay(6, 1, 1, 1, 1, 1)
    fill(replay, 10)  # rows hold steps 4 to 9
    assert sorted(draw(replay, 3)) == [4, 5, 6]
    assert all(after == start + 3 for start, (_, _, after) in draw(replay, 3).items())


def test_raised_weights_change_rewards_that_are_already_stored() -> None:
    replay = Replay(10, 1, 1, 1, 1, 1)
    fill(replay, 4, terminated=1)
    assert draw(replay, 1)[2][0] == 2.0 and draw(replay, 1, (0.5,))[2][0] == 1.5
    assert draw(replay, 1, (0.5,))[1][0] == 1.0  # a crash is paid as it is


def train(folder: Path, steps: int, seed: int = 0, **settings: Any) -> TrainedPolicy:
    family = get_family("quadrotor")
    task = family.resolve_task({"goal": 0, "action_mode": 1, "airframe": 1, "leash": 0.6, "history": 2}, horizon=60)
    probe = family.make_vec(task, 1)
    problem = Problem(
        make_vec=lambda n: family.make_vec(task, n),
        observation_space=probe.observation_space,
        action_space=probe.action_space,
        folder=folder,
        family="quadrotor",
        settings={
            "num_envs": 8,
            "warm_steps": 400,
            "batch": 32,
            "updates": 1,
            "critic_first": 10,
            "curriculum_every": 400,
            **settings,
        },
    )
    return FlyTrainer().train(
        problem, TrainBudget(steps=steps, schedule_steps=2000), seed, lambda progress: Command.CONTINUE
    )


def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    """A run that stops at a checkpoint's step and goes on from the file equals one that never stopped."""
    whole = train(tmp_path / "whole", 1600, checkpoint_steps=800)
    train(tmp_path / "parts", 800, checkpoint_steps=800)
    resumed = train(tmp_path / "parts", 1600, checkpoint_steps=800)
    assert whole.steps == resumed.steps == 1600
    assert all(np.array_equal(value, resumed.tensors[name]) for name, value in whole.tensors.items())


def test_the_policy_plays_in_numpy(tmp_path: Path) -> None:
    policy = train(tmp_path, 800)
    actions = make_policy(policy.spec, policy.tensors).act(np.zeros((3, 48), np.float32))
    assert actions.shape == (3, 4) and np.abs(actions).max() <= 1.0


def test_bad_settings_and_other_checkpoints_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="replay_steps=1000 of the trainer fly is too small for 512 worlds"):
        train(tmp_path, 100, num_envs=512, replay_steps=1000)
    train(tmp_path, 800)
    with pytest.raises(JobError, match="settings hidden='64x64', this job has '32x32'"):
        train(tmp_path, 900, hidden="32x32")


@pytest.mark.slow
def test_it_learns_pendulum(tmp_path: Path) -> None:
    family = get_family("gym:Pendulum-v1")
    task = family.resolve_task()
    probe = family.make_vec(task, 1)
    problem = Problem(
        make_vec=lambda n: family.make_vec(task, n),
        observation_space=probe.observation_space,
        action_space=probe.action_space,
        folder=tmp_path,
        family="gym:Pendulum-v1",
    )
    policy = FlyTrainer().train(
        problem, TrainBudget(steps=30_000, schedule_steps=30_000), 0, lambda progress: Command.CONTINUE
    )
    env, act = family.make_vec(task, 20), make_policy(policy.spec, policy.tensors)
    returns: list[float] = []
    observation = env.reset(10**6)
    while len(returns) < 20:
        batch = env.step(act.act(observation))
        observation = batch.observation
        returns += [outcome.native_return for outcome in batch.outcomes]
    assert np.mean(returns) > -300  # a random policy gets about -1,200, a good one -150
