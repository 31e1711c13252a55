"""Settings of the trainer `swarm`: those of our PPO and what practice adds, with the defaults that our trials settled on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.trainers import ppo_settings
from experimenter.trainers.ppo_settings import PpoSettings
from experimenter.trainers.settings import parse_hidden, require, resolve_settings

ENCODERS = ("mlp", "deep_set", "attention")
FAMILIES = ("quadrotor",)
"""Families of drones; on others `swarm` is our PPO as it is."""


@dataclass(frozen=True, kw_only=True)
class SwarmSettings(PpoSettings):
    """PPO's settings and those of a swarm; shaping is added to the native reward, in training only."""

    agents: int = 512
    """Drones stepped together; the number of rooms follows. Used when `num_envs` is 0."""
    encoder: str = "mlp"
    """How neighbours and cylinders are read: mlp, deep_set or attention."""
    token_width: int = 24
    """Width of the encodings of a neighbour and of the cylinders (deep_set and attention)."""
    privileged: bool = False
    """Give the critic, and never the policy, rotor speeds and disturbances."""
    distance_weight: float = 0.3
    """Scale of the native pull towards the goal, which `progress` mostly replaces."""
    progress: float = 0.5
    """Paid for each metre nearer to the goal."""
    goal_bonus: float = 0.5
    """Paid a second at the goal, falling off over `goal_bonus_m`."""
    goal_bonus_m: float = 0.4
    contact_weight: float = 1.0
    """Scale of the native contact terms at the end of the ramp."""
    room_contact: float = 5.0
    """Penalty of a new contact with wall or ceiling at the end of the ramp."""
    ramp_start: float = 0.1
    """Share of the contact terms at the start."""
    ramp_share: float = 0.5
    """Share of the schedule over which the contact terms rise; they rise only while the gate is open."""
    gate_reached: float = 0.5
    """Least share of recent episodes that reach their goal for the contact terms to rise and for contacts to be replayed."""
    replay: float = 0.5
    """Probability that a new episode resumes a stored moment before a contact; 0: no replay."""


_BOUNDS: Mapping[str, tuple[float, float]] = {
    **ppo_settings.BOUNDS,
    "num_envs": (0, 4096),
    "agents": (1, 10**6),
    "token_width": (1, 1024),
    "distance_weight": (0.0, 100.0),
    "progress": (0.0, 100.0),
    "goal_bonus": (0.0, 100.0),
    "goal_bonus_m": (0.01, 10.0),
    "contact_weight": (0.0, 100.0),
    "room_contact": (0.0, 1000.0),
    "ramp_start": (0.0, 1.0),
    "ramp_share": (0.0, 1.0),
    "gate_reached": (0.0, 1.0),
    "replay": (0.0, 1.0),
}
# small batches and a high rate: 512 agents x 32 steps learn a goal flight in 30 CPU-seconds where 1,024 x 64 at half the rate needed 60;
# a horizon of 2 s (gamma 0.995) instead of 1 s sees a cylinder in time: 0.955 instead of 0.89 for 8 drones at 20 % after 60 CPU-seconds
_QUADROTOR: Mapping[str, ParamValue] = {
    "num_envs": 0,
    "rollout_steps": 32,
    "epochs": 2,
    "minibatch": 2048,
    "learning_rate": 2e-3,
    "final_learning_rate": 0.1,
    "gamma": 0.995,
    "log_std": -0.7,
    "normalise_observations": False,
    "checkpoint_steps": 3_000_000,
}


def default_settings(family: str) -> dict[str, ParamValue]:
    """Every setting with its default for `family`."""
    generic: dict[str, ParamValue] = {field.name: field.default for field in fields(SwarmSettings)}  # type: ignore[misc]  # dataclass defaults are typed Any
    return {
        **generic,
        **(_QUADROTOR if family.partition(":")[0] in FAMILIES else ppo_settings.default_settings(family)),
    }


def make_settings(family: str, overrides: Mapping[str, ParamValue]) -> SwarmSettings:
    """Resolve `overrides` over the family's defaults; raises `UsageError` for an unknown name or a bad value."""
    resolved = resolve_settings("swarm", default_settings(family), overrides)
    require("swarm", resolved, _BOUNDS)
    settings = SwarmSettings(**resolved)  # type: ignore[arg-type]  # types were checked against the defaults
    parse_hidden(settings.hidden)
    if settings.encoder not in ENCODERS:
        raise UsageError(
            f"setting encoder={settings.encoder!r} of the trainer swarm must be one of {', '.join(ENCODERS)}."
        )
    return settings
