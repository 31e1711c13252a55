"""Contacts after a control step: drone with drone, cylinder, wall and ceiling, floor. Marks them and, in bounce mode, responds.

The published responses are random: speed along the normal kept at 20 to 80 %, plus a random spin. Ours conserve momentum
between two drones; the floor stops a fall, rubs (friction 0.6) and levels the drone, as published.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.dynamics import Table, clip
from envs.quadrotor.jit import jit
from envs.quadrotor.layout import (
    CONTROL_S,
    DRONE,
    FLOOR,
    GRAVITY,
    MASS,
    MAX_RATE,
    NEAR2,
    NEAREST_DRONE,
    NEW,
    OBSTACLE,
    OBSTACLE_GAP,
    OBSTACLE_RADIUS,
    OBSTACLES,
    POS,
    QUAT,
    RADIUS,
    RATE,
    ROOM,
    TOUCH,
    VEL,
    WALL,
)
from envs.quadrotor.noise import between, normal

Streams = NDArray[np.uint64]
FAR_M = 10.0
"""Distance told when there is no other drone or no obstacle."""
_FRICTION = 0.6
_SPIN_DRONE, _SPIN_OBSTACLE, _SPIN_WALL = 20.0 * math.pi, math.pi, 20.0 * math.pi
"""Largest random spin after a hit, rad/s (as published)."""


@jit
def mark(t: Table, a: int, kind: int, touching: bool) -> None:
    """Note whether drone `a` touches something of `kind`, and whether the contact is new."""
    now = 1.0 if touching else 0.0
    t[NEW + kind, a] = now * (1.0 - t[TOUCH + kind, a])
    t[TOUCH + kind, a] = now


@jit
def tumble(t: Table, streams: Streams, world: int, a: int, most: float) -> None:
    """Add a spin of random axis and size to drone `a`."""
    x, y, z = normal(streams, world), normal(streams, world), normal(streams, world)
    size = between(streams, world, 0.0, most) / math.sqrt(x * x + y * y + z * z + 1e-9)
    t[RATE, a] = clip(t[RATE, a] + size * x, -MAX_RATE, MAX_RATE)
    t[RATE + 1, a] = clip(t[RATE + 1, a] + size * y, -MAX_RATE, MAX_RATE)
    t[RATE + 2, a] = clip(t[RATE + 2, a] + size * z, -MAX_RATE, MAX_RATE)


@jit
def meet_room(t: Table, wt: Table, streams: Streams, w: int, a: int, bounce: bool) -> None:
    """Floor, walls and ceiling."""
    radius, side = t[RADIUS, a], wt[w, ROOM]
    floor = t[POS + 2, a] <= radius
    half = 0.5 * side - radius
    ceiling = side - radius
    wall = abs(t[POS, a]) >= half or abs(t[POS + 1, a]) >= half or t[POS + 2, a] >= ceiling
    mark(t, a, FLOOR, floor)
    mark(t, a, WALL, wall)
    if floor:
        land(t, a, radius)
    if wall:
        keep = between(streams, w, 0.2, 0.8) if bounce else 0.0
        rebound(t, a, POS, VEL, half, keep)
        rebound(t, a, POS + 1, VEL + 1, half, keep)
        if t[POS + 2, a] >= ceiling:
            t[POS + 2, a] = ceiling
            t[VEL + 2, a] = -keep * abs(t[VEL + 2, a])
        if t[NEW + WALL, a] > 0.0 and bounce:
            tumble(t, streams, w, a, _SPIN_WALL)


@jit
def rebound(t: Table, a: int, pos: int, vel: int, half: float, keep: float) -> None:
    """Hold one horizontal coordinate within +-half and turn its speed inward, keeping a share of it."""
    if t[pos, a] >= half:
        t[pos, a] = half
        t[vel, a] = -keep * abs(t[vel, a])
    elif t[pos, a] <= -half:
        t[pos, a] = -half
        t[vel, a] = keep * abs(t[vel, a])


@jit
def land(t: Table, a: int, height: float) -> None:
    """Rest on the floor: no fall, friction along it, level attitude at the present heading, no rates."""
    t[POS + 2, a] = height
    t[VEL + 2, a] = max(0.0, t[VEL + 2, a])
    speed = math.sqrt(t[VEL, a] ** 2 + t[VEL + 1, a] ** 2)
    left = max(0.0, 1.0 - _FRICTION * GRAVITY * CONTROL_S / speed) if speed > 1e-9 else 0.0
    t[VEL, a] *= left
    t[VEL + 1, a] *= left
    length = math.sqrt(t[QUAT, a] ** 2 + t[QUAT + 3, a] ** 2)
    level = length > 1e-6
    t[QUAT, a] = t[QUAT, a] / length if level else 1.0
    t[QUAT + 3, a] = t[QUAT + 3, a] / length if level else 0.0
    t[QUAT + 1, a] = t[QUAT + 2, a] = 0.0
    t[RATE, a] = t[RATE + 1, a] = t[RATE + 2, a] = 0.0


@jit
def nearest_squared(obstacles: NDArray[np.float64], w: int, count: int, px: float, py: float) -> float:
    """Squared distance to the nearest cylinder's axis; 1e18 without any. Four minima side by side, for the processor's sake."""
    b0 = b1 = b2 = b3 = 1e18
    whole = count - count % 4
    for c in range(0, whole, 4):
        b0 = min(b0, (px - obstacles[w, 0, c]) ** 2 + (py - obstacles[w, 1, c]) ** 2)
        b1 = min(b1, (px - obstacles[w, 0, c + 1]) ** 2 + (py - obstacles[w, 1, c + 1]) ** 2)
        b2 = min(b2, (px - obstacles[w, 0, c + 2]) ** 2 + (py - obstacles[w, 1, c + 2]) ** 2)
        b3 = min(b3, (px - obstacles[w, 0, c + 3]) ** 2 + (py - obstacles[w, 1, c + 3]) ** 2)
    for c in range(whole, count):
        b0 = min(b0, (px - obstacles[w, 0, c]) ** 2 + (py - obstacles[w, 1, c]) ** 2)
    return min(min(b0, b1), min(b2, b3))


@jit
def meet_obstacle(
    t: Table, wt: Table, obstacles: NDArray[np.float64], streams: Streams, w: int, a: int, bounce: bool
) -> None:
    """Nearest cylinder: note the gap between hull and surface, push out and respond."""
    count = int(wt[w, OBSTACLES])
    px, py, radius = t[POS, a], t[POS + 1, a], t[RADIUS, a]
    best = nearest_squared(obstacles, w, count, px, py)
    t[NEAR2, a] = best
    gap = math.sqrt(best) - wt[w, OBSTACLE_RADIUS] if count > 0 else FAR_M
    mark(t, a, OBSTACLE, gap <= radius)
    if gap <= radius:
        nearest = 0
        for c in range(count):
            if (px - obstacles[w, 0, c]) ** 2 + (py - obstacles[w, 1, c]) ** 2 <= best * (1.0 + 1e-12):
                nearest = c
        reach = max(math.sqrt(best), 1e-9)
        nx, ny = (px - obstacles[w, 0, nearest]) / reach, (py - obstacles[w, 1, nearest]) / reach
        out = wt[w, OBSTACLE_RADIUS] + radius
        t[POS, a], t[POS + 1, a] = obstacles[w, 0, nearest] + nx * out, obstacles[w, 1, nearest] + ny * out
        inward = -(t[VEL, a] * nx + t[VEL + 1, a] * ny)
        if inward > 0.0:
            back = inward * (1.0 + (between(streams, w, 0.2, 0.8) if bounce else 0.0))
            t[VEL, a] += back * nx
            t[VEL + 1, a] += back * ny
        if bounce and t[NEW + OBSTACLE, a] > 0.0:
            tumble(t, streams, w, a, _SPIN_OBSTACLE)
        gap = radius
        t[NEAR2, a] = nearest_squared(obstacles, w, count, t[POS, a], t[POS + 1, a])
    t[OBSTACLE_GAP, a] = max(0.0, gap - radius)


@jit
def meet_drones(t: Table, streams: Streams, w: int, first: int, drones: int, bounce: bool) -> None:
    """All pairs of one world: contacts, responses and each drone's distance to its nearest neighbour."""
    for a in range(first, first + drones):
        t[NEAREST_DRONE, a] = FAR_M * FAR_M
        t[NEW + DRONE, a] = 0.0
    for a in range(first, first + drones):
        for b in range(a + 1, first + drones):
            dx, dy, dz = t[POS, b] - t[POS, a], t[POS + 1, b] - t[POS + 1, a], t[POS + 2, b] - t[POS + 2, a]
            d2 = dx * dx + dy * dy + dz * dz + 1e-18
            t[NEAREST_DRONE, a] = min(t[NEAREST_DRONE, a], d2)
            t[NEAREST_DRONE, b] = min(t[NEAREST_DRONE, b], d2)
            if d2 < (t[RADIUS, a] + t[RADIUS, b]) ** 2:
                d = math.sqrt(d2)
                collide(t, streams, w, a, b, dx / d, dy / d, dz / d, bounce)
    for a in range(first, first + drones):
        t[NEAREST_DRONE, a] = math.sqrt(t[NEAREST_DRONE, a])
        mark(t, a, DRONE, t[NEW + DRONE, a] > 0.0)  # `collide` left 1 where there is a contact


