"""Settings of `qas` and `maskable_ppo`: the learner, and the search for shorter circuits that follows its successes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from envs.task import ParamValue
from experimenter.trainers.settings import parse_hidden, require, resolve_settings


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """What is done with the circuits that a learner finds."""

    prune_every: int = 1000
    """Env steps between prunings of a success, at least."""
    search_evaluations: int = 300_000
    """Energy evaluations of the search for shorter circuits at the end of training; 0: prune only."""
    max_evaluations: int = 0
    """Energy evaluations at which training ends, the worlds' own included; 0: no limit."""
    replays: int = 12
    """Worlds in which a circuit is played before it becomes the policy."""


@dataclass(frozen=True, kw_only=True)
class QasSettings(SearchSettings):
    """Double DQN. Networks are smaller and exploration shorter than published: an episode is worth more here."""

    num_envs: int = 16
    hidden: str = "128x128"
    learning_rate: float = 5e-4
    gamma: float = 0.93
    n_step: int = 5
    batch: int = 128
    buffer: int = 20_000
    learning_starts: int = 500
    updates: int = 2
    """Gradient steps after each step of all worlds."""
    target_every: int = 200
    """Gradient steps between copies to the target network."""
    final_epsilon: float = 0.05
    explore_share: float = 0.5
    """Share of the schedule over which epsilon falls from 1."""
    return_share: float = 0.25
    """Share of episodes that first follow a prefix of the shortest circuit found so far in this training."""
    max_gradient_norm: float = 10.0
    checkpoint_steps: int = 10_000
    """Env steps between checkpoints; worlds restart there."""

    @property
    def widths(self) -> list[int]:
        return parse_hidden(self.hidden)


BOUNDS: Mapping[str, tuple[float, float]] = {
    "num_envs": (1, 4096),
    "learning_rate": (1e-8, 1.0),
    "gamma": (0.0, 1.0),
    "n_step": (1, 100),
    "batch": (2, 10**6),
    "buffer": (2, 10**7),
    "learning_starts": (0, 10**9),
    "updates": (0, 1000),
    "target_every": (1, 10**9),
    "final_epsilon": (0.0, 1.0),
    "explore_share": (0.0, 1.0),
    "return_share": (0.0, 1.0),
    "max_gradient_norm": (1e-6, 1e6),
    "checkpoint_steps": (1, 10**9),
    "prune_every": (1, 10**9),
    "search_evaluations": (0, 10**10),
    "max_evaluations": (0, 10**12),
    "replays": (1, 1000),
}


def default_settings(family: str) -> dict[str, ParamValue]:
    """Every setting with its default for `family`."""
    return {field.name: field.default for field in fields(QasSettings)}  # type: ignore[misc]  # dataclass defaults are Any


def make_settings(family: str, overrides: Mapping[str, ParamValue]) -> QasSettings:
    """Resolve `overrides` over the defaults; raises `UsageError` for an unknown name or a bad value."""
    resolved = resolve_settings("qas", default_settings(family), overrides)
    require("qas", resolved, BOUNDS)
    settings = QasSettings(**resolved)  # type: ignore[arg-type]  # types were checked against the defaults
    parse_hidden(settings.hidden)
    return settings
