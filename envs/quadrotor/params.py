"""Task parameters: one table of ranges, units and meanings; the frozen model and the typed values are made from it.

`drones` and `history` are the shape of a batch: they come from the task, and what a parameter source says about them is overridden. A room that cannot
hold its drones is refused here, before any world is built.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import Field, ValidationError

from envs.family import Params
from envs.quadrotor.airframes import AIRFRAMES
from envs.quadrotor.layout import ACTIONS, GOALS
from envs.task import ParamValue


class QuadrotorParams(Params):
    """One flying task. Lengths in metres; a switch or a scale of 0 turns its effect off, a scale of 1 is the published size."""

    drones: int = Field(default=1, ge=1, le=128)
    goal: int = Field(default=1, ge=0, le=len(GOALS) - 1)
    goal_distance: float = Field(default=10.0, ge=0.3, le=10.0)
    room: float = Field(default=10.0, ge=3.0, le=12.0)
    density: float = Field(default=0.0, ge=0.0, le=0.8)
    diameter: float = Field(default=0.6, ge=0.3, le=0.85)
    action_mode: int = Field(default=0, ge=0, le=len(ACTIONS) - 1)
    airframe: int = Field(default=0, ge=0, le=len(AIRFRAMES) - 1)
    tilt: float = Field(default=0.0, ge=0.0, le=90.0)
    start_speed: float = Field(default=0.0, ge=0.0, le=5.0)
    leash: float = Field(default=15.0, ge=0.3, le=15.0)
    crash_ends: int = Field(default=0, ge=0, le=1)
    motor_lag: int = Field(default=1, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0.0, le=3.0)
    disturbance: float = Field(default=0.0, ge=0.0, le=3.0)
    drag: float = Field(default=0.0, ge=0.0, le=3.0)
    wind: float = Field(default=0.0, ge=0.0, le=5.0)
    downwash: int = Field(default=0, ge=0, le=1)
    latency: int = Field(default=0, ge=0, le=8)
    randomisation: float = Field(default=0.0, ge=0.0, le=0.3)
    history: int = Field(default=0, ge=0, le=64)


MEANINGS: dict[str, tuple[str, float, str]] = {
    "drones": ("1", 0.0, "drones in one room; all are flown by the same policy, one observation each"),
    "goal": ("1", 0.0, "kind of goal: " + ", ".join(f"{index} {name}" for index, name in enumerate(GOALS))),
    "goal_distance": ("m", 1.0, "largest distance from start to goal, for goals that are drawn at random"),
    "room": ("m", 0.0, "side and height of the cubic room"),
    "density": (
        "1",
        0.2,
        "share of the inner 1 m cells that hold a full-height cylinder; 0.2 is published, 0.8 crowded",
    ),
    "diameter": ("m", 0.1, "diameter of the cylinders; 0.85 leaves gaps of 0.15 m; matters only with density above 0"),
    "action_mode": ("1", 0.0, "actions mean: " + ", ".join(f"{index} {name}" for index, name in enumerate(ACTIONS))),
    "airframe": ("1", 0.0, ", ".join(f"{index} {frame.name}" for index, frame in enumerate(AIRFRAMES))),
    "tilt": ("deg", 15.0, "largest tilt at the start, about a random level axis"),
    "start_speed": ("m/s", 0.25, "largest start speed on each axis; the same number in rad/s bounds the start rates"),
    "leash": ("m", 0.0, "the episode ends when a drone is farther than this from its goal along any axis; 15: never"),
    "crash_ends": ("1", 0.0, "1: any contact ends the episode; 0: drones bounce and fly on"),
    "motor_lag": ("1", 0.0, "1: rotors follow their command with the airframe's lag; 0: at once"),
    "noise": ("1", 0.5, "scale of sensor and thrust noise; 1 is the published size"),
    "disturbance": ("1", 0.5, "scale of a constant random force and torque an episode; 1: a 20th of the weight"),
    "drag": ("1", 0.0, "scale of air drag"),
    "wind": ("m/s", 0.5, "steady wind from a random direction; switches drag on"),
    "downwash": ("1", 0.0, "1: a drone pushes down on those up to 0.7 m below it; matters with several drones"),
    "latency": ("1", 1.0, "control steps of 0.01 s by which actions arrive late"),
    "randomisation": (
        "1",
        0.1,
        "largest relative deviation of mass, inertia, thrust, torque and lag, drawn an episode",
    ),
    "history": (
        "1",
        0.0,
        "past actions that each drone observes, newest first; the rotors' lag makes them worth knowing",
    ),
}
"""Parameter -> unit, natural step of difficulty (0: no difficulty axis), meaning."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    "goal": GOALS,
    "action_mode": ACTIONS,
    "airframe": tuple(frame.name for frame in AIRFRAMES),
}
"""Parameters whose values also have names."""


