"""InvertedDoublePendulum-v5: card, parameters and the ground truth "how long did both poles stay up"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, NamedState, Parameter
from envs.gym.mujoco import GRAVITY, MujocoWorld, open_loop
from envs.gym.recipe import Ending, Recipe, Score, make_params_model, make_variables
from envs.task import ParamValue

_TICK_S = 0.05
_FALLEN = 1.0

STATE = make_variables(
    [
        ("cart_position", "m", -1.5, 1.5, "cart along the rail, 0 is the middle; stops stand at -1 and 1"),
        ("sin_lower_angle", "1", -1.0, 1.0, "sine of the lower pole's tilt; 0 is upright, positive leans right"),
        (
            "sin_upper_angle",
            "1",
            -1.0,
            1.0,
            "sine of the upper pole's angle relative to the lower pole, positive bends right",
        ),
        ("cos_lower_angle", "1", -1.0, 1.0, "cosine of the lower pole's tilt; 1 is upright"),
        (
            "cos_upper_angle",
            "1",
            -1.0,
            1.0,
            "cosine of the upper pole's angle relative to the lower pole; 1 is in line",
        ),
        ("cart_velocity", "m/s", -10.0, 10.0, "speed of the cart, positive is to the right"),
        (
            "lower_angular_velocity",
            "rad/s",
            -10.0,
            10.0,
            "turning speed of the lower pole, positive is towards the right",
        ),
        ("upper_angular_velocity", "rad/s", -10.0, 10.0, "turning speed of the upper pole relative to the lower one"),
        (
            "stop_force",
            "N",
            -10.0,
            10.0,
            "force with which a stop at the end of the rail holds the cart; 0 on the free rail",
        ),
        ("tip_x", "m", -3.0, 3.0, "place of the upper pole's free end along the rail"),
        (
            "tip_height",
            "m",
            -1.3,
            1.3,
            "height of the upper pole's free end over the rail; 1.2 when both poles are upright",
        ),
        ("lower_angle", "rad", -inf, inf, "tilt of the lower pole, 0 is upright, positive leans right"),
        ("upper_angle", "rad", -inf, inf, "angle of the upper pole relative to the lower one, 0 is in line"),
    ]
)
ACTIONS = make_variables([("push", "share of full force", -1.0, 1.0, "force on the cart, positive is to the right")])
PARAMETERS = (
    GRAVITY,
    Parameter(
        name="start_spread",
        low=0.01,
        high=0.2,
        default=0.1,
        unit="m, rad, m/s, rad/s",
        step=0.02,
        meaning="how far from upright and rest the start may be",
    ),
    Parameter(
        name="strength", low=0.3, high=1.5, default=1.0, unit="times stock", meaning="full force of the cart's motor"
    ),
)
CARD = Card(
    family="gym:InvertedDoublePendulum-v5",
    title="Inverted double pendulum: balance two poles, one upon the other, on a cart",
    text=(
        "A cart runs on a rail of 2 m. A pole of 0.6 m is hinged to it, and a second one of 0.6 m to the first one's end. Only the "
        "cart is driven; both hinges turn freely. Twenty times a second the controller sets the force on the cart. The poles "
        "start a little off upright, with small random speeds.\n\n"
        "The episode ends early when the free end of the upper pole sinks to 1 m above the rail or lower (1.2 m is upright). "
        "Otherwise it runs to the horizon (50 seconds).\n\n"
        "Good behaviour keeps both poles upright and almost still, near the middle of the rail."
    ),
    state=STATE,
    actions=ACTIONS,
    params=PARAMETERS,
    fitness="The share of the horizon during which the free end is more than 1 m above the rail, from 0 to 1; 1 is best.",
    success="The free end is still more than 1 m above the rail when the horizon is reached.",
    horizon=1000,
    hints=("Large pushes throw the upper pole off: most of the time small forces are enough.",),
)


class DoublePoleWorld(MujocoWorld):
    """Start spread and motor strength go in; the tip and the plain angles come out."""

    extra_names: Sequence[str] = ("tip_x", "tip_height", "lower_angle", "upper_angle")

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._stock_gear = float(self.model.actuator_gear[0, 0])

    def apply(self, params: Mapping[str, ParamValue]) -> None:
        super().apply(params)
        self.core._reset_noise_scale = float(params["start_spread"])
        self.model.actuator_gear[0, 0] = self._stock_gear * float(params["strength"])

    def extras(self) -> Sequence[float]:
        tip, angles = self.data.site_xpos[0], self.data.qpos
        return (tip[0], tip[2], angles[1], angles[2])


class BothUpTime:
    """Counts the steps of each episode with the tip above the mark."""

    def __init__(self, n: int) -> None:
        self.up = np.zeros(n, np.int64)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.up[slot] = 0

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        self.up += truth["tip_height"] > _FALLEN

    def close(self, ending: Ending, truth: NamedState) -> Score:
        up = int(self.up[ending.slot])
        return Score(
            fitness=up / ending.horizon, success=up == ending.horizon, extras={"seconds_upright": up * _TICK_S}
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of InvertedDoublePendulum-v5."""
    return Recipe(
        card=CARD,
        params_model=make_params_model("DoublePendulumParams", PARAMETERS),
        open_simulator=lambda n: open_loop(gym_id, DoublePoleWorld, STATE, n),
        open_scorer=lambda n, horizon: BothUpTime(n),
    )
