"""Random numbers inside the kernel: one SplitMix64 stream a world, uniform and near-normal samples at a few nanoseconds each.

The state of a stream is one 64-bit number, so a snapshot of a world holds its future randomness too. SplitMix64 is the
generator of Steele, Lea and Flood (2014). A near-normal sample is the sum of four uniforms (Irwin-Hall), scaled to mean 0
and variance 1: its tails end at 3.46, which is what a bounded sensor has anyway. Not for cryptography or for tail statistics.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.jit import jit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _S16 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(16)
_LOW16 = np.uint64(0xFFFF)
_UNIT = 1.0 / 9007199254740992.0
_PAIR = 3.0**0.5 / 65536.0
_CENTRE = 2.0 * 65535.0


@jit
def next_bits(streams: NDArray[np.uint64], world: int) -> np.uint64:
    """Advance one stream and return 64 random bits."""
    streams[world] = streams[world] + _STEP
    bits = streams[world]
    bits = (bits ^ (bits >> _S30)) * _MIX1
    bits = (bits ^ (bits >> _S27)) * _MIX2
    return np.uint64(bits ^ (bits >> _S31))


@jit
def uniform(streams: NDArray[np.uint64], world: int) -> float:
    """Draw from [0, 1)."""
    return np.float64(next_bits(streams, world) >> _S11) * _UNIT


@jit
def between(streams: NDArray[np.uint64], world: int, low: float, high: float) -> float:
    """Draw uniformly from [low, high)."""
    return low + (high - low) * uniform(streams, world)


@jit
def normal(streams: NDArray[np.uint64], world: int) -> float:
    """Draw a near-normal number of mean 0 and variance 1, within +-3.46."""
    bits = next_bits(streams, world)
    low = np.int64(bits & _LOW16) + np.int64((bits >> _S16) & _LOW16)
    bits = bits >> _S16 >> _S16
    high = np.int64(bits & _LOW16) + np.int64(bits >> _S16)
    return (np.float64(low + high) - _CENTRE) * _PAIR


def make_streams(seed: int, worlds: int) -> NDArray[np.uint64]:
    """Start `worlds` independent streams from `seed`; stream w depends on `seed` and w only."""
    children = np.random.SeedSequence(seed).spawn(worlds)
    return np.array([child.generate_state(1, np.uint64)[0] for child in children], dtype=np.uint64)
