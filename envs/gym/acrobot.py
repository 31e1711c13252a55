"""Acrobot-v1: card, batched dynamics and the ground truth "how high did the tip get, how soon". Physics: Sutton and Barto."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, FloatArray, NamedState, Parameter
from envs.gym.arrays import ArraySimulator, make_box
from envs.gym.recipe import BoolArray, Ending, Recipe, Score, make_params_model, make_variables

_TICK_S = 0.2
_TOP_SPEED_1, _TOP_SPEED_2 = 4 * np.pi, 9 * np.pi
_GOAL_HEIGHT = 1.0
_LOWEST = -2.0
_GRAVITY = 9.8

STATE = make_variables(
    [
        ("cos_shoulder", "1", -1.0, 1.0, "cosine of the first link's angle: 1 hanging straight down, -1 straight up"),
        ("sin_shoulder", "1", -1.0, 1.0, "sine of the first link's angle"),
        (
            "cos_elbow",
            "1",
            -1.0,
            1.0,
            "cosine of the second link's angle relative to the first: 1 when both are in line",
        ),
        ("sin_elbow", "1", -1.0, 1.0, "sine of the second link's angle relative to the first"),
        ("shoulder_velocity", "rad/s", -_TOP_SPEED_1, _TOP_SPEED_1, "turning speed of the first link"),
        (
            "elbow_velocity",
            "rad/s",
            -_TOP_SPEED_2,
            _TOP_SPEED_2,
            "turning speed of the second link relative to the first",
        ),
        (
            "tip_height",
            "m",
            -2.0,
            2.0,
            "height of the free end over the pivot: -2 hanging, 2 straight up; the bar is at 1",
        ),
    ]
)
ACTIONS = make_variables(
    [("torque", "choice", 0, 2, "torque at the elbow: 0 is -1 N m, 1 is none, 2 is +1 N m, scaled by strength")]
)
PARAMETERS = (
    Parameter(name="link_mass", low=0.6, high=1.6, default=1.0, unit="kg", step=0.1, meaning="mass of each link"),
    Parameter(name="strength", low=0.4, high=2.0, default=1.0, unit="N m", meaning="torque of the elbow's motor"),
    Parameter(
        name="start_spread",
        low=0.02,
        high=0.5,
        default=0.1,
        unit="rad, rad/s",
        meaning="each angle and speed starts at random between minus and plus this",
    ),
)
CARD = Card(
    family="gym:Acrobot-v1",
    title="Acrobot: swing a two-link arm above a bar with the elbow alone",
    text=(
        "Two rods of 1 m hang in a row from a fixed pivot, like a gymnast from a bar. Only the joint between them, the elbow, "
        "has a motor, and it is weak; the shoulder at the pivot turns freely. The arm starts almost at rest, hanging down. Five "
        "times a second the controller turns the elbow one way, the other way, or lets it go.\n\n"
        "The episode ends as soon as the free end rises more than 1 m above the pivot. Otherwise it runs to the horizon.\n\n"
        "Good behaviour pumps the swing: it bends and stretches the elbow in time with the swing of the shoulder, so that each "
        "swing goes higher."
    ),
    state=STATE,
    actions=ACTIONS,
    params=PARAMETERS,
    fitness=(
        "From 0 to 1. Up to a half for the greatest height that the free end has reached, counted from hanging down to the "
        "bar; the other half only for getting above the bar, more of it the earlier that happens."
    ),
    success="The free end gets more than 1 m above the pivot before the horizon.",
    horizon=500,
    hints=("Energy is the sum of speed and height: a swing that is fast at the bottom will be high at its end.",),
)


class Acrobot(ArraySimulator):
    """State rows: shoulder angle, elbow angle, shoulder speed, elbow speed."""

    gym_id = "Acrobot-v1"
    state_size = 4
    observation_space = make_box([1.0, 1.0, 1.0, 1.0, _TOP_SPEED_1, _TOP_SPEED_2])
    action_space = gymnasium.spaces.Discrete(3)

    def start(self, stream: np.random.Generator, slot: int) -> FloatArray:
        spread = self.params["start_spread"][slot]
        return stream.uniform(low=-spread, high=spread, size=4).astype(np.float32)

    def advance(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray]:
        torque = (actions - 1.0) * self.params["strength"]
        s = self._runge_kutta(self.state, torque)
        speed_1 = np.minimum(np.maximum(s[2], -_TOP_SPEED_1), _TOP_SPEED_1)
        speed_2 = np.minimum(np.maximum(s[3], -_TOP_SPEED_2), _TOP_SPEED_2)
        self.state = np.stack([_wrap(s[0]), _wrap(s[1]), speed_1, speed_2])
        terminated = self._tip() > _GOAL_HEIGHT
        return np.where(terminated, 0.0, -1.0), terminated

    def _runge_kutta(self, s: FloatArray, torque: FloatArray) -> FloatArray:
        half = _TICK_S / 2.0
        k1 = self._slope(s, torque)
        k2 = self._slope(s + half * k1, torque)
        k3 = self._slope(s + half * k2, torque)
        k4 = self._slope(s + _TICK_S * k3, torque)
        return s + _TICK_S / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)

    def _slope(self, s: FloatArray, torque: FloatArray) -> FloatArray:
        """Time derivative of the state; both links are 1 m long, centre at 0.5 m, moment of inertia 1."""
        theta1, theta2, speed1, speed2 = s
        m = self.params["link_mass"]
        cos2, sin2 = np.cos(theta2), np.sin(theta2)
        d1 = m * 0.5**2 + m * (1.0 + 0.5**2 + 2 * 0.5 * cos2) + 1.0 + 1.0
        d2 = m * (0.5**2 + 0.5 * cos2) + 1.0
        phi2 = m * 0.5 * _GRAVITY * np.cos(theta1 + theta2 - np.pi / 2.0)
        phi1 = (
            -m * 0.5 * speed2**2 * sin2
            - 2 * m * 0.5 * speed2 * speed1 * sin2
            + (m * 0.5 + m) * _GRAVITY * np.cos(theta1 - np.pi / 2)
            + phi2
        )
        acc2 = (torque + d2 / d1 * phi1 - m * 0.5 * speed1**2 * sin2 - phi2) / (m * 0.5**2 + 1.0 - d2**2 / d1)
        acc1 = -(d2 * acc2 + phi1) / d1
        return np.stack([speed1, speed2, acc1, acc2])

    def _tip(self) -> FloatArray:
        return np.asarray(-np.cos(self.state[0]) - np.cos(self.state[1] + self.state[0]))

    def observe(self) -> FloatArray:
        theta1, theta2, speed1, speed2 = self.state
        rows = [np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2), speed1, speed2]
        return np.stack(rows, axis=1).astype(np.float32)

    def truth(self) -> NamedState:
        theta1, theta2, speed1, speed2 = self.state.copy()
        rows = (np.cos(theta1), np.sin(theta1), np.cos(theta2), np.sin(theta2), speed1, speed2, self._tip())
        return {variable.name: row for variable, row in zip(STATE, rows, strict=True)}


def _wrap(angle: FloatArray) -> FloatArray:
    """Bring angles back to [-pi, pi] by whole turns; angles inside stay untouched, bit by bit."""
    return np.asarray(angle - 2 * np.pi * np.ceil((np.abs(angle) - np.pi) / (2 * np.pi)).clip(0) * np.sign(angle))


class TipHeight:
    """Remembers the greatest height of the free end."""

    def __init__(self, n: int) -> None:
        self.highest = np.full(n, _LOWEST)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.highest[slot] = truth["tip_height"][slot]

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        np.maximum(self.highest, truth["tip_height"], out=self.highest)

    def close(self, ending: Ending, truth: NamedState) -> Score:
        highest = float(self.highest[ending.slot])
        progress = min(1.0, max(0.0, (highest - _LOWEST) / (_GOAL_HEIGHT - _LOWEST)))
        early = 0.5 * (1.0 - ending.length / ending.horizon) if ending.terminated else 0.0
        extras = {"highest_tip_m": highest, "seconds": ending.length * _TICK_S}
        return Score(fitness=0.5 * progress + early, success=ending.terminated, extras=extras)


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of Acrobot-v1."""
    return Recipe(
        card=CARD,
        params_model=make_params_model("AcrobotParams", PARAMETERS),
        open_simulator=lambda n: Acrobot(n, PARAMETERS),
        open_scorer=lambda n, horizon: TipHeight(n),
    )
