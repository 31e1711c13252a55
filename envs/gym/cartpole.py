"""CartPole-v1: card, batched dynamics and the ground truth "how long did it stay up". Physics: Barto, Sutton, Anderson 1983."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, FloatArray, NamedState, Parameter
from envs.gym.arrays import ArraySimulator, make_box
from envs.gym.recipe import BoolArray, Ending, Recipe, Score, make_params_model, make_variables

_TICK_S = 0.02
_ANGLE_LIMIT = 12 * 2 * math.pi / 360
_TRACK_LIMIT = 2.4

STATE = make_variables(
    [
        ("cart_position", "m", -4.8, 4.8, "cart along the track, 0 is the middle, positive is right"),
        ("cart_velocity", "m/s", -20.0, 20.0, "speed of the cart, positive is to the right"),
        ("pole_angle", "rad", -0.9, 0.9, "tilt of the pole from the vertical, 0 is upright, positive leans right"),
        ("pole_angular_velocity", "rad/s", -40.0, 40.0, "how fast the tilt grows, positive is towards the right"),
    ]
)
ACTIONS = make_variables(
    [("push", "choice", 0, 1, "0 pushes the cart left, 1 pushes it right, both with the full force")]
)
PARAMETERS = (
    Parameter(name="gravity", low=2.0, high=25.0, default=9.8, unit="m/s^2", step=3.0, meaning="pull downwards"),
    Parameter(
        name="start_spread",
        low=0.01,
        high=0.2,
        default=0.05,
        unit="m, m/s, rad, rad/s",
        step=0.03,
        meaning="each state variable starts at random between minus and plus this",
    ),
    Parameter(
        name="pole_length",
        low=0.4,
        high=4.0,
        default=1.0,
        unit="m",
        meaning="whole length of the pole; short falls faster",
    ),
    Parameter(
        name="pole_mass",
        low=0.02,
        high=1.0,
        default=0.1,
        unit="kg",
        step=0.2,
        meaning="mass of the pole; the cart has 1 kg",
    ),
    Parameter(name="push_force", low=4.0, high=20.0, default=10.0, unit="N", meaning="force of every push"),
)
CARD = Card(
    family="gym:CartPole-v1",
    title="CartPole: balance a pole on a cart",
    text=(
        "A pole stands on a cart, joined to it by a hinge without a motor. The cart runs on a straight track without "
        "friction. Fifty times a second the controller pushes the cart with one fixed force, to the left or to the right; "
        "it cannot rest. The pole starts almost upright.\n\n"
        "The episode ends early when the pole tilts more than 0.2095 rad (12 degrees) either way, or when the middle of "
        "the cart is more than 2.4 m from the middle of the track. Otherwise it runs to the horizon.\n\n"
        "Good behaviour keeps the pole close to upright with little swing, and the cart away from both ends of the track. "
        "To stop a pole that leans right, the cart must get under it, that is, move right."
    ),
    state=STATE,
    actions=ACTIONS,
    params=PARAMETERS,
    fitness="The share of the horizon during which the pole is up and the cart is on the track, from 0 to 1; 1 is best.",
    success="The pole is still up and the cart still on the track when the horizon is reached.",
    horizon=500,
    hints=(
        "Angles and angular velocities are small numbers: differences of a tenth of a radian matter.",
        "A policy that only watches the pole slowly drifts off the track.",
    ),
)


class CartPole(ArraySimulator):
    """State rows: position, velocity, angle, angular velocity."""

    gym_id = "CartPole-v1"
    state_size = 4
    observation_space = make_box([_TRACK_LIMIT * 2, np.inf, _ANGLE_LIMIT * 2, np.inf])
    action_space = gymnasium.spaces.Discrete(2)

    def start(self, stream: np.random.Generator, slot: int) -> FloatArray:
        spread = self.params["start_spread"][slot]
        return stream.uniform(low=-spread, high=spread, size=4)

    def advance(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray]:
        x, x_dot, theta, theta_dot = self.state
        p = self.params
        half, mass = p["pole_length"] / 2, p["pole_mass"]
        total, moment = mass + 1.0, mass * half
        force = np.where(actions == 1, p["push_force"], -p["push_force"])
        cosine, sine = np.cos(theta), np.sin(theta)
        temp = (force + moment * np.square(theta_dot) * sine) / total
        theta_acc = (p["gravity"] * sine - cosine * temp) / (half * (4.0 / 3.0 - mass * np.square(cosine) / total))
        x_acc = temp - moment * theta_acc * cosine / total
        x = x + _TICK_S * x_dot
        theta = theta + _TICK_S * theta_dot
        self.state = np.stack([x, x_dot + _TICK_S * x_acc, theta, theta_dot + _TICK_S * theta_acc])
        terminated = (np.abs(x) > _TRACK_LIMIT) | (np.abs(theta) > _ANGLE_LIMIT)
        return np.ones(self.num_envs), terminated

    def observe(self) -> FloatArray:
        return self.state.T.astype(np.float32, order="C")

    def truth(self) -> NamedState:
        return {variable.name: row for variable, row in zip(STATE, self.state.copy(), strict=True)}

    def paint(self, core: Any, slot: int) -> None:
        super().paint(core, slot)
        core.length = float(self.params["pole_length"][slot]) / 2


class UprightTime:
    """Counts the steps of each episode with the pole up and the cart on the track."""

    def __init__(self, n: int) -> None:
        self.up = np.zeros(n, np.int64)
        self.furthest = np.zeros(n)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.up[slot] = 0
        self.furthest[slot] = abs(float(truth["cart_position"][slot]))

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        away = np.abs(truth["cart_position"])
        self.up += (np.abs(truth["pole_angle"]) <= _ANGLE_LIMIT) & (away <= _TRACK_LIMIT)
        np.maximum(self.furthest, away, out=self.furthest)

    def close(self, ending: Ending, truth: NamedState) -> Score:
        up = int(self.up[ending.slot])
        return Score(
            fitness=up / ending.horizon,
            success=up == ending.horizon,
            extras={"seconds_upright": up * _TICK_S, "furthest_from_middle_m": float(self.furthest[ending.slot])},
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of CartPole-v1."""
    return Recipe(
        card=CARD,
        params_model=make_params_model("CartPoleParams", PARAMETERS),
        open_simulator=lambda n: CartPole(n, PARAMETERS),
        open_scorer=lambda n, horizon: UprightTime(n),
    )
