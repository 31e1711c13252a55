"""LunarLander-v3 and LunarLanderContinuous-v3: card, parameters and the ground truth "did it land, and where"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import Card, FloatArray, NamedState, Parameter
from envs.gym.lookup import find_spec, open_env
from envs.gym.loop import LoopSimulator, World
from envs.gym.recipe import Ending, Recipe, Score, make_params_model, make_variables
from envs.gym.spaces import ActionCodec, ObservationCodec
from envs.task import ParamValue

_SCALE = np.array([10.0, 20.0 / 3.0, 5.0, 7.5, 1.0, 2.5, 1.0, 1.0])
"""Observation -> metres, m/s, rad, rad/s (Gymnasium's own note on its units)."""
_PAD_HALF_WIDTH = 2.0
_NEAR = 10.0
"""Distance from the pad in metres at which closeness counts nothing any more (half the screen)."""
_REST_SPEED = 0.05

STATE = make_variables(
    [
        ("x", "m", -12.0, 12.0, "place to the right of the pad's middle; the pad reaches from -2 to 2"),
        (
            "height",
            "m",
            -10.0,
            inf,
            "height of the body over the place where it stands when landed on the pad; starts near 9.4",
        ),
        ("x_velocity", "m/s", -60.0, 60.0, "sideways speed, positive is to the right"),
        (
            "vertical_velocity",
            "m/s",
            -80.0,
            inf,
            "vertical speed, positive is upwards; negative while falling, usually within 10",
        ),
        (
            "angle",
            "rad",
            -inf,
            inf,
            "tilt of the body, 0 is upright, positive leans left (counter-clockwise); whole turns add up",
        ),
        ("angular_velocity", "rad/s", -inf, inf, "turning speed, positive is counter-clockwise, usually within 5"),
        ("right_leg_contact", "1", 0.0, 1.0, "1 while the right leg touches the ground, else 0"),
        ("left_leg_contact", "1", 0.0, 1.0, "1 while the left leg touches the ground, else 0"),
    ]
)
PARAMETERS = (
    Parameter(name="gravity", low=2.0, high=11.9, default=10.0, unit="m/s^2", step=0.6, meaning="pull downwards"),
    Parameter(
        name="wind_power",
        low=0.0,
        high=20.0,
        default=0.0,
        unit="N",
        step=4.0,
        meaning="greatest sideways force of a changing wind",
    ),
    Parameter(
        name="turbulence",
        low=0.0,
        high=2.0,
        default=0.0,
        unit="N m",
        step=0.4,
        meaning="greatest turning force of the changing wind",
    ),
)
_DISCRETE = make_variables(
    [
        (
            "engine",
            "choice",
            0,
            3,
            "0 none; 1 the side engine that pushes left and turns counter-clockwise; 2 the main engine at full power, which "
            "pushes along the body's upward axis; 3 the side engine that pushes right and turns clockwise",
        )
    ]
)
_CONTINUOUS = make_variables(
    [
        ("main_engine", "1", -1.0, 1.0, "0 or less is off; 0 to 1 is half to full power along the body's upward axis"),
        (
            "side_engine",
            "1",
            -1.0,
            1.0,
            "between -0.5 and 0.5 off; below, pushes left and turns counter-clockwise; above, pushes right and turns clockwise",
        ),
    ]
)


def _card(gym_id: str) -> Card:
    continuous = gym_id == "LunarLanderContinuous-v3"
    control = "sets the power of the main and the side engine" if continuous else "fires one engine or none"
    return Card(
        family=f"gym:{gym_id}",
        title="Lunar lander: land on the pad, softly, on both legs",
        text=(
            "A lander with two legs comes in from the top of the screen with a random push. Ground of random shape lies below, "
            f"with a flat pad between two flags in the middle. Fifty times a second the controller {control}. Engines scatter a "
            "little at random. Fuel does not run out.\n\n"
            "The episode ends when the body (not a leg) touches the ground, which is a crash; when the lander leaves the screen to "
            "the left or right; or when it has come to rest on the ground. Otherwise it runs to the horizon (20 seconds).\n\n"
            "Good behaviour comes down over the pad, upright, ever slower, touches with both legs at a low speed, and then keeps "
            "its engines off so that it comes to rest.\n\n"
            "The state below is in metres and seconds; the policy itself sees the same numbers scaled to about one."
        ),
        state=STATE,
        actions=_CONTINUOUS if continuous else _DISCRETE,
        params=PARAMETERS,
        fitness=(
            "From 0 to 1. It is 1 for a landing: at rest between the flags on both legs, not crashed. Otherwise up to 0.3 for "
            "ending close to the pad, 0.2 for neither crashing nor leaving the screen, and 0.1 for each leg on the ground at the end."
        ),
        success="At the end the lander is at rest between the flags with both legs on the ground, and it has not crashed.",
        horizon=1000,
        hints=(
            "A lander that hovers for ever does not crash, and does not land either.",
            "Engines that still fire after the touch-down keep it from coming to rest.",
        ),
    )


class LanderWorld(World):
    """Gravity and wind go in, the simulator's own crash and sleep flags come out (for the scorer alone)."""

    extra_names: Sequence[str] = ("asleep", "crashed")

    def apply(self, params: Mapping[str, ParamValue]) -> None:
        self.core.gravity = -float(params["gravity"])
        self.core.wind_power = float(params["wind_power"])
        self.core.turbulence_power = float(params["turbulence"])
        self.core.enable_wind = self.core.wind_power > 0 or self.core.turbulence_power > 0

    def extras(self) -> Sequence[float]:
        return (float(not self.core.lander.awake), float(self.core.game_over))


def to_state(rows: FloatArray) -> NamedState:
    """Name observations [n, 8] in metres, seconds and radians."""
    return {variable.name: column for variable, column in zip(STATE, (rows * _SCALE).T, strict=True)}


class Landing:
    """Judges the end of each episode; counts the fuel on the way."""

    def __init__(self, n: int, continuous: bool) -> None:
        self.continuous = continuous
        self.main_engine = np.zeros(n)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.main_engine[slot] = 0.0

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        self.main_engine += actions[:, 0] > 0 if self.continuous else actions == 2

    def close(self, ending: Ending, truth: NamedState) -> Score:
        end = {name: float(column[ending.slot]) for name, column in truth.items()}
        legs = end["left_leg_contact"] + end["right_leg_contact"]
        away = float(np.hypot(end["x"], end["height"]))
        speed = float(np.hypot(end["x_velocity"], end["vertical_velocity"]))
        safe = not end["crashed"] and abs(end["x"]) < 10.0
        at_rest = bool(end["asleep"]) or speed < _REST_SPEED
        landed = safe and at_rest and legs == 2 and abs(end["x"]) <= _PAD_HALF_WIDTH
        graded = 0.3 * max(0.0, 1.0 - away / _NEAR) + 0.2 * safe + 0.1 * legs
        return Score(
            fitness=1.0 if landed else graded,
            success=landed,
            extras={
                "crashed": end["crashed"],
                "distance_from_pad_m": away,
                "end_speed_m_per_s": speed,
                "main_engine_steps": float(self.main_engine[ending.slot]),
            },
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of LunarLander-v3 or LunarLanderContinuous-v3."""
    card = _card(gym_id)

    def open_simulator(n: int) -> LoopSimulator:
        spec = find_spec(gym_id)
        worlds = [LanderWorld(open_env(spec)) for _ in range(n)]
        observations = ObservationCodec(card.family, worlds[0].env.observation_space)
        actions = ActionCodec(card.family, worlds[0].env.action_space)
        return LoopSimulator(worlds, observations, actions, to_state, steps_together=True)

    return Recipe(
        card=card,
        params_model=make_params_model("LanderParams", PARAMETERS),
        open_simulator=open_simulator,
        open_scorer=lambda n, horizon: Landing(n, gym_id == "LunarLanderContinuous-v3"),
    )
