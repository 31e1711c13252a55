"""What the MuJoCo recipes share: opening worlds, physical parameters written into the model, warnings sent to the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import cos, radians, sin
from typing import Any

import gymnasium

from envs.family import FloatArray, NamedState, Parameter, Variable
from envs.gym.lookup import find_spec, open_env
from envs.gym.loop import LoopSimulator, World
from envs.gym.spaces import ActionCodec, ObservationCodec
from envs.task import ParamValue

logger = logging.getLogger(__name__)

GRAVITY = Parameter(name="gravity", low=4.0, high=16.0, default=9.81, unit="m/s^2", step=1.0, meaning="pull downwards")


class MujocoWorld(World):
    """A MuJoCo world whose gravity, slope and friction follow the task parameters of those names."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.model, self.data = self.core.model, self.core.data
        self._stock_friction = self.model.geom_friction.copy()
        self._stock_drift = float(self.model.opt.gravity[0])

    def apply(self, params: Mapping[str, ParamValue]) -> None:
        if "gravity" in params:
            slope = radians(float(params.get("slope", 0.0)))
            pull = float(params["gravity"])
            self.model.opt.gravity[0] = self._stock_drift - pull * sin(slope)
            self.model.opt.gravity[2] = -pull * cos(slope)
        if "friction" in params:
            self.model.geom_friction[:] = self._stock_friction * float(params["friction"])


def open_loop(gym_id: str, world: type[World], state: Sequence[Variable], n: int) -> LoopSimulator:
    """Open n MuJoCo worlds; the observation's numbers take the first names of `state`, the world's extras the rest."""
    send_warnings_to_log()
    spec = find_spec(gym_id)
    worlds = [world(open_env(spec)) for _ in range(n)]
    family = f"gym:{gym_id}"
    observations = ObservationCodec(family, worlds[0].env.observation_space)
    names = [variable.name for variable in state[: observations.space.shape[0]]]

    def to_state(rows: FloatArray) -> NamedState:
        return dict(zip(names, rows.T, strict=True))

    return LoopSimulator(
        worlds, observations, ActionCodec(family, worlds[0].env.action_space), to_state, steps_together=True
    )


def send_warnings_to_log() -> None:
    """Send MuJoCo's warnings to `logging`; on its own it prints them and leaves a file in the working folder."""
    import mujoco

    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_log_warning)


def _log_warning(text: str) -> None:
    logger.info("MuJoCo: %s", text)
