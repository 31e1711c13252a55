"""Recorded episodes: whole, repeatable, and of behaviours that differ."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from envs.catalog import get_family
from experimenter.evaluation.trajectories import SCRIPTED, collect_tapes, script


@pytest.mark.parametrize("name", ["gym:CartPole-v1", "gym:Pendulum-v1"])
def test_episodes_are_whole_and_repeatable(name: str) -> None:
    family = get_family(name)
    task = family.resolve_task({}, horizon=60)
    first = collect_tapes(family, task, worlds=2, seed=3)
    again = collect_tapes(family, task, worlds=2, seed=3)
    other = collect_tapes(family, task, worlds=2, seed=4)
    assert [behaviour for behaviour, _ in first] == list(SCRIPTED)
    for (_, one), (_, two) in zip(first, again, strict=True):
        assert [o.fitness for o in one.outcomes] == [o.fitness for o in two.outcomes]
        assert np.array_equal(one.action, two.action)
    assert any(not np.array_equal(one.action, two.action) for (_, one), (_, two) in zip(first, other, strict=True))
    for _, tape in first:
        assert len(tape.outcomes) == 2 and np.bincount(tape.episode).tolist() == [o.length for o in tape.outcomes]
        for key, before in tape.state.items():
            # the world before a step is the world after the one before it
            mine = tape.episode == 0
            assert np.array_equal(before[mine][1:], tape.next_state[key][mine][:-1]), key


@pytest.mark.parametrize("name", SCRIPTED)
def test_actions_lie_in_the_space(name: str) -> None:
    box = gymnasium.spaces.Box(np.array([0.0, -np.inf], np.float32), np.array([4.0, np.inf], np.float32))
    act = script(name, box, 3, np.random.default_rng(0))
    taken = np.stack([act(np.ones((3, 5))) for _ in range(50)])
    assert taken.shape == (50, 3, 2)
    assert taken[..., 0].min() >= 0.0 and taken[..., 0].max() <= 4.0
    assert np.abs(taken[..., 1]).max() <= 1000.0
    choose = script(name, gymnasium.spaces.Discrete(3), 3, np.random.default_rng(0))
    chosen = np.stack([choose(np.ones((3, 5))) for _ in range(50)])
    assert set(np.unique(chosen)) <= {0, 1, 2}
    assert np.array_equal(taken[0], taken[-1]) is (name in ("nothing", "hold", "weak feedback", "strong feedback"))


def test_an_action_space_without_scripts_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match="no scripted behaviour for the action space"):
        script("hold", gymnasium.spaces.MultiBinary(3), 2, np.random.default_rng(0))
