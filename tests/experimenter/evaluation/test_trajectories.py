"""Recorded episodes: whole, repeatable, and what confined reward programs pay on them."""

from __future__ import annotations

import numpy as np
import pytest

from envs.catalog import get_family
from experimenter.evaluation.trajectories import SCRIPTED, collect_trajectories
from experimenter.sandbox.returns import episode_returns


@pytest.mark.parametrize("name", ["gym:CartPole-v1", "gym:Pendulum-v1"])
def test_episodes_are_whole_and_repeatable(name: str) -> None:
    family = get_family(name)
    task = family.resolve_task({}, horizon=60)
    first = collect_trajectories(family, task, worlds=2, seed=3)
    again = collect_trajectories(family, task, worlds=2, seed=3)
    other = collect_trajectories(family, task, worlds=2, seed=4)
    assert [one.behaviour for one in first] == [name for name in SCRIPTED for _ in range(2)]
    assert all(1 <= one.length <= 60 for one in first)
    for one, two in zip(first, again, strict=True):
        assert one.fitness == two.fitness and np.array_equal(one.action, two.action)
        for key in one.state:
            assert np.array_equal(one.state[key], two.state[key])
    assert any(not np.array_equal(one.action, two.action) for one, two in zip(first, other, strict=False))
    for one in first:
        for key, before in one.state.items():
            # the world before a step is the world after the one before it
            assert np.array_equal(before[1:], one.next_state[key][:-1]), key


def test_confined_returns_are_the_sums_of_the_program() -> None:
    family = get_family("gym:Pendulum-v1")
    task = family.resolve_task({}, horizon=30)
    episodes = collect_trajectories(family, task, worlds=2, scripted=("hold", "noise"))
    good = "def compute_reward(state, action, next_state):\n    r = -np.square(action[:, 0])\n    return r, {'effort': r}\n"
    bad = (
        "def compute_reward(state, action, next_state):\n    r = np.log(action[:, 0] - 100.0)\n    return r, {'r': r}\n"
    )
    endless = "def compute_reward(state, action, next_state):\n    r = action[:, 0]\n    for i in range(10**9):\n        r = r + 1.0\n    return r, {'r': r}\n"
    paid, refused, stuck = episode_returns([good, bad, endless], family.card(), episodes)
    assert paid == pytest.approx([-float(np.square(one.action[:, 0]).sum()) for one in episodes])
    assert isinstance(refused, str) and "NaN" in refused
    assert isinstance(stuck, str) and stuck
    assert episode_returns([], family.card(), episodes) == []
    assert episode_returns([good], family.card(), []) == [()]
