"""Hopper-v5, Walker2d-v5 and HalfCheetah-v5: cards, parameters and the ground truth "how far forward, on its feet"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, pi
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, NamedState, Parameter, Variable
from envs.gym.mujoco import GRAVITY, MujocoWorld, open_loop
from envs.gym.recipe import Ending, Recipe, Score, make_params_model, make_variables

_UPRIGHT_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Body:
    """What tells the three bodies apart."""

    title: str
    text: str
    joints: Sequence[tuple[str, str, float, float]]
    """Joint name, words, least and greatest angle in rad."""
    feet: Sequence[tuple[str, str]]
    """Name of the foot's shape in the model, name of its height in the state."""
    velocity_limit: float
    """Velocities in the observation are clipped to plus or minus this."""
    falls: bool
    """Whether the episode ends when the body falls."""
    tick_s: float
    required_speed: float
    fast: str


BODIES: Mapping[str, Body] = {
    "Hopper-v5": Body(
        title="Hopper: hop forward on one leg",
        text=(
            "A flat one-legged robot of four parts (torso, thigh, leg, foot; about 1.5 m tall, moving only in the plane of the "
            "picture) stands on a floor. Motors turn the hip, the knee and the ankle, 125 times a second. It starts upright, at "
            "rest, with tiny random differences.\n\n"
            "The episode ends early when it falls: when the torso is lower than 0.7 m or tilts more than 0.2 rad (11 degrees) "
            "either way. Otherwise it runs to the horizon (8 seconds).\n\n"
            "Good behaviour hops forward in a steady rhythm: push off, fly, swing the leg forward, land with the torso upright."
        ),
        joints=(
            ("thigh", "hip", -3.2, 0.8),
            ("leg", "knee", -3.2, 0.8),
            ("foot", "ankle", -1.6, 1.6),
        ),
        feet=(("foot_geom", "foot_height"),),
        velocity_limit=10.0,
        falls=True,
        tick_s=0.008,
        required_speed=1.0,
        fast="about 3 m/s",
    ),
    "Walker2d-v5": Body(
        title="Walker2d: walk forward on two legs",
        text=(
            "A flat two-legged robot (one torso; two thighs, legs and feet; about 1.5 m tall, moving only in the plane of the "
            "picture) stands on a floor. Six motors turn hips, knees and ankles, 125 times a second. It starts upright, at rest, "
            "with tiny random differences.\n\n"
            "The episode ends early when it falls: when the torso's height leaves 0.8 to 2 m, or it tilts more than 1 rad "
            "(57 degrees) either way. Otherwise it runs to the horizon (8 seconds).\n\n"
            "Good behaviour walks or runs forward: the legs take turns, the torso stays upright at a steady height."
        ),
        joints=(
            ("right_thigh", "right hip", -3.4, 1.0),
            ("right_leg", "right knee", -3.4, 1.0),
            ("right_foot", "right ankle", -1.8, 1.8),
            ("left_thigh", "left hip", -3.4, 1.0),
            ("left_leg", "left knee", -3.4, 1.0),
            ("left_foot", "left ankle", -1.8, 1.8),
        ),
        feet=(("foot_geom", "right_foot_height"), ("foot_left_geom", "left_foot_height")),
        velocity_limit=10.0,
        falls=True,
        tick_s=0.008,
        required_speed=1.0,
        fast="4 m/s and more",
    ),
    "HalfCheetah-v5": Body(
        title="HalfCheetah: run forward on a back and a front leg",
        text=(
            "A flat robot like the side of a cheetah (a torso of 1 m with a head, a back and a front leg of three parts each, moving "
            "only in the plane of the picture) stands on a floor. Six motors turn the joints, 20 times a second. It starts on its "
            "feet, almost at rest.\n\n"
            "The episode never ends early, not even when it lies on its back; it runs to the horizon (50 seconds).\n\n"
            "Good behaviour runs forward on its feet with the torso level. Sliding along on the back also moves forward, and is not "
            "good behaviour."
        ),
        joints=(
            ("back_thigh", "back hip", -1.2, 1.7),
            ("back_shin", "back knee", -1.5, 1.5),
            ("back_foot", "back ankle", -1.1, 1.5),
            ("front_thigh", "front shoulder", -1.7, 1.4),
            ("front_shin", "front knee", -1.9, 1.6),
            ("front_foot", "front ankle", -1.2, 1.2),
        ),
        feet=(("bfoot", "back_foot_height"), ("ffoot", "front_foot_height")),
        velocity_limit=inf,
        falls=False,
        tick_s=0.05,
        required_speed=2.0,
        fast="5 m/s and more",
    ),
}


