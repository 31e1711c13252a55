"""Episodes: seeds, horizon, parameter sources, bad actions, the single world and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import resolve_params
from envs.gym.frames import draw_bars
from envs.gym.recipe import make_params_model
from envs.task import TaskSpec


def test_horizon_truncates_and_a_fall_terminates() -> None:
    family = get_family("gym:CartPole-v1")
    env = family.make_vec(family.resolve_task(horizon=5), 2)
    env.reset(0)
    for index in range(1, 6):
        step = env.step(np.array([index % 2, index % 2]))
        assert step.truncated.tolist() == [index == 5] * 2 and not step.terminated.any()
    assert [(o.slot, o.length, o.success, o.fitness) for o in step.outcomes] == [(0, 5, True, 1.0), (1, 5, True, 1.0)]
    assert np.abs(step.observation).max() <= 0.05  # already restarted
    assert not np.array_equal(step.observation, step.final_observation)


def test_a_fall_on_the_last_step_is_a_termination_only() -> None:
    family = get_family("gym:CartPole-v1")
    env = family.make_vec(family.resolve_task(), 1)
    env.reset(0)
    length = 0
    done = False
    while not done:
        done = bool(env.step(np.array([0])).terminated[0])
        length += 1
    short = family.make_vec(family.resolve_task(horizon=length), 1)
    short.reset(0)
    for _ in range(length):
        step = short.step(np.array([0]))
    assert (step.terminated[0], step.truncated[0]) == (True, False)


def test_worlds_of_a_batch_do_not_depend_on_its_size() -> None:
    family = get_family("gym:Pendulum-v1")
    small, large = (family.make_vec(family.resolve_task(), n) for n in (2, 5))
    assert np.array_equal(small.reset(3), large.reset(3)[:2])


def test_a_parameter_source_is_asked_once_an_episode_and_checked() -> None:
    family = get_family("gym:CartPole-v1")
    asked: list[float] = []

    def draw() -> dict[str, float]:
        asked.append(5.0 + len(asked))
        return {"gravity": asked[-1]}

    env = family.make_vec(family.resolve_task({"pole_mass": 0.5}, horizon=3), 2, draw)
    env.reset(0)
    outcomes = [outcome for _ in range(6) for outcome in env.step(np.array([0, 1])).outcomes]
    assert [outcome.params["gravity"] for outcome in outcomes] == [5.0, 6.0, 7.0, 8.0]
    assert all(outcome.params["pole_mass"] == 0.5 for outcome in outcomes)
    wrong = family.make_vec(family.resolve_task(), 1, lambda: {"gravity": 99.0})
    with pytest.raises(ValueError, match=r"gravity = 99\.0 is refused"):
        wrong.reset(0)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.array([[np.nan], [0.0]], np.float32), "not finite"),
        (np.zeros((3, 1), np.float32), r"shape \(3, 1\); give \(2, 1\)"),
        (np.zeros(2, np.float32), r"shape \(2,\); give \(2, 1\)"),
    ],
)
def test_bad_actions_are_one_clear_line(actions: Any, message: str) -> None:
    family = get_family("gym:Pendulum-v1")
    env = family.make_vec(family.resolve_task(), 2)
    with pytest.raises(ValueError, match="call reset"):
        env.step(np.zeros((2, 1), np.float32))
    env.reset(0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)


def test_wrong_tasks_and_numbers_of_worlds_are_refused() -> None:
    family = get_family("gym:Pendulum-v1")
    with pytest.raises(ValueError, match="'gym:CartPole-v1' was given to 'gym:Pendulum-v1'"):
        family.make_vec(TaskSpec(family="gym:CartPole-v1", horizon=5), 1)
    with pytest.raises(ValueError, match="give at least 1"):
        family.make_vec(family.resolve_task(), 0)
    with pytest.raises(ValueError, match=r"Did you mean 'gravity'\?"):
        family.resolve_task({"gravty": 3.0})
    with pytest.raises(ValueError, match="less than or equal to 16"):
        family.resolve_task({"gravity": 30.0})
    with pytest.raises(ValueError, match="none, this family takes no parameters"):
        resolve_params("gym:x", make_params_model("None_", ()), {"a": 1.0})


def test_a_single_world_goes_on_with_its_stream_and_needs_a_reset_after_the_end() -> None:
    family = get_family("gym:CartPole-v1")
    env = family.make(family.resolve_task(horizon=2))
    first, _ = env.reset(seed=1)
    env.step(0)
    _, _, terminated, truncated, info = env.step(1)
    assert (terminated, truncated, info["outcome"].length) == (False, True, 2)
    with pytest.raises(ValueError, match="call reset"):
        env.step(0)
    second, _ = env.reset()
    again, _ = env.reset(seed=1)
    assert np.array_equal(first, again) and not np.array_equal(first, second)
    assert np.asarray(env.render()).shape == (400, 600, 3)
    env.close()


@pytest.mark.parametrize("name", ["gym:CartPole-v1", "gym:Hopper-v5", "gym:Reacher-v5"])
def test_pictures_move_with_the_world(name: str) -> None:
    family = get_family(name)
    env = family.make_vec(family.resolve_task(), 1)
    env.reset(0)
    before = env.render()
    for _ in range(6):
        action = np.ones((1, *(env.action_space.shape or ())), np.float32)
        env.step(action if env.action_space.shape else np.ones(1, np.int64))
    assert not np.array_equal(before, env.render())
    env.close()


def test_bars_are_drawn_when_nothing_else_can() -> None:
    low, high = draw_bars({"height": -0.5}), draw_bars({"height": 0.5})
    assert low.shape == (320, 480, 3) and low.dtype == np.uint8
    assert not np.array_equal(low, high)
