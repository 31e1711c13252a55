"""Running statistics: observations to zero mean and unit variance, rewards to unit return variance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-8
CLIP = 10.0
FloatArray = NDArray[np.floating[Any]]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass
class Moments:
    """Mean and variance [d] of everything seen so far, merged batch by batch (Chan et al. 1979)."""

    mean: Float64
    var: Float64
    count: float

    @classmethod
    def zeros(cls, size: int) -> Moments:
        return cls(mean=np.zeros(size), var=np.ones(size), count=0.0)

    def update(self, batch: FloatArray) -> None:
        """Merge `batch` [m, d]."""
        rows = np.asarray(batch, dtype=np.float64)
        size, mean, var = len(rows), rows.mean(axis=0), rows.var(axis=0)
        total = self.count + size
        shift = mean - self.mean
        squares = self.var * self.count + var * size + shift**2 * (self.count * size / total)
        self.mean, self.var, self.count = self.mean + shift * (size / total), squares / total, total

    def frozen(self) -> Callable[[FloatArray], Float32]:
        """The map of today: (x - mean) / sqrt(var + 1e-8), clipped to [-10, 10]: what the artifact's `normalise` does."""
        mean, scale = self.mean.astype(np.float32), (1.0 / np.sqrt(self.var + EPSILON)).astype(np.float32)

        def normalise(batch: FloatArray) -> Float32:
            scaled: Float32 = (np.asarray(batch, dtype=np.float32) - mean) * scale
            return np.clip(scaled, -CLIP, CLIP, out=scaled)

        return normalise


@dataclass
class RewardScale:
    """Divides rewards by the standard deviation of the running discounted return (Engstrom et al. 2020, sec. 2)."""

    moments: Moments
    running: Float64
    """[n] discounted return so far of each slot; a single 0 after a restart."""
    gamma: float

    @classmethod
    def zeros(cls, gamma: float) -> RewardScale:
        return cls(moments=Moments.zeros(1), running=np.zeros(1), gamma=gamma)

    def restart(self) -> None:
        """Forget the running returns: the worlds were restarted."""
        self.running = np.zeros(1)

    def scale(self, rewards: Float64, ended: NDArray[np.bool_]) -> Float64:
        """Learn from `rewards` [T, n] and return them scaled and clipped to [-10, 10]."""
        returns = np.empty_like(rewards)
        for t, row in enumerate(rewards):
            self.running = self.gamma * self.running + row  # R_t = gamma R_{t-1} + r_t
            returns[t] = self.running
            self.running = self.running * (1.0 - ended[t])
        self.moments.update(returns.reshape(-1, 1))
        scaled: Float64 = np.clip(rewards / np.sqrt(self.moments.var[0] + EPSILON), -CLIP, CLIP)
        return scaled
