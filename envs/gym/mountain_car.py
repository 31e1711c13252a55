"""MountainCar-v0 and MountainCarContinuous-v0: card, batched dynamics and the ground truth "how far up, how soon"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, FloatArray, NamedState, Parameter, Variable
from envs.gym.arrays import ArraySimulator
from envs.gym.recipe import BoolArray, Ending, Recipe, Score, make_params_model, make_variables

_LEFT_WALL, _RIGHT_WALL, _TOP_SPEED = -1.2, 0.6, 0.07
_VALLEY = -np.pi / 6
"""Lowest point of the track."""
_LOW = np.array([_LEFT_WALL, -_TOP_SPEED], np.float32)
_HIGH = np.array([_RIGHT_WALL, _TOP_SPEED], np.float32)

STATE = (
    *make_variables(
        [
            (
                "position",
                "m",
                -1.2,
                0.6,
                "place along the track; the valley's bottom is at -0.52, the left wall at -1.2",
            ),
            ("velocity", "m/step", -0.07, 0.07, "speed along the track, positive is to the right, towards the flag"),
        ]
    ),
    Variable(
        name="height",
        unit="m",
        low=0.1,
        high=1.0,
        meaning="height of the track under the car: 0.1 at the bottom, 1 at the top",
    ),
)


def _parameters(power: float) -> tuple[Parameter, ...]:
    return (
        Parameter(
            name="gravity",
            low=0.001,
            high=0.0035,
            default=0.0025,
            unit="m/step^2",
            step=0.0003,
            meaning="pull along the slope where it is steepest",
        ),
        Parameter(
            name="engine_power",
            low=0.0005,
            high=0.003,
            default=power,
            unit="m/step^2",
            meaning="acceleration of the engine at full throttle; weaker than gravity on the slope",
        ),
        Parameter(
            name="goal_speed",
            low=0.0,
            high=0.05,
            default=0.0,
            unit="m/step",
            step=0.01,
            meaning="speed to the right that the car must have when it passes the flag",
        ),
    )


def _card(gym_id: str, *, goal: float, drive: str, actions: tuple[Variable, ...], power: float, horizon: int) -> Card:
    return Card(
        family=f"gym:{gym_id}",
        title="Mountain car: get out of a valley with a weak engine",
        text=(
            "A car stands near the bottom of a valley between two hills. A flag stands on top of the right hill, at position "
            f"{goal}. {drive} The engine is too weak to drive straight up: the car must first go up the left hill, then use "
            "the run down to climb the right one, swinging higher each time. A wall at the far left stops the car dead. The "
            "car starts at rest between -0.6 and -0.4.\n\n"
            "The episode ends early when the car passes the flag to the right, fast enough if a goal speed is set. Otherwise "
            "it runs to the horizon.\n\n"
            "Good behaviour pumps energy: it always pushes in the direction in which the car already moves."
        ),
        state=STATE,
        actions=actions,
        params=_parameters(power),
        fitness=(
            "From 0 to 1. Up to a half for the furthest place to the right that the car has reached, counted from the "
            "valley's bottom to the flag; the other half only for passing the flag, more of it the earlier that happens."
        ),
        success="The car passes the flag, fast enough if a goal speed is set, before the horizon.",
        horizon=horizon,
        hints=("Random pushing almost never reaches the flag: a signal long before the flag is needed.",),
    )


_DISCRETE = make_variables(
    [("throttle", "choice", 0, 2, "0 accelerates to the left, 1 coasts, 2 accelerates to the right")]
)
_CONTINUOUS = make_variables([("throttle", "1", -1.0, 1.0, "share of the engine's power, negative is to the left")])
CARDS = {
    "MountainCar-v0": _card(
        "MountainCar-v0",
        goal=0.5,
        drive="At each step the engine pushes left, right, or not at all.",
        actions=_DISCRETE,
        power=0.001,
        horizon=200,
    ),
    "MountainCarContinuous-v0": _card(
        "MountainCarContinuous-v0",
        goal=0.45,
        drive="At each step the engine pushes left or right, as hard as the controller says.",
        actions=_CONTINUOUS,
        power=0.0015,
        horizon=999,
    ),
}
GOALS = {"MountainCar-v0": 0.5, "MountainCarContinuous-v0": 0.45}


class MountainCar(ArraySimulator):
    """State rows: position, velocity. Three throttle choices."""

    gym_id = "MountainCar-v0"
    state_size = 2
    observation_space = gymnasium.spaces.Box(_LOW, _HIGH, dtype=np.float32)
    action_space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(3)

    def start(self, stream: np.random.Generator, slot: int) -> FloatArray:
        return np.array([stream.uniform(low=-0.6, high=-0.4), 0.0])

    def advance(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray]:
        push = (actions - 1) * self.params["engine_power"]
        reached = self.roll(push)
        return np.full(self.num_envs, -1.0), reached

    def roll(self, push: FloatArray) -> BoolArray:
        """Move every car by one step under `push` [n]; return which have passed the flag."""
        position: FloatArray
        velocity: FloatArray
        position, velocity = self.state
        slope = np.cos(self.settle(3 * position)) * self.params["gravity"]
        velocity = self.settle(velocity + (push - slope.astype(push.dtype)))
        velocity = np.minimum(np.maximum(velocity, -_TOP_SPEED), _TOP_SPEED)
        position = np.minimum(np.maximum(self.settle(position + velocity), _LEFT_WALL), _RIGHT_WALL)
        velocity = np.where((position == _LEFT_WALL) & (velocity < 0), 0.0, velocity)
        self.state = np.stack([position, velocity])
        return (position >= GOALS[self.gym_id]) & (velocity >= self.params["goal_speed"])

    def settle(self, value: FloatArray) -> FloatArray:
        """Round an intermediate value as Gymnasium's own number types do."""
        return value

    def observe(self) -> FloatArray:
        return self.state.T.astype(np.float32, order="C")

    def truth(self) -> NamedState:
        position, velocity = self.state.copy()
        return {"position": position, "velocity": velocity, "height": np.sin(3 * position) * 0.45 + 0.55}


