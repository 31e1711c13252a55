"""The quadrotor's card: card.md and the typed tables of state, actions and task parameters."""

from __future__ import annotations

from importlib.resources import files

from envs.family import Card, Parameter, Variable
from envs.quadrotor.params import MEANINGS, QuadrotorParams, bounds

HORIZON = 1500
"""Control steps: 15 s, as published."""

_INF = float("inf")
_STATE = (
    ("position", (3,), "m", -6.0, 12.0, "position x, y, z in the room; x and y from the room's axis, z from the floor"),
    ("velocity", (3,), "m/s", -30.0, 30.0, "velocity in the world frame; 1 to 2 is brisk"),
    ("attitude", (4,), "1", -1.0, 1.0, "unit quaternion w, x, y, z that turns body axes into world axes"),
    ("up_axis", (3,), "1", -1.0, 1.0, "direction of the thrust in the world frame; 0, 0, 1 when level"),
    ("body_rates", (3,), "rad/s", -40.0, 40.0, "turning speed about the body's forward, left and up axes"),
    ("rotor_speeds", (4,), "1", 0.0, 1.0, "rotor speeds as shares of the top speed; thrust goes with their square"),
    ("disturbance_force", (3,), "N", -0.2, 0.2, "constant push of this episode, which no drone senses"),
    ("disturbance_torque", (3,), "N m", -4e-4, 4e-4, "constant turning push of this episode, which no drone senses"),
    ("goal", (3,), "m", -6.0, 12.0, "where this drone ought to be now"),
    ("to_goal", (3,), "m", -18.0, 18.0, "vector from the drone to its goal"),
    ("goal_distance", (), "m", 0.0, 24.0, "distance from the drone to its goal"),
    (
        "nearest_drone_distance",
        (),
        "m",
        0.0,
        10.0,
        "distance between centres to the nearest other drone; 10: none near",
    ),
    ("obstacle_gap", (), "m", 0.0, 10.0, "free space between hull and nearest cylinder; 10: none near"),
    ("touches_drone", (), "1", 0.0, 1.0, "1 while the drone touches another drone"),
    ("touches_obstacle", (), "1", 0.0, 1.0, "1 while the drone touches a cylinder"),
    ("touches_wall", (), "1", 0.0, 1.0, "1 while the drone touches a wall or the ceiling"),
    ("touches_floor", (), "1", 0.0, 1.0, "1 while the drone is on the floor"),
    ("command", (4,), "1", -1.0, 1.0, "the action that took effect in the last step, after latency"),
    ("time", (), "s", 0.0, _INF, "time since the episode began"),
)
_ACTIONS = (
    ("first", "motor front right, or collective thrust, or velocity along x (see action_mode)"),
    ("second", "motor back right, or roll rate, roll angle, or velocity along y"),
    ("third", "motor back left, or pitch rate, pitch angle, or velocity along z"),
    ("fourth", "motor front left, or yaw rate"),
)
_FITNESS = (
    "How close the drone keeps to its goal in the second half of the time that the task allows, from 0 to 1: a moment on the goal counts 1, "
    "one metre away one half, two metres away one fifth, and time that was not flown counts nothing. The mean is halved when the drone "
    "touched anything after the first 1.5 seconds or ended the episode early. Higher is better, no unit."
)
_SUCCESS = (
    "The drone comes within 0.5 m of its goal and touches nothing at all after the first 1.5 seconds, neither drone, cylinder, wall nor floor. "
    "Where the goal is to hover or moves, it must also stay within 0.5 m throughout the last second of the horizon. "
    "A room of several drones is one episode: it succeeds when at most one in eight of its drones fails."
)
_FIXED = ("drones", "history", "goal", "action_mode", "airframe")
_WORDS: dict[str, dict[str, float]] = {
    "density": {"crowded": 0.2, "obstacle": 0.2, "cylinder": 0.2, "pillar": 0.2, "dense": 0.5, "packed": 0.8},
    "goal": {"hover": 0, "waypoint": 3, "swap": 7, "formation": 8, "pursue": 10, "chase": 10},
}
"""Parameter -> words of a goal that ask for a value of it."""
_HINTS = (
    "A reward for nearness that is steeper close to the goal than far away stops circling and hanging back.",
    "Penalise new contacts clearly but raise that penalty only once the drone can fly, or it learns to stay away from everything.",
    "A small reward for being upright and a small penalty on body rates make the first second survivable.",
)


def make_card(name: str) -> Card:
    """Build the card of the family called `name`."""
    return Card(
        family=name,
        title="Quadrotors in a room, one or a swarm (Crazyflie)",
        text=files("envs.quadrotor").joinpath("card.md").read_text(encoding="utf-8"),
        state=tuple(
            Variable(name=label, shape=shape, unit=unit, low=low, high=high, meaning=meaning)
            for label, shape, unit, low, high, meaning in _STATE
        ),
        actions=tuple(Variable(name=label, low=-1, high=1, meaning=meaning) for label, meaning in _ACTIONS),
        params=tuple(_parameter(label) for label in QuadrotorParams.model_fields),
        fitness=_FITNESS,
        success=_SUCCESS,
        horizon=HORIZON,
        hints=_HINTS,
    )


def _parameter(name: str) -> Parameter:
    low, high = bounds(name)
    unit, step, meaning = MEANINGS[name]
    default = QuadrotorParams.model_fields[name].default
    whole = isinstance(default, int)
    return Parameter(
        name=name,
        low=low,
        high=high,
        default=default,
        unit=unit,
        integer=whole,
        meaning=meaning,
        step=step,
        fixed=name in _FIXED,
        words=_WORDS.get(name, {}),
    )