@jit
def collide(
    t: Table,
    streams: Streams,
    w: int,
    a: int,
    b: int,
    nx: float,
    ny: float,
    nz: float,
    bounce: bool,
) -> None:
    """Two touching drones: an impulse along the normal (n from a to b) that keeps 20 to 80 % of the closing speed."""
    t[NEW + DRONE, a] = t[NEW + DRONE, b] = 1.0
    ux, uy, uz = t[VEL, b] - t[VEL, a], t[VEL + 1, b] - t[VEL + 1, a], t[VEL + 2, b] - t[VEL + 2, a]
    closing = -(nx * ux + ny * uy + nz * uz)
    if closing > 0.0:
        keep = between(streams, w, 0.2, 0.8) if bounce else 0.0
        ma, mb = t[MASS, a], t[MASS, b]
        impulse = (1.0 + keep) * closing * ma * mb / (ma + mb)
        t[VEL, a] -= impulse / ma * nx
        t[VEL + 1, a] -= impulse / ma * ny
        t[VEL + 2, a] -= impulse / ma * nz
        t[VEL, b] += impulse / mb * nx
        t[VEL + 1, b] += impulse / mb * ny
        t[VEL + 2, b] += impulse / mb * nz
    if bounce:
        if t[TOUCH + DRONE, a] == 0.0:
            tumble(t, streams, w, a, _SPIN_DRONE)
        if t[TOUCH + DRONE, b] == 0.0:
            tumble(t, streams, w, b, _SPIN_DRONE)
