"""The walker's card: card.md and the typed tables of state, actions and task parameters."""

from __future__ import annotations

from importlib.resources import files

from envs.family import Card, Parameter, Variable
from envs.walker.lidar import RAYS
from envs.walker.params import bounds
from envs.walker.terrain import WalkerParams

HORIZON = 1600
"""Control steps of BipedalWalker-v3; the literature gives obstacle tracks 2000."""

_HULL = (
    ("hull_x", "m", -5, 88, "distance forward from the start"),
    ("hull_y", "m", -5, 10, "height of the hull's centre above the start pad; 2.0 to 2.4 when upright on flat ground"),
    (
        "hull_height",
        "m",
        0,
        5.33,
        "height of the hull's centre above the ground right below it; 2.0 to 2.4 when upright",
    ),
    ("hull_angle", "rad", -4, 4, "tilt of the hull: 0 level, positive nose up (leaning back), negative nose down"),
    ("hull_angular_velocity", "rad/s", -8, 8, "turning speed of the hull, positive nose up; within 1.5 in a good gait"),
    ("velocity_x", "m/s", -5, 8, "forward speed of the hull; 2 to 5 in a good gait"),
    ("velocity_y", "m/s", -8, 8, "upward speed of the hull; within 1 in a good gait"),
)
_LEG = (
    ("hip_angle", "rad", -1, 1.3, "leg {} hip: 0 straight down from the hull, positive forward; stops at -0.8 and 1.1"),
    ("hip_speed", "rad/s", -10, 10, "leg {} hip turning speed, positive forward; the motor gives up to 4"),
    ("knee_angle", "rad", -2, 1, "leg {} knee: -0.1 nearly straight, -1.6 fully bent; beyond only under hard impacts"),
    ("knee_speed", "rad/s", -20, 20, "leg {} knee turning speed, positive straightening; the motor gives up to 6"),
    ("contact", "1", 0, 1, "1 while the lower segment of leg {} touches the ground, else 0"),
)
_ENDING = (
    ("progress", "1", 0, 1, "fraction of the way from start to finish"),
    ("effort", "1", 0, 1, "mean |action| over the four joints in the last step"),
    ("fallen", "1", 0, 1, "1 when the walker has fallen (the episode is over), else 0"),
)
_LIDAR_MEANING = (
    "distance to the ground along rays of 5.33 m as fractions (1: nothing hit), from straight down to nearly forward"
)
_STEPS = "terrain steps"
_PARAMS = (
    ("stump_height", _STEPS, 0.2, "mean height of stumps; 0: none; 1 is easy, 2.4 is knee height, 3 hardly possible"),
    ("stump_spacing", _STEPS, 0.0, "gap between stumps; smaller is harder; matters only with stump_height above 0"),
    ("roughness", "1", 0.6, "extra undulation; 0: gentle stock ground, 10: very steep slopes"),
    ("pit_gap", _STEPS, 0.4, "width of pits; 0: none; 3 to 5 is a long stride, 10 hardly possible"),
    ("stair_height", _STEPS, 0.2, "height of one stair; 0: none; 1 is usual, 5 hardly possible"),
    ("stair_steps", "1", 0.0, "stairs in a flight; matters only with stair_height above 0"),
)
_FITNESS = (
    "How much of the way to the finish the walker has covered when the episode ends (0 at the start, 1 at the finish), with a small "
    "deduction for large actions. Higher is better; -0.2 is the worst, about 0.9 to 1 an efficient walker that finishes. No unit."
)
_SUCCESS = "The walker passes the finish, 84 m from the start, without a fall and within the horizon."
_HINTS = (
    "Progress along x matters most; rewarding posture alone teaches standing still.",
    "A fall ends the episode, and with it all that later steps would have earned.",
    "Keep the penalty on actions small, otherwise the walker learns to stand still.",
)


def make_card(name: str) -> Card:
    """Build the card of the family called `name`."""
    lidar = Variable(name="lidar", shape=(RAYS,), low=0, high=1, meaning=_LIDAR_MEANING)
    legs = [
        _variable(f"leg{leg}_{part}", unit, low, high, meaning.format(leg))
        for leg in (1, 2)
        for part, unit, low, high, meaning in _LEG
    ]
    return Card(
        family=name,
        title="Two-legged walker on a track (BipedalWalker)",
        text=files("envs.walker").joinpath("card.md").read_text(encoding="utf-8"),
        state=(*(_variable(*row) for row in _HULL), *legs, lidar, *(_variable(*row) for row in _ENDING)),
        actions=tuple(
            Variable(
                name=f"leg{leg}_{joint}", low=-1, high=1, meaning=f"signed share of full torque, {joint} of leg {leg}"
            )
            for leg in (1, 2)
            for joint in ("hip", "knee")
        ),
        params=tuple(_parameter(*row) for row in _PARAMS),
        fitness=_FITNESS,
        success=_SUCCESS,
        horizon=HORIZON,
        hints=_HINTS,
    )


def _variable(name: str, unit: str, low: float, high: float, meaning: str) -> Variable:
    return Variable(name=name, unit=unit, low=low, high=high, meaning=meaning)


def _parameter(name: str, unit: str, step: float, meaning: str) -> Parameter:
    low, high = bounds(name)
    field = WalkerParams.model_fields[name]
    integer = isinstance(field.default, int)
    return Parameter(
        name=name, low=low, high=high, default=field.default, unit=unit, integer=integer, meaning=meaning, step=step
    )
