"""MiniGrid-DoorKey: the state is the truth of the grid, and the errand is graded by how far it got."""

from __future__ import annotations

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import BatchEnv, NamedState
from envs.gym.doorkey import Errand
from envs.gym.recipe import Ending, Score

FAMILY = "gym:MiniGrid-DoorKey-5x5-v0"
LEFT, RIGHT, FORWARD, PICK_UP, PUT_DOWN, TOGGLE = range(6)
WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""What the agent faces after 0, 1, 2, 3 turns to the right from facing right."""


def score_end(*, had_key: bool, unlocked: bool, arrived: bool, length: int) -> Score:
    errand = Errand(1)
    truth: NamedState = {"carries_key": np.array([float(had_key)]), "door_unlocked": np.array([float(unlocked)])}
    errand.begin(0, truth)
    errand.advance(truth, np.array([0]))
    ending = Ending(slot=0, length=length, horizon=250, terminated=arrived, native_return=0.0, params={})
    return errand.close(ending, truth)


@pytest.mark.parametrize(
    ("had_key", "unlocked", "arrived", "length", "fitness"),
    [
        (False, False, False, 250, 0.0),
        (True, False, False, 250, 0.2),
        (True, True, False, 250, 0.4),
        (True, True, True, 250, 0.6),
        (True, True, True, 25, 0.96),  # 0.6 + 0.4 * (1 - 25 / 250)
    ],
)
def test_the_errand_is_graded(had_key: bool, unlocked: bool, arrived: bool, length: int, fitness: float) -> None:
    score = score_end(had_key=had_key, unlocked=unlocked, arrived=arrived, length=length)
    assert score.fitness == pytest.approx(fitness)
    assert score.success is arrived


def make_world(seed: int) -> BatchEnv:
    family = get_family(FAMILY)
    env = family.make_vec(family.resolve_task(), 1)
    env.reset(seed)
    return env


def now(env: BatchEnv) -> dict[str, float]:
    return {name: float(value[0]) for name, value in env.named_state().items()}


def face(env: BatchEnv, way: tuple[int, int]) -> None:
    """Turn right until the agent faces `way`."""
    for _ in range(4):
        state = now(env)
        if (state["ahead_x"] - state["agent_x"], state["ahead_y"] - state["agent_y"]) == way:
            return
        env.step(np.array([RIGHT]))
    raise AssertionError(f"never faced {way}")


def walk_beside(env: BatchEnv, x: float, y: float) -> None:
    """Walk on the left side's free tiles (one column) until (x, y) lies ahead."""
    for _ in range(10):
        state = now(env)
        dx, dy = x - state["agent_x"], y - state["agent_y"]
        if abs(dx) + abs(dy) == 1:
            face(env, (int(dx), int(dy)))
            return
        face(env, (0, int(np.sign(dy))))
        env.step(np.array([FORWARD]))
    raise AssertionError("never got there")


def find_straight_room() -> BatchEnv:
    """A room in which the key lies on the way from the agent's place to no other place that it needs."""
    for seed in range(200):
        env = make_world(seed)
        state = now(env)
        if state["door_y"] == state["agent_y"] and abs(state["key_y"] - state["agent_y"]) == 1:
            return env
        env.close()
    raise AssertionError("no such room")


def test_the_state_follows_the_errand_to_its_end() -> None:
    env = find_straight_room()
    start = now(env)
    assert (start["goal_x"], start["goal_y"]) == (3.0, 3.0)
    assert (start["carries_key"], start["door_unlocked"], start["door_open"]) == (0.0, 0.0, 0.0)
    walk_beside(env, start["key_x"], start["key_y"])
    env.step(np.array([PICK_UP]))
    held = now(env)
    assert held["carries_key"] == 1.0
    assert (held["key_x"], held["key_y"]) == (held["agent_x"], held["agent_y"])
    env.step(np.array([PUT_DOWN]))
    down = now(env)
    assert down["carries_key"] == 0.0
    assert (down["key_x"], down["key_y"]) == (start["key_x"], start["key_y"])
    env.step(np.array([PICK_UP]))
    walk_beside(env, start["door_x"], start["door_y"])
    env.step(np.array([TOGGLE]))
    assert (now(env)["door_unlocked"], now(env)["door_open"]) == (1.0, 1.0)
    for _ in range(2):
        env.step(np.array([FORWARD]))
    outcome = None
    for _ in range(3):
        face(env, (0, 1))
        step = env.step(np.array([FORWARD]))
        outcome = step.outcomes[0] if step.outcomes else outcome
        if outcome:
            break
    assert outcome is not None and outcome.success
    assert outcome.fitness == pytest.approx(0.6 + 0.4 * (1 - outcome.length / 250))
    assert outcome.native_return == pytest.approx(1 - 0.9 * outcome.length / 250)
    env.close()
