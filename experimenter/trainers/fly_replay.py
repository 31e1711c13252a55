"""The replay of `fly`: a ring over time of all worlds' transitions, whose rewards can be computed anew with other weights.

Row t holds what each world saw and did at t; the successor is row t + 1, so nothing is stored twice. Where an episode ended, row t + 1
belongs to another episode: an end by the task's own rule needs no successor, and a start whose n steps cross a cut is not drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Transitions drawn from the replay: m starts, and where they stand n steps later."""

    observation: Float32
    state: Float32
    action: Float32
    reward: Float32
    """[m] discounted sum of up to n rewards."""
    discount: Float32
    """[m] what the value of the successor counts: gamma to the steps taken, 0 after a true end."""
    next_observation: Float32
    next_state: Float32


class Replay:
    """`rows` steps of `n` worlds: observations [d], states [s], actions [k], rewards and penalties [p]."""

    def __init__(self, rows: int, n: int, observation: int, state: int, action: int, penalties: int) -> None:
        self.rows, self.n = rows, n
        self.arrays: dict[str, NDArray[Any]] = {
            "observation": np.zeros((rows, n, observation), np.float32),
            "state": np.zeros((rows, n, state), np.float32),
            "action": np.zeros((rows, n, action), np.float32),
            "reward": np.zeros((rows, n), np.float32),
            "penalty": np.zeros((rows, n, penalties), np.float32),
            "terminated": np.zeros((rows, n), np.bool_),
            "cut": np.zeros((rows, n), np.bool_),
        }
        """`cut` marks steps after which the next row is another episode's though the task had not ended."""
        self.filled, self.next = 0, 0

    def add(self, **row: NDArray[Any]) -> None:
        """Store one step of all worlds, the oldest making room."""
        for name, value in row.items():
            self.arrays[name][self.next] = value
        self.next = (self.next + 1) % self.rows
        self.filled = min(self.filled + 1, self.rows)

    def break_off(self) -> None:
        """Mark the newest row as a cut: the worlds are about to be restarted."""
        if self.filled:
            self.arrays["cut"][self.next - 1] = True

    def draw(self, m: int, n_step: int, gamma: float, weights: Float32, rng: np.random.Generator) -> Batch:
        """Draw m starts uniformly; the reward is what the worlds paid less `weights` times the penalties of each step."""
        newest = self.filled - n_step
        oldest = self.next if self.filled == self.rows else 0
        flat = rng.integers(0, newest * self.n, m)
        row, world = (oldest + flat // self.n) % self.rows, flat % self.n
        steps = (row + np.arange(n_step)[:, None]) % self.rows * self.n + world
        reward, discount, usable = self._add_up(steps, gamma, weights)
        if not usable.all():
            row, world, reward, discount = row[usable], world[usable], reward[usable], discount[usable]
        start, after = row * self.n + world, (row + n_step) % self.rows * self.n + world
        return Batch(
            observation=self._take("observation", start),
            state=self._take("state", start),
            action=self._take("action", start),
            reward=reward,
            discount=discount,
            next_observation=self._take("observation", after),
            next_state=self._take("state", after),
        )

    def _add_up(
        self, steps: NDArray[np.int64], gamma: float, weights: Float32
    ) -> tuple[Float32, Float32, NDArray[np.bool_]]:
        """Discounted rewards, what the successor counts, and whether no step is cut off, [m] each, for `steps` [n, m]."""
        paid, ended, cut = self._take("reward", steps), self._take("terminated", steps), self._take("cut", steps)
        if len(weights):
            paid = np.where(ended, paid, paid - self._take("penalty", steps) @ weights)
        kept = np.where(ended, np.float32(0), np.float32(gamma))
        reward, discount = np.zeros(steps.shape[1], np.float32), np.ones(steps.shape[1], np.float32)
        usable = np.ones(steps.shape[1], np.bool_)
        for step in range(len(steps)):
            reward += discount * paid[step]
            discount *= kept[step]
            usable &= ~(cut[step] & (discount > 0))
        return reward, discount, usable

    def _take(self, name: str, at: NDArray[np.int64]) -> NDArray[Any]:
        """What stands at places row * n + world of an array."""
        array = self.arrays[name]
        taken: NDArray[Any] = array.reshape(self.rows * self.n, *array.shape[2:]).take(at, axis=0)
        return taken

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint."""
        arrays = {f"replay_{name}": value[: self.filled] for name, value in self.arrays.items()}
        return {"filled": self.filled, "next": self.next}, arrays

    def load(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `save` gave; raises `ValueError` where the shapes do not fit."""
        self.filled, self.next = int(state["filled"]), int(state["next"])
        for name, value in self.arrays.items():
            found = arrays[f"replay_{name}"]
            if found.shape != (self.filled, *value.shape[1:]):
                raise ValueError(f"replay {name} has shape {found.shape}, this job's is {value.shape}")
            value[: self.filled] = found
