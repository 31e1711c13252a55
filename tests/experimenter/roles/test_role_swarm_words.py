"""Goals about drones: counted things, words that ask for a value, and kinds that no subgoal changes."""

from __future__ import annotations

import pytest

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.records import GoalKind
from experimenter.roles import ability
from experimenter.roles.common import default_params
from experimenter.roles.decomposer import rule_halving
from experimenter.roles.goal import rule_goal
from experimenter.roles.proposer import rule_next_step
from experimenter.roles.words import is_open, read_numbers, read_params

CARD = get_family("quadrotor").card()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fly eight drones through a crowded room without touching anything", {"drones": 8, "density": 0.2}),
        ("fly 16 small drones around obstacles", {"drones": 16, "density": 0.2}),
        ("32 drones swap places at density 0.5", {"drones": 32, "density": 0.5, "goal": 7}),
        ("chase the target with a drone", {"goal": 10}),
        ("get a drone to its goal", {}),
    ],
)
def test_goals_about_drones(text: str, expected: dict[str, ParamValue]) -> None:
    assert read_params(CARD, text)[0] == expected
    numbers = read_numbers(CARD, text)[0]
    assert numbers.get("drones") == expected.get("drones") and "goal" not in numbers


def test_subgoals_keep_the_number_of_drones_and_the_kind_of_goal() -> None:
    target: dict[str, ParamValue] = {"drones": 8, "goal": 7, "density": 0.4}
    half = ability.toward(CARD, default_params(CARD), target, 0.5)
    assert (half["drones"], half["goal"], half["density"]) == (8, 7, 0.2)
    plain = ability.plain_of(CARD, target)
    assert (plain["drones"], plain["goal"], plain["density"]) == (8, 7, 0.0)


def test_no_rule_leaves_the_eight_drones() -> None:
    goal = rule_goal("fly eight drones through a crowded room without touching anything", CARD)
    assert goal.kind is GoalKind.TARGET and is_open("learn anything that it can")
    proposals = rule_next_step(goal, CARD, skills=[], history=[], n=5)
    assert proposals and all(proposal.params["drones"] == 8 for proposal in proposals)
    task = get_family("quadrotor").resolve_task(goal.target)
    subgoals = rule_halving(goal, task, CARD, skills=[])
    assert all(subgoal.params["drones"] == 8 for subgoal in subgoals)
    assert subgoals[-1].params["density"] == 0.2


def test_a_nearer_goal_is_no_way_from_farther_ones() -> None:
    """Goals are 10 m away by default; one at 3 m is easier, and its subgoals do not begin with the harder task."""
    goal = rule_goal("fly one drone to its goal", CARD)
    task = get_family("quadrotor").resolve_task({**goal.target, "goal_distance": 3.0})
    assert ability.plain_of(CARD, task.params)["goal_distance"] == 3.0
    assert [subgoal.params for subgoal in rule_halving(goal, task, CARD, skills=[])] == [task.params]
    crowded = get_family("quadrotor").resolve_task({"drones": 8, "goal_distance": 3.0, "density": 0.8})
    steps = rule_halving(goal, crowded, CARD, skills=[])
    assert [(step.params["density"], step.params["goal_distance"]) for step in steps] == [
        (0, 3),
        (0.4, 3),
        (0.6, 3),
        (0.8, 3),
    ]


def test_a_goal_is_read_without_the_parameters_that_nobody_spoke_of() -> None:
    assert rule_goal("fly eight drones through a crowded room", CARD).reading.endswith("with density 0.2, drones 8.")
    assert (
        rule_goal("get a drone to its goal", CARD).reading == "Learn Quadrotors in a room, one or a swarm (Crazyflie)."
    )
