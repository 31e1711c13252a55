"""Settings of the trainer `dom`: network, algorithm and schedules, with the defaults that our trials settled on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.trainers import dom_options
from experimenter.trainers.dom_options import BOUNDS as OPTION_BOUNDS
from experimenter.trainers.dom_options import ArcherOptions, AwrOptions, DqnOptions, PhaseOptions
from experimenter.trainers.settings import require, resolve_settings

ALGORITHMS = ("ppo", "dqn", "awr", "phase", "archer")


@dataclass(frozen=True, kw_only=True)
class DomSettings(DqnOptions, AwrOptions, PhaseOptions, ArcherOptions):
    """Every setting with its default. Those of the algorithms other than PPO stand in dom_options.py."""

    algorithm: str = "ppo"
    """ppo, dqn (double n-step), awr (DigiRL's filtered cloning), phase (WebRL's KL-anchored update) or archer (two-level critic)."""
    width: int = 64
    """Width of a token."""
    layers: int = 2
    heads: int = 4
    pair_width: int = 32
    recurrent: bool = False
    """Remember earlier pages of the episode; ppo only. An element's own history is in the observation without it."""
    prior: float = 1.0
    """How much the untrained policy prefers what the instruction names; 0: not at all."""
    num_envs: int = 8
    """Pages stepped together."""
    rollout_steps: int = 32
    """Steps of each page between updates."""
    epochs: int = 3
    minibatch: int = 128
    learning_rate: float = 7e-4
    final_learning_rate: float = 0.2
    """Share of the learning rate left at the end of the linear decay over the schedule."""
    gamma: float = 0.97
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    """Weight of the entropy bonus."""
    kind_entropy: float = 0.0
    """Weight of how far the kinds of actions (click, copy, type, keys) are from being taken alike; ppo only. A curriculum that begins at the end has no use
    for some of them at first, and the entropy bonus alone lets them die out. Falls with the share of the task's own recent episodes that fail."""
    value_weight: float = 0.5
    max_gradient_norm: float = 0.5
    timeout_cost: float = 1.0
    """Taken from the reward where the horizon cuts an episode, which then is an end like any other; or doing nothing looks better than trying. 0: the
    value of the page stands for what would have followed."""
    checkpoint_steps: int = 1536
    """Env steps between checkpoints; the pages start afresh there."""
    stop_at: float = 0.98
    """End before the budget when this share of the last episodes of the task itself succeeded, and then as many greedy ones; 0: never."""
    exam_at: float = 0.0
    """Share of those greedy ones that must succeed; 0: as `stop_at`. A policy that goes on trying is better greedy than sampled."""
    stop_window: int = 200
    """Episodes that `stop_at` looks at."""


_BOUNDS: Mapping[str, tuple[float, float]] = {
    **dom_options.BOUNDS,
    **OPTION_BOUNDS,
    "width": (8, 512),
    "layers": (1, 8),
    "heads": (1, 16),
    "pair_width": (1, 512),
    "prior": (0.0, 10.0),
    "num_envs": (1, 16),
    "rollout_steps": (2, 4096),
    "epochs": (1, 100),
    "minibatch": (2, 10**6),
    "learning_rate": (1e-8, 1.0),
    "final_learning_rate": (0.0, 1.0),
    "gamma": (0.0, 1.0),
    "gae_lambda": (0.0, 1.0),
    "clip": (1e-3, 1.0),
    "entropy": (0.0, 10.0),
    "kind_entropy": (0.0, 10.0),
    "value_weight": (0.0, 100.0),
    "max_gradient_norm": (1e-6, 1e6),
    "timeout_cost": (0.0, 100.0),
    "checkpoint_steps": (1, 10**9),
    "stop_at": (0.0, 1.0),
    "exam_at": (0.0, 1.0),
    "stop_window": (8, 10_000),
}


def default_settings(family: str) -> dict[str, ParamValue]:
    """Every setting with its default for `family`."""
    return {field.name: field.default for field in fields(DomSettings)}  # type: ignore[misc]  # dataclass defaults are typed Any


def make_settings(family: str, overrides: Mapping[str, ParamValue]) -> DomSettings:
    """Resolve `overrides` over the defaults; raises `UsageError` for an unknown name or a bad value."""
    resolved = resolve_settings("dom", default_settings(family), overrides)
    require("dom", resolved, _BOUNDS)
    settings = DomSettings(**resolved)  # type: ignore[arg-type]  # types were checked against the defaults
    if settings.algorithm not in ALGORITHMS:
        raise UsageError(
            f"setting algorithm={settings.algorithm!r} of the trainer dom must be one of {', '.join(ALGORITHMS)}."
        )
    if settings.recurrent and settings.algorithm != "ppo":
        raise UsageError(f"setting recurrent of the trainer dom needs algorithm=ppo, not {settings.algorithm}.")
    if settings.width % settings.heads:
        raise UsageError(
            f"setting width={settings.width} of the trainer dom must be a multiple of heads={settings.heads}."
        )
    return settings
