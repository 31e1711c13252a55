"""What a drone senses: itself, its K nearest neighbours, a 3x3 grid of distances to the nearest cylinder, past actions.

Order, in raw units: goal relative 3, velocity 3, rotation matrix 9 (row by row), body rates 3, height above the floor 1;
then K times relative position 3 and velocity 3; then 9 grid distances (0.1 m apart, x outer, y inner); then past actions,
newest first. Without a K-th neighbour its place holds 10 m on each axis and no velocity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.blocks import copy_block, turn_block, use_wide_vectors
from envs.quadrotor.contacts import Streams
from envs.quadrotor.dynamics import four
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import BEST, BLOCK, GRID2, OTHER, SEEN, WIDTH, Lanes, Table, clip
from envs.quadrotor.layout import GOAL, NOISE, PAST, POS, QUAT, RATE, STEP, VEL
from envs.quadrotor.noise import normal
from envs.quadrotor.pairs import FAR_M

OWN, PER_NEIGHBOUR, GRID = 19, 6, 9
_NOISE_POSITION, _NOISE_VELOCITY, _NOISE_RATE = 0.005, 0.01, 1.75e-4
"""Published standard deviations: m, m/s, rad/s."""
Seen = NDArray[np.float32]


def observation_size(neighbours: int, history: int) -> int:
    """Length of one observation."""
    return OWN + PER_NEIGHBOUR * neighbours + GRID + 4 * history


@jit
def sense(
    t: Table,
    s: Lanes,
    wt: Table,
    streams: Streams,
    out: Seen,
    copy: Seen,
    first_world: int,
    worlds: int,
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Write the observations of a group of worlds, whose drones fill the lanes, into their rows of `out` [agents, size] and of `copy`."""
    seen = OWN + PER_NEIGHBOUR * neighbours + GRID
    look_around(s, worlds * drones, drones, neighbours)
    turn_lanes(s, out, copy, first_world * drones, worlds * drones, seen)
    for place in range(worlds):
        w = first_world + place
        if wt[w, NOISE] > 0.0 or history > 0:
            for a in range(w * drones, w * drones + drones):
                if wt[w, NOISE] > 0.0:
                    blur_self(streams, out, w, a, wt[w, NOISE])
                remember(t, out, a, int(wt[w, STEP]), seen, history, kept)
                for k in range(seen + 4 * history):
                    copy[a, k] = out[a, k]