def check_params(params: Mapping[str, ParamValue]) -> QuadrotorParams:
    """Validate `params`, defaults filled in; goals, action modes and airframes may be named.

    Raises `ValueError` with one line: the name and its nearest match, the value and its range, or the room's capacity.
    """
    known = QuadrotorParams.model_fields
    for name in params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"quadrotor has no task parameter {name!r}. {hint}Known: {', '.join(known)}.")
    numbers = {name: _number(name, value) for name, value in params.items()}
    try:
        checked = QuadrotorParams.model_validate(numbers)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ValueError(f"quadrotor: {name} = {first['input']!r} is not {describe_range(name)}.") from None
    check_capacity(checked.drones, checked.room, checked.density)
    return checked


def _number(name: str, value: ParamValue) -> ParamValue:
    """The number of a named choice (in any case, blanks as hyphens or underscores); other values as they are."""
    if isinstance(value, bool):  # pydantic would take it for 0 or 1
        raise ValueError(f"quadrotor: {name} = {value} is not {describe_range(name)}.")
    if not isinstance(value, str) or name not in CHOICES:
        return value
    known = [choice.lower() for choice in CHOICES[name]]
    for said in (value.lower(), value.lower().replace("-", " ").replace("_", " ")):
        if said in known:
            return known.index(said)
    near = difflib.get_close_matches(value.lower(), known, n=1)
    hint = f"Did you mean {CHOICES[name][known.index(near[0])]!r}? " if near else ""
    numbered = ", ".join(f"{index} {choice}" for index, choice in enumerate(CHOICES[name]))
    raise ValueError(f"quadrotor: unknown {name} {value!r}. {hint}Known: {numbered}.")


def check_capacity(drones: int, room_m: float, density: float) -> None:
    """Raise `ValueError` when a room cannot hold its drones at the start."""
    most = capacity(room_m, density)
    if drones > most:
        raise ValueError(
            f"quadrotor: {drones} drones do not fit in a room of {room_m:g} m at density {density:g}, which holds {most}; "
            "use fewer drones, a larger room or a lower density."
        )


def obstacle_count(room_m: float, density: float) -> int:
    """Cylinders in a room: `density` of the inner 1 m cells, rounded down (12 of 64 at 20 % in 10 m)."""
    return int(density * (int(room_m) - 2) ** 2 + 1e-9)


def capacity(room_m: float, density: float) -> int:
    """Most drones that can start in a room: free cells times the levels below the ceiling."""
    return (int(room_m) ** 2 - obstacle_count(room_m, density)) * min(3, int(room_m - 0.35))


def bounds(name: str) -> tuple[float, float]:
    """Lower and upper bound of parameter `name`."""
    limits = {type(item).__name__: item for item in QuadrotorParams.model_fields[name].metadata}
    return float(limits["Ge"].ge), float(limits["Le"].le)


def describe_range(name: str) -> str:
    """Words for the values that `name` may take, such as `a number from 0 to 0.8`."""
    low, high = bounds(name)
    whole = isinstance(QuadrotorParams.model_fields[name].default, int)
    return f"a {'whole ' if whole else ''}number from {low:g} to {high:g}"