def _state(body: Body) -> tuple[Variable, ...]:
    """The observation's numbers in order (heights and angles, then their speeds), then true state that it leaves out."""
    cheetah = not body.falls
    limit = body.velocity_limit
    usual = "" if np.isfinite(limit) else ", usually within 20"
    height = (
        "height of the torso over its place in the starting pose"
        if cheetah
        else "height of the torso's middle over the floor"
    )
    forward = "nose down" if cheetah else "leaning forward"
    swing = "backward" if cheetah else "forward"
    rows: list[tuple[str, str, float, float, str]] = [
        ("torso_height", "m", -2.0 if cheetah else -0.5, 5.0, height),
        (
            "torso_angle",
            "rad",
            -inf,
            inf,
            f"tilt of the torso, 0 is {'level' if cheetah else 'upright'}, positive is {forward}",
        ),
    ]
    rows += [
        (f"{name}_angle", "rad", low, high, f"angle of the {words}, positive swings what is below it {swing}")
        for name, words, low, high in body.joints
    ]
    rows += [
        ("x_velocity", "m/s", -limit, limit, "forward speed of the torso, negative is backward"),
        ("z_velocity", "m/s", -limit, limit, "vertical speed of the torso, positive is upward"),
        ("torso_angular_velocity", "rad/s", -limit, limit, f"turning speed of the torso, positive is {forward}{usual}"),
    ]
    rows += [
        (f"{name}_velocity", "rad/s", -limit, limit, f"turning speed of the {words}{usual}")
        for name, words, _, _ in body.joints
    ]
    rows.append(
        ("x_position", "m", -inf, inf, "place of the torso along the floor; starts near 0, forward is positive")
    )
    feet = ((name, name.removesuffix("_height").replace("_", " ")) for _, name in body.feet)
    rows += [(name, "m", -1.0, 5.0, f"height of the middle of the {words}") for name, words in feet]

    return make_variables(rows)


def _parameters(body: Body) -> tuple[Parameter, ...]:
    return (
        Parameter(
            name="required_speed",
            low=0.1,
            high=8.0,
            default=body.required_speed,
            unit="m/s",
            step=0.5,
            meaning="average forward speed that counts as success; it changes nothing in the world",
        ),
        Parameter(
            name="slope", low=0.0, high=12.0, default=0.0, unit="degrees", step=2.0, meaning="uphill slope of the floor"
        ),
        Parameter(
            name="friction", low=0.3, high=2.0, default=1.0, unit="times stock", meaning="grip between feet and floor"
        ),
        GRAVITY,
    )


def _card(gym_id: str) -> Card:
    body = BODIES[gym_id]
    torques = [
        (
            f"{name}_torque",
            "share of full torque",
            -1.0,
            1.0,
            f"motor of the {words}, positive makes its angle grow",
        )
        for name, words, _, _ in body.joints
    ]
    standing = (
        "has not fallen"
        if body.falls
        else "has had its torso less than 90 degrees from level for at least nine tenths of the time"
    )
    return Card(
        family=f"gym:{gym_id}",
        title=body.title,
        text=body.text,
        state=_state(body),
        actions=make_variables(torques),
        params=_parameters(body),
        fitness=(
            "Distance in metres from the torso's first place to its last, forward positive. More is better; good policies "
            f"reach {body.fast}."
        ),
        success=f"The robot reaches the horizon, {standing}, and its average forward speed is at least the required speed.",
        horizon=1000,
        hints=(
            "A single dive forward brings about a metre, then the episode is over: staying up earns more."
            if body.falls
            else "Reward for speed alone is easily earned by tumbling.",
        ),
    )


class LeggedWorld(MujocoWorld):
    """Adds the place along the floor and the heights of the feet, which the observation leaves out."""

    body: Body

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._feet = [self.model.geom(name).id for name, _ in self.body.feet]
        self.extra_names = ("x_position", *(name for _, name in self.body.feet))

    def extras(self) -> Sequence[float]:
        heights = self.data.geom_xpos
        return (self.data.qpos[0], *(heights[foot, 2] for foot in self._feet))


class ForwardDistance:
    """Remembers the first place, the time on the feet and the effort of each episode."""

    def __init__(self, n: int, body: Body) -> None:
        self.body = body
        self.start = np.zeros(n)
        self.upright = np.zeros(n, np.int64)
        self.effort = np.zeros(n)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.start[slot] = truth["x_position"][slot]
        self.upright[slot] = 0
        self.effort[slot] = 0.0

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        tilt = np.abs((truth["torso_angle"] + pi) % (2 * pi) - pi)
        self.upright += tilt < pi / 2
        self.effort += np.square(actions).mean(axis=1)

    def close(self, ending: Ending, truth: NamedState) -> Score:
        slot = ending.slot
        distance = float(truth["x_position"][slot] - self.start[slot])
        required = float(ending.params["required_speed"]) * ending.horizon * self.body.tick_s
        upright = float(self.upright[slot]) / ending.length
        return Score(
            fitness=distance,
            success=not ending.terminated and upright >= _UPRIGHT_SHARE and distance >= required,
            extras={
                "mean_speed_m_per_s": distance / (ending.length * self.body.tick_s),
                "required_distance_m": required,
                "upright_share": upright,
                "mean_squared_torque": float(self.effort[slot]) / ending.length,
            },
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of Hopper-v5, Walker2d-v5 or HalfCheetah-v5."""
    card, body = _card(gym_id), BODIES[gym_id]
    world = type("LeggedWorld", (LeggedWorld,), {"body": body})
    return Recipe(
        card=card,
        params_model=make_params_model("LocomotionParams", card.params),
        open_simulator=lambda n: open_loop(gym_id, world, card.state, n),
        open_scorer=lambda n, horizon: ForwardDistance(n, body),
    )