@jit
def look_around(s: Lanes, count: int, drones: int, neighbours: int) -> None:
    """Fill SEEN of `count` lanes and of those that share their last block, but for noise."""
    for block in range((count + BLOCK - 1) // BLOCK):
        b = s[block * BLOCK :]
        sense_self(b)
        for nth in range(neighbours):
            row = (SEEN + OWN + PER_NEIGHBOUR * nth) * WIDTH
            if nth < drones - 1:
                sense_neighbour(s, block * BLOCK, nth)
                for k in range(PER_NEIGHBOUR):
                    copy_block(b, row + k * WIDTH, b, (OTHER + k) * WIDTH)
            else:
                for k in range(PER_NEIGHBOUR):
                    for i in range(BLOCK):
                        b[row + k * WIDTH + i] = FAR_M if k < 3 else 0.0
        for k in range(GRID):
            copy_block(b, (SEEN + OWN + PER_NEIGHBOUR * neighbours + k) * WIDTH, b, (GRID2 + k) * WIDTH)


@jit
def sense_self(b: Lanes) -> None:
    """The first 19 numbers of a block of lanes."""
    use_wide_vectors()
    for i in range(BLOCK):
        for k in range(3):
            b[(SEEN + k) * WIDTH + i] = b[(GOAL + k) * WIDTH + i] - b[(POS + k) * WIDTH + i]
            b[(SEEN + 3 + k) * WIDTH + i] = b[(VEL + k) * WIDTH + i]
            b[(SEEN + 15 + k) * WIDTH + i] = b[(RATE + k) * WIDTH + i]
        b[(SEEN + 18) * WIDTH + i] = b[(POS + 2) * WIDTH + i]
        qw, qx, qy, qz = four(b, QUAT, i)
        b[(SEEN + 6) * WIDTH + i] = 1.0 - 2.0 * (qy * qy + qz * qz)
        b[(SEEN + 7) * WIDTH + i] = 2.0 * (qx * qy - qw * qz)
        b[(SEEN + 8) * WIDTH + i] = 2.0 * (qx * qz + qw * qy)
        b[(SEEN + 9) * WIDTH + i] = 2.0 * (qx * qy + qw * qz)
        b[(SEEN + 10) * WIDTH + i] = 1.0 - 2.0 * (qx * qx + qz * qz)
        b[(SEEN + 11) * WIDTH + i] = 2.0 * (qy * qz - qw * qx)
        b[(SEEN + 12) * WIDTH + i] = 2.0 * (qx * qz - qw * qy)
        b[(SEEN + 13) * WIDTH + i] = 2.0 * (qy * qz + qw * qx)
        b[(SEEN + 14) * WIDTH + i] = 1.0 - 2.0 * (qx * qx + qy * qy)


@jit
def sense_neighbour(s: Lanes, first: int, nth: int) -> None:
    """OTHER of the block of lanes from `first` on: the drone of the `nth` smallest key, whose lane stands in the key's last seven bits."""
    b = s[first:]
    for i in range(BLOCK):
        other = s[int(b[(BEST + nth) * WIDTH + i]) & 127 :]
        for axis in range(3):
            b[(OTHER + axis) * WIDTH + i] = other[(POS + axis) * WIDTH]
            b[(OTHER + 3 + axis) * WIDTH + i] = other[(VEL + axis) * WIDTH]
    compare(b)


@jit
def compare(b: Lanes) -> None:
    """Turn OTHER of a block of lanes into what is seen: relative to oneself, places limited to 10 m."""
    use_wide_vectors()
    for i in range(BLOCK):
        for axis in range(3):
            at, speed = (OTHER + axis) * WIDTH + i, (OTHER + 3 + axis) * WIDTH + i
            b[at] = clip(b[at] - b[(POS + axis) * WIDTH + i], -FAR_M, FAR_M)
            b[speed] -= b[(VEL + axis) * WIDTH + i]


@jit
def turn_lanes(s: Lanes, out: Seen, copy: Seen, first: int, count: int, seen: int) -> None:
    """Write the `seen` numbers of `count` lanes, one row an agent, from row `first` of `out` and `copy` on."""
    whole, width = count // BLOCK, out.shape[1]
    for block in range(whole):
        at, lane = (first + block * BLOCK) * width, block * BLOCK
        for column in range(0, seen - BLOCK, BLOCK):
            turn_block(out, copy, at + column, width, s, (SEEN + column) * WIDTH + lane, WIDTH)
        last = seen - BLOCK  # overlaps the block before it where `seen` is not a multiple of a block
        turn_block(out, copy, at + last, width, s, (SEEN + last) * WIDTH + lane, WIDTH)
    for lane in range(whole * BLOCK, count):
        for k in range(seen):
            out[first + lane, k] = copy[first + lane, k] = s[(SEEN + k) * WIDTH + lane]


@jit
def remember(t: Table, out: Seen, a: int, step: int, seen: int, history: int, kept: int) -> None:
    """Write agent `a`'s past actions after the `seen` numbers; the newest lies where the step before this one put it."""
    for back in range(history):
        row = PAST + 4 * ((step - 1 - back + 4 * kept * 8) % kept)
        for k in range(4):
            out[a, seen + 4 * back + k] = t[row + k, a]


@jit
def blur_self(streams: Streams, out: Seen, w: int, a: int, scale: float) -> None:
    """Sensor noise at `scale` times the published size."""
    for k in range(3):
        off = scale * _NOISE_POSITION * normal(streams, w)
        out[a, k] -= off
        if k == 2:
            out[a, 18] += off
        out[a, 3 + k] += scale * _NOISE_VELOCITY * normal(streams, w)
        out[a, 15 + k] += scale * _NOISE_RATE * normal(streams, w)
