"""What an algorithm of the trainer `dom` is: it acts, is shown what came of it, and updates the network. And the record that it is shown.

The trainer (`dom.py`) owns worlds, budget, checkpoints and reports; an algorithm owns the network's optimiser and whatever it remembers. Each
algorithm is one file with `make(settings, network, seed) -> Algorithm`, imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome
from envs.web.actions import Mask
from experimenter.errors import UsageError
from experimenter.trainers.normalise import Float32, Float64

if TYPE_CHECKING:
    from experimenter.trainers.dom_network import DomNetwork
    from experimenter.trainers.dom_settings import DomSettings

_ALGORITHMS: Mapping[str, str] = {
    "ppo": "experimenter.trainers.dom_ppo:make",
    "dqn": "experimenter.trainers.dom_dqn:make",
    "awr": "experimenter.trainers.dom_awr:make",
    "phase": "experimenter.trainers.dom_phase:make",
    "archer": "experimenter.trainers.dom_archer:make",
}


@dataclass(frozen=True, kw_only=True)
class Finished:
    """One episode that ended within a rollout."""

    time: int
    slot: int
    outcome: EpisodeOutcome


@dataclass(frozen=True, kw_only=True)
class DomRollout:
    """T steps of n pages, in training mode. Episodes may have begun before it and may go on after it."""

    observations: Float32
    """[T, n, SIZE]."""
    masks: Mask
    """[T, n, COUNT] of the observations."""
    actions: NDArray[np.int64]
    """[T, n]."""
    log_probs: Float32
    """[T, n] log probability of the actions under the policy that acted."""
    rewards: Float64
    """[T, n]."""
    first: NDArray[np.bool_]
    """[T, n] the observation is the first page of an episode."""
    terminated: NDArray[np.bool_]
    """[T, n] the episode ended by the task's own rule: nothing comes after."""
    truncated: NDArray[np.bool_]
    """[T, n] the episode was cut by the horizon."""
    valid: NDArray[np.bool_]
    """[T, n] False where the browser made the step worthless: it must not enter a gradient nor a replay memory."""
    successors: Float32
    """[n, SIZE] true successors of the last step."""
    cuts: Mapping[tuple[int, int], Float32]
    """(time, slot) -> [SIZE] true successor of every truncated step."""
    finished: tuple[Finished, ...]

    @property
    def ended(self) -> NDArray[np.bool_]:
        """[T, n] terminated or truncated: the next row belongs to another episode."""
        ended: NDArray[np.bool_] = self.terminated | self.truncated
        return ended

    def successor(self, time: int, slot: int) -> Float32:
        """[SIZE] true successor of a step that did not terminate."""
        if (time, slot) in self.cuts:
            return self.cuts[time, slot]
        found: Float32 = (
            self.successors[slot] if time + 1 == len(self.observations) else self.observations[time + 1, slot]
        )
        return found


class Algorithm(Protocol):
    """How the network learns. Everything random comes from the generator that the seed makes."""

    head: str
    """Head of the greedy policy that is exported: `policy` or `q`."""

    def act(self, observations: Float32, masks: Mask) -> tuple[NDArray[np.int64], Float32]:
        """Choose actions [n] to learn from, with their log probabilities [n]."""
        ...

    def observe(self, rollout: DomRollout) -> None:
        """Take what happened; called once after each rollout, before `update`. Copy what is to be kept."""
        ...

    def update(self, learning_rate: float) -> dict[str, float]:
        """Learn; return metrics as plain finite floats."""
        ...

    def state_dict(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON-plain state and arrays for a checkpoint: generator, optimiser, memory. The trainer stores the network's weights itself."""
        ...

    def load_state_dict(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state_dict`; called after the weights were loaded. Raises KeyError or ValueError when it does not fit."""
        ...


def make_algorithm(settings: DomSettings, network: DomNetwork, seed: int) -> Algorithm:
    """Build the algorithm that the settings name; raises `UsageError` for an unknown one."""
    if settings.algorithm not in _ALGORITHMS:
        raise UsageError(
            f"unknown algorithm {settings.algorithm!r} of the trainer dom. Known: {', '.join(_ALGORITHMS)}."
        )
    module, _, name = _ALGORITHMS[settings.algorithm].partition(":")
    algorithm: Algorithm = getattr(import_module(module), name)(settings, network, seed)
    return algorithm
