"""Reacher-v5: card, parameters and the ground truth "how close does the fingertip rest to the target"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Card, NamedState, Parameter
from envs.gym.mujoco import MujocoWorld, open_loop
from envs.gym.recipe import Ending, Recipe, Score, make_params_model, make_variables
from envs.task import ParamValue

_WINDOW = 10
_FAR = 0.2
_CLOSE = 0.03
_STOCK_RADIUS = 0.2

STATE = make_variables(
    [
        ("cos_shoulder", "1", -1.0, 1.0, "cosine of the first joint's angle; angle 0 points right"),
        ("cos_elbow", "1", -1.0, 1.0, "cosine of the second joint's angle relative to the first link"),
        ("sin_shoulder", "1", -1.0, 1.0, "sine of the first joint's angle, positive is counter-clockwise"),
        ("sin_elbow", "1", -1.0, 1.0, "sine of the second joint's angle relative to the first link"),
        ("target_x", "m", -0.3, 0.3, "place of the target, to the right of the shoulder"),
        ("target_y", "m", -0.3, 0.3, "place of the target, above the shoulder in the picture"),
        ("shoulder_velocity", "rad/s", -inf, inf, "turning speed of the first joint, usually within 30"),
        ("elbow_velocity", "rad/s", -inf, inf, "turning speed of the second joint, usually within 30"),
        ("to_fingertip_x", "m", -0.6, 0.6, "fingertip's place minus target's place, rightwards; 0 on the target"),
        ("to_fingertip_y", "m", -0.6, 0.6, "fingertip's place minus target's place, upwards; 0 on the target"),
        ("fingertip_x", "m", -0.25, 0.25, "place of the fingertip, to the right of the shoulder"),
        ("fingertip_y", "m", -0.25, 0.25, "place of the fingertip, above the shoulder in the picture"),
    ]
)
ACTIONS = make_variables(
    [
        (
            "shoulder_torque",
            "share of full torque",
            -1.0,
            1.0,
            "motor of the first joint, positive is counter-clockwise",
        ),
        ("elbow_torque", "share of full torque", -1.0, 1.0, "motor of the second joint, positive is counter-clockwise"),
    ]
)
PARAMETERS = (
    Parameter(
        name="target_radius",
        low=0.02,
        high=0.2,
        default=_STOCK_RADIUS,
        unit="m",
        meaning="targets lie at random within this distance of the shoulder; the arm reaches 0.21 m",
    ),
    Parameter(
        name="joint_friction",
        low=0.3,
        high=3.0,
        default=1.0,
        unit="times stock",
        step=0.4,
        meaning="damping of both joints",
    ),
)
CARD = Card(
    family="gym:Reacher-v5",
    title="Reacher: bring the fingertip of a two-link arm to a target",
    text=(
        "A flat arm of two links, 0.1 m each, turns about a fixed shoulder; it is seen from above and gravity plays no part. "
        "Motors turn the shoulder and the elbow, 50 times a second. The elbow turns at most 3 rad either way. The arm starts "
        "almost stretched out to the right, at rest; the target lies at a new random place each episode and does not move.\n\n"
        "The episode never ends early; it runs to the horizon (one second).\n\n"
        "Good behaviour moves the fingertip to the target fast, without overshooting, and keeps it there, at rest."
    ),
    state=STATE,
    actions=ACTIONS,
    params=PARAMETERS,
    fitness=(
        "From 0 to 1: how close the fingertip is to the target on average over the last 10 steps. 1 is on the target, "
        "0 is 20 cm or more away."
    ),
    success="Over the last 10 steps the fingertip is on average less than 3 cm from the target.",
    horizon=50,
    hints=("One second is short: about half of it is needed to get there.",),
)


class ReacherWorld(MujocoWorld):
    """Draws targets within a smaller circle on request; adds the place of the fingertip."""

    extra_names: Sequence[str] = ("fingertip_x", "fingertip_y")

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._stock_damping = self.model.dof_damping.copy()

    def apply(self, params: Mapping[str, ParamValue]) -> None:
        self.model.dof_damping[:] = self._stock_damping * float(params["joint_friction"])

    def reset(self, seed: int | None, params: Mapping[str, ParamValue]) -> Any:
        raw = super().reset(seed, params)
        share = float(params["target_radius"]) / _STOCK_RADIUS
        if share == 1.0:
            return raw
        qpos, qvel = self.data.qpos.copy(), self.data.qvel.copy()
        qpos[-2:] *= share
        self.core.goal = qpos[-2:].copy()
        self.core.set_state(qpos, qvel)
        return self.core._get_obs()

    def extras(self) -> Sequence[float]:
        place = self.data.body("fingertip").xpos
        return (place[0], place[1])


class FinalCloseness:
    """Keeps the last ten distances of every episode."""

    def __init__(self, n: int) -> None:
        self.recent = np.zeros((_WINDOW, n))
        self.steps = np.zeros(n, np.int64)

    def begin(self, slot: int, truth: NamedState) -> None:
        self.steps[slot] = 0

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        distance = np.hypot(truth["to_fingertip_x"], truth["to_fingertip_y"])
        self.recent[self.steps % _WINDOW, np.arange(len(distance))] = distance
        self.steps += 1

    def close(self, ending: Ending, truth: NamedState) -> Score:
        kept = min(_WINDOW, ending.length)
        distance = float(self.recent[:kept, ending.slot].mean())
        return Score(
            fitness=max(0.0, 1.0 - distance / _FAR),
            success=distance < _CLOSE,
            extras={"end_distance_m": distance},
        )


def make_recipe(gym_id: str) -> Recipe:
    """Return the recipe of Reacher-v5."""
    return Recipe(
        card=CARD,
        params_model=make_params_model("ReacherParams", PARAMETERS),
        open_simulator=lambda n: open_loop(gym_id, ReacherWorld, STATE, n),
        open_scorer=lambda n, horizon: FinalCloseness(n),
    )
