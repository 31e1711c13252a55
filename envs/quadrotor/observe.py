"""What a drone senses: itself, its K nearest neighbours, a 3x3 grid of distances to the nearest cylinder, past actions.

Order, in raw units: goal relative 3, velocity 3, rotation matrix 9 (row by row), body rates 3, height above the floor 1;
then K times relative position 3 and velocity 3; then 9 grid distances (0.1 m apart, x outer, y inner); then past actions,
newest first. Without a K-th neighbour its place holds 10 m on each axis and no velocity.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.contacts import FAR_M, Streams
from envs.quadrotor.dynamics import Table, clip
from envs.quadrotor.jit import jit
from envs.quadrotor.layout import (
    GOAL,
    NEAR2,
    NOISE,
    OBSTACLE_RADIUS,
    OBSTACLES,
    PAST,
    POS,
    QUAT,
    RATE,
    STEP,
    VEL,
)
from envs.quadrotor.noise import normal

OWN, PER_NEIGHBOUR, GRID = 19, 6, 9
_SPACING, _DIAGONAL = 0.1, 0.2 * math.sqrt(2.0) + 1e-6
_NOISE_POSITION, _NOISE_VELOCITY, _NOISE_RATE = 0.005, 0.01, 1.75e-4
"""Published standard deviations: m, m/s, rad/s."""
Row = NDArray[np.float32]


def observation_size(neighbours: int, history: int) -> int:
    """Length of one observation."""
    return OWN + PER_NEIGHBOUR * neighbours + GRID + 4 * history


@jit
def sense(
    t: Table,
    wt: Table,
    obstacles: NDArray[np.float64],
    streams: Streams,
    keys: Table,
    out: NDArray[np.float32],
    w: int,
    first: int,
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Write the observations of all drones of world `w` into `out` [agents, size]."""
    for i in range(drones):
        a = first + i
        sense_self(t, streams, out, w, a, wt[w, NOISE])
        column = sense_neighbours(t, keys, out, first, i, drones, neighbours)
        sense_grid(t, obstacles, out, w, a, int(wt[w, OBSTACLES]), wt[w, OBSTACLE_RADIUS], column)
        for back in range(history):  # the newest action lies where the step before this one put it
            row = PAST + 4 * ((int(wt[w, STEP]) - 1 - back + 4 * kept) % kept)
            for k in range(4):
                out[a, column + GRID + 4 * back + k] = t[row + k, a]


@jit
def sense_self(t: Table, streams: Streams, out: NDArray[np.float32], w: int, a: int, scale: float) -> None:
    """The first 19 numbers, with sensor noise at `scale` times the published size."""
    for k in range(3):
        out[a, k] = t[GOAL + k, a] - t[POS + k, a]
        out[a, 3 + k] = t[VEL + k, a]
        out[a, 15 + k] = t[RATE + k, a]
    out[a, 18] = t[POS + 2, a]
    qw, qx, qy, qz = t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a]
    out[a, 6] = 1.0 - 2.0 * (qy * qy + qz * qz)
    out[a, 7] = 2.0 * (qx * qy - qw * qz)
    out[a, 8] = 2.0 * (qx * qz + qw * qy)
    out[a, 9] = 2.0 * (qx * qy + qw * qz)
    out[a, 10] = 1.0 - 2.0 * (qx * qx + qz * qz)
    out[a, 11] = 2.0 * (qy * qz - qw * qx)
    out[a, 12] = 2.0 * (qx * qz - qw * qy)
    out[a, 13] = 2.0 * (qy * qz + qw * qx)
    out[a, 14] = 1.0 - 2.0 * (qx * qx + qy * qy)
    if scale > 0.0:
        for k in range(3):
            off = scale * _NOISE_POSITION * normal(streams, w)
            out[a, k] -= off
            if k == 2:
                out[a, 18] += off
            out[a, 3 + k] += scale * _NOISE_VELOCITY * normal(streams, w)
            out[a, 15 + k] += scale * _NOISE_RATE * normal(streams, w)


@jit
def rank(t: Table, keys: Table, first: int, drones: int) -> None:
    """Fill `keys` [drones, drones]: distance plus the rate of its change, so that closing drones count as nearer (as published)."""
    for i in range(drones):
        a = first + i
        keys[i, i] = 1e9
        for j in range(i + 1, drones):
            b = first + j
            dx, dy, dz = t[POS, b] - t[POS, a], t[POS + 1, b] - t[POS + 1, a], t[POS + 2, b] - t[POS + 2, a]
            ux, uy, uz = t[VEL, b] - t[VEL, a], t[VEL + 1, b] - t[VEL + 1, a], t[VEL + 2, b] - t[VEL + 2, a]
            d = math.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
            keys[i, j] = keys[j, i] = d + (dx * ux + dy * uy + dz * uz) / d


@jit
def sense_neighbours(
    t: Table, keys: Table, out: NDArray[np.float32], first: int, i: int, drones: int, neighbours: int
) -> int:
    """Write the `neighbours` drones of smallest key in order; uses up row i of `keys`. Return the next column."""
    column, a = OWN, first + i
    for _ in range(neighbours):
        best, found = 1e8, -1
        for j in range(drones):
            if keys[i, j] < best:
                best, found = keys[i, j], j
        if found >= 0:
            keys[i, found] = 1e9
            b = first + found
            for axis in range(3):
                out[a, column + axis] = clip(t[POS + axis, b] - t[POS + axis, a], -FAR_M, FAR_M)
                out[a, column + 3 + axis] = t[VEL + axis, b] - t[VEL + axis, a]
        else:
            for axis in range(3):
                out[a, column + axis] = FAR_M
                out[a, column + 3 + axis] = 0.0
        column += PER_NEIGHBOUR
    return column


@jit
def sense_grid(
    t: Table,
    obstacles: NDArray[np.float64],
    out: NDArray[np.float32],
    w: int,
    a: int,
    count: int,
    radius: float,
    column: int,
) -> None:
    """Distances from nine points around the drone to the nearest cylinder's surface, at most 10 m; negative inside.

    Only cylinders within a grid diagonal of the nearest one can be the nearest of another point.
    """
    px, py = t[POS, a], t[POS + 1, a]
    b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = b8 = (FAR_M + radius) ** 2
    limit = (math.sqrt(t[NEAR2, a]) + _DIAGONAL) ** 2
    for c in range(count):
        x, y = px - obstacles[w, 0, c], py - obstacles[w, 1, c]
        if x * x + y * y <= limit:
            xl, xm, xh = (x - _SPACING) ** 2, x * x, (x + _SPACING) ** 2
            yl, ym, yh = (y - _SPACING) ** 2, y * y, (y + _SPACING) ** 2
            b0, b1, b2 = min(b0, xl + yl), min(b1, xl + ym), min(b2, xl + yh)
            b3, b4, b5 = min(b3, xm + yl), min(b4, xm + ym), min(b5, xm + yh)
            b6, b7, b8 = min(b6, xh + yl), min(b7, xh + ym), min(b8, xh + yh)
    out[a, column], out[a, column + 1] = math.sqrt(b0) - radius, math.sqrt(b1) - radius
    out[a, column + 2], out[a, column + 3] = math.sqrt(b2) - radius, math.sqrt(b3) - radius
    out[a, column + 4], out[a, column + 5] = math.sqrt(b4) - radius, math.sqrt(b5) - radius
    out[a, column + 6], out[a, column + 7] = math.sqrt(b6) - radius, math.sqrt(b7) - radius
    out[a, column + 8] = math.sqrt(b8) - radius
