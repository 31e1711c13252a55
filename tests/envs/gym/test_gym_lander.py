"""LunarLander: units, which leg is which, and who has landed."""

from __future__ import annotations

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import EpisodeOutcome, FloatArray, NamedState
from envs.gym.lander import Landing
from envs.gym.recipe import Ending, Score

pytestmark = pytest.mark.filterwarnings(
    "ignore:builtin type:DeprecationWarning"
)  # Box2D's bindings, at their first import


def score_end(**changes: float) -> Score:
    landed = {
        "x": 0.5,
        "height": 0.0,
        "x_velocity": 0.0,
        "vertical_velocity": 0.0,
        "right_leg_contact": 1.0,
        "left_leg_contact": 1.0,
    }
    truth: NamedState = {
        name: np.array([value]) for name, value in {**landed, "asleep": 1.0, "crashed": 0.0, **changes}.items()
    }
    ending = Ending(slot=0, length=100, horizon=1000, terminated=True, native_return=0.0, params={})
    return Landing(1, continuous=False).close(ending, truth)


def test_a_rest_between_the_flags_is_a_landing() -> None:
    assert (score_end().fitness, score_end().success) == (1.0, True)


@pytest.mark.parametrize(
    ("changes", "fitness"),
    [
        ({"crashed": 1.0}, 0.3 * 0.95 + 0.2),  # near the pad, two legs down, but crashed
        ({"left_leg_contact": 0.0}, 0.3 * 0.95 + 0.2 + 0.1),
        ({"x": 3.0}, 0.3 * 0.7 + 0.2 + 0.2),  # landed, but outside the flags
        ({"asleep": 0.0, "vertical_velocity": -1.0}, 0.3 * 0.95 + 0.2 + 0.2),
        (
            {"x": 11.0, "right_leg_contact": 0.0, "left_leg_contact": 0.0, "asleep": 0.0, "x_velocity": 2.0},
            0.0,
        ),  # left the screen
    ],
)
def test_anything_less_is_graded_and_no_success(changes: dict[str, float], fitness: float) -> None:
    score = score_end(**changes)
    assert not score.success
    assert score.fitness == pytest.approx(fitness)


def heuristic(row: FloatArray) -> int:
    """A textbook PD controller on the scaled observation."""
    x, y, vx, vy, angle, spin, leg_1, leg_2 = (float(value) for value in row)
    lean = min(0.4, max(-0.4, x * 0.5 + vx))
    hover = 0.55 * abs(x)
    turn = (lean - angle) * 0.5 - spin
    lift = (hover - y) * 0.5 - vy * 0.5
    if leg_1 or leg_2:
        turn, lift = 0.0, -vy * 0.5
    if lift > abs(turn) and lift > 0.05:
        return 2
    return 3 if turn < -0.05 else 1 if turn > 0.05 else 0


def test_a_good_controller_lands_and_free_fall_crashes() -> None:
    family = get_family("gym:LunarLander-v3")
    env = family.make_vec(family.resolve_task(), 6)
    observation = env.reset(0)
    outcomes: list[EpisodeOutcome] = []
    while len(outcomes) < 6:
        step = env.step(np.array([heuristic(row) for row in observation]))
        observation = step.observation
        outcomes += step.outcomes
    assert sum(outcome.success for outcome in outcomes) >= 4
    assert all(outcome.fitness == 1.0 for outcome in outcomes if outcome.success)
    fall: list[EpisodeOutcome] = []
    env.reset(0)
    while not fall:
        fall += env.step(np.zeros(6, np.int64)).outcomes
    assert fall[0].extras["crashed"] == 1.0 and not fall[0].success
    env.close()


def test_state_is_in_metres_and_legs_bear_their_side() -> None:
    family = get_family("gym:LunarLander-v3")
    env = family.make_vec(family.resolve_task(), 1)
    env.reset(3)
    core = env._simulator._worlds[0].core  # type: ignore[attr-defined]
    step = env.step(np.array([0]))
    state = step.next_state
    assert state["x"][0] == pytest.approx(core.lander.position.x - 10.0, abs=1e-5)
    assert state["vertical_velocity"][0] == pytest.approx(core.lander.linearVelocity.y, abs=1e-5)
    assert state["angular_velocity"][0] == pytest.approx(core.lander.angularVelocity, abs=1e-5)
    right = max(core.legs, key=lambda leg: leg.position.x)
    right.ground_contact = True
    assert env.step(np.array([0])).next_state["right_leg_contact"][0] == 1.0
    env.close()


def test_side_engines_push_and_turn_as_the_card_says() -> None:
    family = get_family("gym:LunarLander-v3")
    env = family.make_vec(family.resolve_task(), 1)

    def after(action: int) -> NamedState:
        env.reset(5)
        for _ in range(4):
            step = env.step(np.array([action]))
        return step.next_state

    still, left, right = after(0), after(1), after(3)
    assert left["x_velocity"][0] < still["x_velocity"][0] < right["x_velocity"][0]
    assert left["angular_velocity"][0] > still["angular_velocity"][0] > right["angular_velocity"][0]
    env.close()


def test_gravity_is_set_per_episode() -> None:
    family = get_family("gym:LunarLander-v3")
    given = iter(
        [
            {"gravity": 2.0, "wind_power": 0.0, "turbulence": 0.0},
            {"gravity": 11.0, "wind_power": 0.0, "turbulence": 0.0},
        ]
    )
    env = family.make_vec(family.resolve_task(), 2, lambda: next(given))
    start = env.reset(0)
    step = env.step(np.zeros(2, np.int64))
    fallen = step.next_state["vertical_velocity"] - start[:, 3] * 7.5
    assert fallen == pytest.approx([-2.0 / 50, -11.0 / 50], rel=0.2)  # one tick of 1/50 s
    env.close()
