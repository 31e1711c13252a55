"""How a policy behaves, as plain numbers of a tape: how far things move, how often they turn round, how it uses its actions.

The exploit catalogue reads these. They describe, they do not judge.
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from envs.family import FloatArray
from experimenter.rewards.audit_scores import Transitions

MAX_COMPONENTS = 4
"""Longer state variables (range finders) are left out."""
_DIGITS = 5


def measure(tape: Transitions) -> dict[str, float]:
    """Measure the policy on `tape`. For each number of the state: `mean_`, `size_` (mean magnitude), `move_` (mean magnitude of
    a step's change), `net_` (mean magnitude of an episode's whole change). For each action: `act_` (mean), `push_` (mean
    magnitude), `flip_` (share of steps on which its sign turns).
    """
    found: dict[str, float] = {}
    count = int(tape.episode.max()) + 1
    for name, array in tape.state.items():
        for label, now, then in _components(name, array, tape.next_state[name]):
            found[f"mean_{label}"] = float(np.mean(then))
            found[f"size_{label}"] = float(np.mean(np.abs(then)))
            found[f"move_{label}"] = float(np.mean(np.abs(then - now)))
            change = np.zeros(count)
            np.add.at(change, tape.episode, then - now)
            found[f"net_{label}"] = float(np.mean(np.abs(change)))
    for index in range(tape.action.shape[1]):
        values = tape.action[:, index]
        found[f"act_{index}"] = float(np.mean(values))
        found[f"push_{index}"] = float(np.mean(np.abs(values)))
        found[f"flip_{index}"] = _flips(values, tape.episode)
    return {name: _plain(value) for name, value in found.items() if isfinite(value)}


def _components(name: str, now: FloatArray, then: FloatArray) -> list[tuple[str, FloatArray, FloatArray]]:
    if now.ndim == 1:
        return [(name, now, then)]
    if now.ndim > 2 or now.shape[1] > MAX_COMPONENTS:
        return []
    return [(f"{name}_{index}", now[:, index], then[:, index]) for index in range(now.shape[1])]


def _flips(values: FloatArray, episode: NDArray[np.int64]) -> float:
    """Share of steps on which the sign about the action's middle differs from the step before in the same episode."""
    order = np.argsort(episode, kind="stable")
    signs, owner = np.sign(values[order] - np.mean(values)), episode[order]
    same = owner[1:] == owner[:-1]
    return float(np.mean(signs[1:][same] != signs[:-1][same])) if same.any() else 0.0


def _plain(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
