"""n-step returns for a replay, and the replay: windows never cross an episode's end, and each carries its own discount.

A window of m <= n steps from s holds R = sum_k gamma^k r_k over k < m, the state s' behind its last step, and what the value
of s' counts: gamma^m, or 0 where the last step ended the episode by the task's own rule. A cut (horizon, restart of the
worlds) ends windows too, but its s' keeps its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """One transition for the replay."""

    observation: Float32
    action: int
    reward: float
    discount: float
    successor: Float32


class Windows:
    """Open windows of n worlds."""

    def __init__(self, worlds: int, n_step: int, gamma: float) -> None:
        self._n, self._gamma = n_step, gamma
        self._open: list[list[tuple[Float32, int, float]]] = [[] for _ in range(worlds)]

    def add(
        self,
        world: int,
        observation: Float32,
        action: int,
        reward: float,
        successor: Float32,
        *,
        terminated: bool,
        truncated: bool,
    ) -> list[Window]:
        """Take in one step of one world; return the windows that it closes."""
        steps = self._open[world]
        steps.append((observation, action, reward))
        if terminated or truncated:
            return self._close(world, successor, terminated)
        if len(steps) < self._n:
            return []
        closed = self._window(steps, successor, terminated=False)
        del steps[0]
        return [closed]

    def cut(self, successors: Float32) -> list[Window]:
        """Close all windows of all worlds at their present observations [n, d]: the worlds are about to restart."""
        return [
            window for world in range(len(self._open)) for window in self._close(world, successors[world].copy(), False)
        ]

    def _close(self, world: int, successor: Float32, terminated: bool) -> list[Window]:
        steps, self._open[world] = self._open[world], []
        return [self._window(steps[start:], successor, terminated=terminated) for start in range(len(steps))]

    def _window(self, steps: list[tuple[Float32, int, float]], successor: Float32, *, terminated: bool) -> Window:
        total = sum(self._gamma**k * reward for k, (_, _, reward) in enumerate(steps))
        observation, action, _ = steps[0]
        return Window(observation, action, total, 0.0 if terminated else self._gamma ** len(steps), successor)


@dataclass(frozen=True)
class Sample:
    """m transitions."""

    observation: Float32
    action: NDArray[np.int64]
    reward: Float32
    discount: Float32
    successor: Float32


class Replay:
    """A ring of transitions."""

    def __init__(self, capacity: int, width: int) -> None:
        self._capacity, self.count, self._next = capacity, 0, 0
        self._arrays: dict[str, NDArray[Any]] = {
            "observation": np.zeros((capacity, width), np.float32),
            "action": np.zeros(capacity, np.int64),
            "reward": np.zeros(capacity, np.float32),
            "discount": np.zeros(capacity, np.float32),
            "successor": np.zeros((capacity, width), np.float32),
        }

    def add(self, window: Window) -> None:
        """Store one transition over the oldest."""
        for name, array in self._arrays.items():
            array[self._next] = getattr(window, name)
        self._next = (self._next + 1) % self._capacity
        self.count = min(self.count + 1, self._capacity)

    def draw(self, m: int, rng: np.random.Generator) -> Sample:
        """Draw m transitions uniformly, with repetition."""
        rows = rng.integers(0, self.count, m)
        return Sample(**{name: array[rows] for name, array in self._arrays.items()})

    def save(self) -> tuple[dict[str, int], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint."""
        used = {f"replay_{name}": array[: self.count] for name, array in self._arrays.items()}
        return {"count": self.count, "next": self._next}, used

    def load(self, state: Mapping[str, int], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `save` gave; raises `ValueError` where shapes do not fit."""
        self.count, self._next = int(state["count"]), int(state["next"])
        for name, array in self._arrays.items():
            array[: self.count] = arrays[f"replay_{name}"]
