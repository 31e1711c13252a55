"""What trainers share about worlds: restart seeds, their extra state, and the spaces that a plain network fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv
from experimenter.errors import UsageError
from experimenter.trainers.base import StatefulWorlds

_SEED_FLOOR = 2**31
"""Restart seeds lie above every held-out seed."""
_UNBOUNDED = 1e6
"""Stands for an infinite action bound in an artifact."""


def restart_seed(seed: int, step: int) -> int:
    """Seed of the worlds that start at env step `step` of the run with `seed`: in [2**31, 2**32)."""
    return _SEED_FLOOR + int(np.random.SeedSequence([seed, step]).generate_state(1)[0]) % _SEED_FLOOR


def save_worlds(env: BatchEnv) -> dict[str, Any]:
    """JSON-plain state of the worlds beyond their episodes; empty when they keep none."""
    return dict(env.save_state()) if isinstance(env, StatefulWorlds) else {}


def load_worlds(env: BatchEnv, state: Mapping[str, Any]) -> None:
    """Give the worlds back what `save_worlds` returned."""
    if state and isinstance(env, StatefulWorlds):
        env.load_state(state)


@dataclass(frozen=True)
class Shape:
    """Sizes of the network's two ends, with the bounds of a continuous action."""

    observation: int
    action: int
    discrete: bool
    low: NDArray[np.float32]
    """[k]; empty when discrete. Infinite bounds are 1e6."""
    high: NDArray[np.float32]

    @property
    def scale(self) -> NDArray[np.float32]:
        """[k] half the width of the action range; 1 where it is unbounded."""
        half = (self.high - self.low) / 2
        scale: NDArray[np.float32] = np.where(half >= _UNBOUNDED / 2, np.float32(1), half).astype(np.float32)
        return scale

    @property
    def middle(self) -> NDArray[np.float32]:
        """[k] middle of the action range; 0 where it is unbounded."""
        half, centre = (self.high - self.low) / 2, (self.high + self.low) / 2
        middle: NDArray[np.float32] = np.where(half >= _UNBOUNDED / 2, np.float32(0), centre).astype(np.float32)
        return middle


def resolve_shape(
    trainer: str, observations: gymnasium.spaces.Space[Any], actions: gymnasium.spaces.Space[Any]
) -> Shape:
    """Read the sizes off the spaces; raises `UsageError` for spaces that a plain network does not fit."""
    if not isinstance(observations, gymnasium.spaces.Box) or len(observations.shape) != 1:
        raise UsageError(f"the trainer {trainer} needs flat Box observations [d], not {observations}.")
    size = int(observations.shape[0])
    if isinstance(actions, gymnasium.spaces.Discrete) and int(actions.start) == 0:
        empty = np.zeros(0, np.float32)
        return Shape(size, int(actions.n), True, empty, empty)
    if isinstance(actions, gymnasium.spaces.Box) and len(actions.shape) == 1:
        low, high = (np.clip(side, -_UNBOUNDED, _UNBOUNDED).astype(np.float32) for side in (actions.low, actions.high))
        return Shape(size, int(actions.shape[0]), False, low, high)
    raise UsageError(f"the trainer {trainer} needs Box [k] or Discrete actions from 0, not {actions}.")
