"""Pendulum-v1: card, batched dynamics and the ground truth "how much of the time was it upright"."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, FloatArray, NamedState, Parameter
from envs.gym.arrays import ArraySimulator, make_box
from envs.gym.recipe import BoolArray, Ending, Recipe, Score, make_params_model, make_variables

_TICK_S = 0.05
_TOP_SPEED = 8.0
_TOP_TORQUE = 2.0
_UPRIGHT = 0.2
_HOLD_STEPS = 50

STATE = make_variables(
    [
        ("cos_angle", "1", -1.0, 1.0, "cosine of the angle from upright: 1 upright, -1 hanging straight down"),
        ("sin_angle", "1", -1.0, 1.0, "sine of the angle from upright, positive on the counter-clockwise side"),
        ("angular_velocity", "rad/s", -8.0, 8.0, "turning speed, positive is counter-clockwise"),
        ("angle", "rad", -np.pi, np.pi, "angle from upright: 0 upright, plus or minus 3.14 hanging straight down"),
    ]
)
ACTIONS = make_variables([("torque", "N m", -2.0, 2.0, "torque at the pivot, positive turns counter-clockwise")])
PARAMETERS = (
    Parameter(name="gravity", low=1.0, high=16.0, default=10.0, unit="m/s^2", step=1.5, meaning="pull downwards"),
    Parameter(name="mass", low=0.3, high=1.6, default=1.0, unit="kg", step=0.15, meaning="mass of the rod"),
    Parameter(name="length", low=0.5, high=1.5, default=1.0, unit="m", meaning="length of the rod"),
)
CARD = Card(
    family="gym:Pendulum-v1",
    title="Pendulum: swing up a rod and hold it upright",
    text=(
        "A rod hangs from a pivot with a small motor. The motor is too weak to lift the rod in one go: it must be swung "
        "back and forth until it has enough energy to go over the top, then be caught and held there. It starts at a random "
        "angle with a small random speed. The controller sets the torque twenty times a second; the turning speed is limited "
        "to 8 rad/s.\n\n"
        "The episode never ends early; it runs to the horizon (10 seconds).\n\n"
        "Good behaviour gets the rod upright soon, then holds it there almost still with little torque."
    ),
    state=STATE,
    actions=ACTIONS,
    params=PARAMETERS,
    fitness="The share of the episode during which the rod is within 0.2 rad of upright, from 0 to 1; 1 is best.",
    success="The rod is within 0.2 rad of upright at every one of the last 50 steps.",
    horizon=200,
    hints=(
        "Far from upright, energy matters more than the angle: to rise, first swing away.",
        "Near upright, both the angle and the turning speed must go to zero.",
    ),
)


class Pendulum(ArraySimulator):
    """State rows: angle (not wrapped), angular velocity."""

    gym_id = "Pendulum-v1"
    state_size = 2
    observation_space = make_box([1.0, 1.0, _TOP_SPEED])
    action_space = gymnasium.spaces.Box(-_TOP_TORQUE, _TOP_TORQUE, (1,), np.float32)

    def __init__(self, n: int, parameters: tuple[Parameter, ...]) -> None:
        super().__init__(n, parameters)
        self._torque = np.zeros(n, np.float32)

    def start(self, stream: np.random.Generator, slot: int) -> FloatArray:
        self._torque[slot] = 0.0
        high = np.array([np.pi, 1.0])
        return stream.uniform(low=-high, high=high)

    def advance(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray]:
        theta, speed = self.state
        mass, length, gravity = (self.params[name] for name in ("mass", "length", "gravity"))
        u = self._torque = actions[:, 0]
        cost = wrap(theta) ** 2 + 0.1 * speed**2 + (np.float32(0.001) * u**2).astype(np.float64)
        # Gymnasium multiplies the torque in float32; so do we, or unstable upright poses drift apart.
        push = ((3.0 / (mass * length**2)).astype(np.float32) * u).astype(np.float64)
        speed = speed + (3 * gravity / (2 * length) * np.sin(theta) + push) * _TICK_S
        speed = np.minimum(np.maximum(speed, -_TOP_SPEED), _TOP_SPEED)
        self.state = np.stack([theta + speed * _TICK_S, speed])
        return -cost, np.zeros(self.num_envs, np.bool_)

    def observe(self) -> FloatArray:
        theta, speed = self.state
        return np.stack([np.cos(theta), np.sin(theta), speed], axis=1).astype(np.float32)

    def truth(self) -> NamedState:
        theta, speed = self.state
        rows = (np.cos(theta), np.sin(theta), speed.copy(), wrap(theta))
        return {variable.name: row for variable, row in zip(STATE, rows, strict=True)}

    def paint(self, core: Any, slot: int) -> None:
        super().paint(core, slot)
        core.last_u = float(self._torque[slot])


def wrap(angle: FloatArray) -> FloatArray:
    """Wrap angles to [-pi, pi)."""
    return np.asarray(((angle + np.pi) % (2 * np.pi)) - np.pi)


class UprightShare:
    """Counts upright steps, and how many of them stand in an unbroken row at the end."""

    def __init__(self, n: int) -> None:
        self.up = np.zeros(n, np.int64)
        self.streak = np.zeros(n, np.int64)
        self.effort = np.zeros(n)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.up[slot] = self.streak[slot] = 0
        self.effort[slot] = 0.0

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        upright = np.abs(truth["angle"]) < _UPRIGHT
        self.up += upright
        self.streak = np.where(upright, self.streak + 1, 0)
        self.effort += np.abs(actions[:, 0])

    def close(self, ending: Ending, truth: NamedState) -> Score:
        slot = ending.slot
        return Score(
            fitness=float(self.up[slot]) / ending.length,
            success=bool(self.streak[slot] >= min(_HOLD_STEPS, ending.horizon)),
            extras={
                "seconds_upright_at_end": float(self.streak[slot]) * _TICK_S,
                "mean_torque_nm": float(self.effort[slot]) / ending.length,
            },
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of Pendulum-v1."""
    return Recipe(
        card=CARD,
        params_model=make_params_model("PendulumParams", PARAMETERS),
        open_simulator=lambda n: Pendulum(n, PARAMETERS),
        open_scorer=lambda n, horizon: UprightShare(n),
    )
