"""Generalised advantage estimation (Schulman et al. 2016, eq. 16), with truncation told apart from termination."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def successor_values(
    values: Array, last_values: Array, cut_values: Array, cut_at: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> Array:
    """Value of the true successor of every step, [T, n].

    Args:
        values: [T, n] value of the observation that each step started from.
        last_values: [n] value of the true successor of the last step.
        cut_values: [m] value of the final observations of the truncated steps.
        cut_at: where those are: time indices [m] and slots [m].
    """
    successors = np.empty_like(values)
    successors[:-1] = values[1:]  # s'_t is s_{t+1} while the episode goes on
    successors[-1] = last_values
    successors[cut_at] = cut_values
    return successors


def advantages(
    *,
    rewards: Array,
    values: Array,
    successors: Array,
    terminated: NDArray[np.bool_],
    ended: NDArray[np.bool_],
    gamma: float,
    gae_lambda: float,
) -> Array:
    """Advantages [T, n]; add `values` for the targets of the critic.

    Args:
        rewards, values: [T, n].
        successors: [T, n] from `successor_values`; ignored where terminated.
        terminated: [T, n] the episode ended by the task's own rule: nothing comes after.
        ended: [T, n] terminated or truncated: the next row belongs to another episode.
    """
    alive = 1.0 - terminated
    deltas = rewards + gamma * successors * alive - values  # delta_t = r_t + gamma V(s'_t) - V(s_t)
    decay = gamma * gae_lambda * (1.0 - ended)
    result = np.empty_like(deltas)
    running = np.zeros(rewards.shape[1], dtype=deltas.dtype)
    for t in range(len(deltas) - 1, -1, -1):
        running = deltas[t] + decay[t] * running  # A_t = delta_t + gamma lambda A_{t+1}
        result[t] = running
    return result