class ContinuousMountainCar(MountainCar):
    """The same valley with a throttle in [-1, 1]. Gymnasium keeps this state in float32 from the first step on; so do we."""

    gym_id = "MountainCarContinuous-v0"
    action_space: gymnasium.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self, n: int, parameters: Sequence[Parameter]) -> None:
        super().__init__(n, parameters)
        self._fresh = np.ones(n, np.bool_)

    def start(self, stream: np.random.Generator, slot: int) -> FloatArray:
        self._fresh[slot] = True
        return super().start(stream, slot)

    def advance(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray]:
        throttle = actions[:, 0]
        reached = self.roll(throttle * self.params["engine_power"].astype(np.float32))
        self.state = self.state.astype(np.float32).astype(np.float64)
        self._fresh[:] = False
        return np.where(reached, 100.0, 0.0) - 0.1 * throttle.astype(np.float64) ** 2, reached

    def settle(self, value: FloatArray) -> FloatArray:
        return np.where(self._fresh, value, value.astype(np.float32))


class FlagProgress:
    """Remembers the furthest place to the right and the throttle spent."""

    def __init__(self, n: int, goal: float, discrete: bool) -> None:
        self.goal, self.discrete = goal, discrete
        self.furthest = np.full(n, _LEFT_WALL)
        self.throttle = np.zeros(n)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.furthest[slot] = truth["position"][slot]
        self.throttle[slot] = 0.0

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        np.maximum(self.furthest, truth["position"], out=self.furthest)
        self.throttle += np.abs(actions - 1 if self.discrete else actions[:, 0])

    def close(self, ending: Ending, truth: NamedState) -> Score:
        furthest = float(self.furthest[ending.slot])
        progress = min(1.0, max(0.0, (furthest - _VALLEY) / (self.goal - _VALLEY)))
        early = 0.5 * (1.0 - ending.length / ending.horizon) if ending.terminated else 0.0
        return Score(
            fitness=0.5 * progress + early,
            success=ending.terminated,
            extras={
                "furthest_position_m": furthest,
                "mean_throttle": float(self.throttle[ending.slot]) / ending.length,
                "goal_speed_m_per_step": float(ending.params["goal_speed"]),
            },
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of MountainCar-v0 or MountainCarContinuous-v0."""
    card = CARDS[gym_id]
    simulator = MountainCar if gym_id == "MountainCar-v0" else ContinuousMountainCar
    return Recipe(
        card=card,
        params_model=make_params_model("MountainCarParams", card.params),
        open_simulator=lambda n: simulator(n, card.params),
        open_scorer=lambda n, horizon: FlagProgress(n, GOALS[gym_id], simulator is MountainCar),
    )
