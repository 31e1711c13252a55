"""Settings of the trainer `fly`, with their defaults and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.trainers.settings import base_name, parse_hidden, require, resolve_settings


@dataclass(frozen=True, kw_only=True)
class FlySettings:
    """TD3 (Fujimoto et al. 2018) as Learning to Fly in Seconds (arXiv 2311.13081) uses it, over many worlds at once."""

    num_envs: int = 128
    """Worlds stepped together."""
    updates: int = 5
    """Critic updates after each step of all worlds."""
    actor_every: int = 2
    """Critic updates an actor update (published: 2)."""
    critic_first: int = 1000
    """Critic updates before the first actor update: an actor that follows a blank critic saturates and stays so (published: 1,500)."""
    saturation: float = 0.01
    """Weight of the actor's mean squared output before the tanh, which keeps its gradient alive."""
    batch: int = 256
    warm_steps: int = 8192
    """Env steps of random smooth actions before learning; they also set the input scales."""
    replay_steps: int = 400_000
    """Transitions kept."""
    n_step: int = 5
    """Rewards summed before the critic's estimate takes over."""
    gamma: float = 0.99
    follow: float = 0.005
    """Share by which target networks follow."""
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.1
    """Share of the learning rate left at the end of the linear decay over the schedule."""
    weight_decay: float = 1e-4
    noise_low: float = 0.05
    noise_high: float = 0.4
    """Exploration noise of the first and the last world; the others lie between."""
    target_noise: float = 0.2
    target_noise_limit: float = 0.5
    hidden: str = "64x64"
    privileged: bool = True
    """The critics see the worlds' named state (true and complete) instead of the observation."""
    reward_scale: float = 0.05
    """Rewards are multiplied by this, so that values stay near 10 at a gamma of 0.99."""
    curriculum_every: int = 0
    """Env steps between increases of the weights below; all stored rewards follow. 0: no curriculum (published: 100,000).

    Only for hover tasks with rotor-speed actions: the weights are added to those that the native hover reward starts with.
    """
    position_weight: float = 5.0
    position_growth: float = 1.2
    position_limit: float = 40.0
    velocity_weight: float = 0.01
    velocity_growth: float = 1.4
    velocity_limit: float = 1.0
    action_weight: float = 0.01
    action_growth: float = 1.4
    action_limit: float = 1.0
    """Start, factor an increase and limit of the weights of |to goal|^2, |velocity|^2 and |action - hover|^2 (as published)."""
    hover_action: float = 0.334
    """The action that hovers (published, rotor speed)."""
    checkpoint_steps: int = 500_000
    """Env steps between checkpoints (worlds restart there; the replay goes into the checkpoint)."""

    @property
    def widths(self) -> list[int]:
        return parse_hidden(self.hidden)


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "num_envs": (1, 4096),
    "updates": (1, 1000),
    "actor_every": (1, 100),
    "critic_first": (0, 10**7),
    "saturation": (0.0, 10.0),
    "batch": (2, 65536),
    "warm_steps": (1, 10**8),
    "replay_steps": (1000, 10**8),
    "n_step": (1, 20),
    "gamma": (0.0, 1.0),
    "follow": (1e-6, 1.0),
    "learning_rate": (1e-8, 1.0),
    "final_learning_rate": (0.0, 1.0),
    "weight_decay": (0.0, 1.0),
    "noise_low": (0.0, 10.0),
    "noise_high": (0.0, 10.0),
    "target_noise": (0.0, 10.0),
    "target_noise_limit": (0.0, 10.0),
    "reward_scale": (1e-9, 1e9),
    "curriculum_every": (0, 10**9),
    "checkpoint_steps": (1, 10**10),
}
_FAMILIES: Mapping[str, Mapping[str, ParamValue]] = {
    "CartPole": {"num_envs": 8, "warm_steps": 256, "critic_first": 100, "checkpoint_steps": 50_000},
    "Pendulum": {"num_envs": 8, "warm_steps": 256, "critic_first": 100, "checkpoint_steps": 50_000},
}


def default_settings(family: str) -> dict[str, ParamValue]:
    """Every setting with its default for `family`."""
    generic = {field.name: field.default for field in fields(FlySettings)}
    return {**generic, **_FAMILIES.get(base_name(family), {})}  # type: ignore[dict-item]  # dataclass defaults are typed Any


def make_settings(family: str, overrides: Mapping[str, ParamValue]) -> FlySettings:
    """Resolve `overrides` over the family's defaults; raises `UsageError` for an unknown name or a bad value."""
    resolved = resolve_settings("fly", default_settings(family), overrides)
    require("fly", resolved, _BOUNDS)
    settings = FlySettings(**resolved)  # type: ignore[arg-type]  # types were checked against the defaults
    parse_hidden(settings.hidden)
    if settings.replay_steps < 2 * settings.num_envs * (settings.n_step + 1):
        raise UsageError(
            f"setting replay_steps={settings.replay_steps} of the trainer fly is too small for {settings.num_envs} worlds: "
            f"give at least {2 * settings.num_envs * (settings.n_step + 1)}."
        )
    return settings
