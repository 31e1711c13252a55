"""What a drone senses: itself, its K nearest neighbours, a 3x3 grid of distances to the nearest cylinder, past actions.

Order, in raw units: goal relative 3, velocity 3, rotation matrix 9 (row by row), body rates 3, height above the floor 1;
then K times relative position 3 and velocity 3; then 9 grid distances (0.1 m apart, x outer, y inner); then past actions,
newest first. Without a K-th neighbour its place holds 10 m on each axis and no velocity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.contacts import Streams
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import BEST, GRID2, WIDTH, Lanes, Table, clip
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
    w: int,
    agent: int,
    lane: int,
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Write the observations of world `w`, whose drones stand in lanes from `lane` on, into `out` [agents, size] from row `agent` on."""
    scale, step = wt[w, NOISE], int(wt[w, STEP])
    for i in range(drones):
        sense_self(s, out, agent + i, lane + i)
        if scale > 0.0:
            blur_self(streams, out, w, agent + i, scale)
        column = sense_neighbours(s, out, agent + i, lane, i, drones, neighbours)
        here = GRID2 * WIDTH + lane + i
        for k in range(GRID):
            out[agent + i, column + k] = s[here + k * WIDTH]
        for back in range(history):  # the newest action lies where the step before this one put it
            row = PAST + 4 * ((step - 1 - back + 4 * kept * 8) % kept)
            for k in range(4):
                out[agent + i, column + GRID + 4 * back + k] = t[row + k, agent + i]


@jit
def sense_self(s: Lanes, out: Seen, a: int, i: int) -> None:
    """The first 19 numbers, without noise."""
    for k in range(3):
        out[a, k] = s[(GOAL + k) * WIDTH + i] - s[(POS + k) * WIDTH + i]
        out[a, 3 + k] = s[(VEL + k) * WIDTH + i]
        out[a, 15 + k] = s[(RATE + k) * WIDTH + i]
    out[a, 18] = s[(POS + 2) * WIDTH + i]
    at = QUAT * WIDTH + i
    qw, qx, qy, qz = s[at], s[at + WIDTH], s[at + 2 * WIDTH], s[at + 3 * WIDTH]
    out[a, 6] = 1.0 - 2.0 * (qy * qy + qz * qz)
    out[a, 7] = 2.0 * (qx * qy - qw * qz)
    out[a, 8] = 2.0 * (qx * qz + qw * qy)
    out[a, 9] = 2.0 * (qx * qy + qw * qz)
    out[a, 10] = 1.0 - 2.0 * (qx * qx + qz * qz)
    out[a, 11] = 2.0 * (qy * qz - qw * qx)
    out[a, 12] = 2.0 * (qx * qz - qw * qy)
    out[a, 13] = 2.0 * (qy * qz + qw * qx)
    out[a, 14] = 1.0 - 2.0 * (qx * qx + qy * qy)


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


@jit
def sense_neighbours(s: Lanes, out: Seen, a: int, lane: int, i: int, drones: int, neighbours: int) -> int:
    """Write the `neighbours` drones of smallest key in order. Return the next column."""
    here = s[lane + i :]
    for nth in range(neighbours):
        seen = out[a, OWN + PER_NEIGHBOUR * nth :]
        if nth < drones - 1:
            other = s[lane + (int(s[(BEST + nth) * WIDTH + lane + i]) & 127) :]
            for axis in range(3):
                at, speed = (POS + axis) * WIDTH, (VEL + axis) * WIDTH
                seen[axis] = clip(other[at] - here[at], -FAR_M, FAR_M)
                seen[3 + axis] = other[speed] - here[speed]
        else:
            for axis in range(3):
                seen[axis] = FAR_M
                seen[3 + axis] = 0.0
    return OWN + PER_NEIGHBOUR * neighbours
