"""Contacts after a control step: drone with drone, cylinder, wall and ceiling, floor. Marks them and, in bounce mode, responds.

The published responses are random: speed along the normal kept at 20 to 80 %, plus a random spin. Ours conserve momentum
between two drones; the floor stops a fall, rubs (friction 0.6) and levels the drone, as published.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.blocks import use_wide_vectors
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import BLOCK, EVENT, GRID2, HALF, PIPE, WIDTH, Lanes, Table, clip
from envs.quadrotor.layout import (
    CONTROL_S,
    DRONE,
    FLOOR,
    GRAVITY,
    MASS,
    MAX_RATE,
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
    TERMINATE,
    TOUCH,
    VEL,
    WALL,
)
from envs.quadrotor.noise import between, normal
from envs.quadrotor.pairs import FAR_M, pair_up

Streams = NDArray[np.uint64]
Axis = tuple[float, float]
"""x and y of a cylinder's axis, m."""
SPACING = 0.1
"""Metres between the points of the grid of distances."""
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
def meet_all_rooms(t: Table, s: Lanes, wt: Table, streams: Streams, first_world: int, drones: int, count: int) -> None:
    """Floor, walls and ceiling for the lanes of a group: a quick look at all, then the few that touch."""
    use_wide_vectors()
    for block in range((count + BLOCK - 1) // BLOCK):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            radius, half, z = b[RADIUS * WIDTH + i], b[HALF * WIDTH + i], b[(POS + 2) * WIDTH + i]
            side = max(abs(b[POS * WIDTH + i]), abs(b[(POS + 1) * WIDTH + i]))
            inside = min(min(half - radius - side, 2.0 * half - radius - z), z - radius)  # below 0 or at 0: touching
            b[EVENT * WIDTH + i] = 1.0 if inside <= 0.0 else 0.0
            b[(TOUCH + WALL) * WIDTH + i] *= b[EVENT * WIDTH + i]
            b[(TOUCH + FLOOR) * WIDTH + i] *= b[EVENT * WIDTH + i]
            b[(NEW + WALL) * WIDTH + i] = b[(NEW + FLOOR) * WIDTH + i] = 0.0
    for i in range(count):
        if s[EVENT * WIDTH + i] > 0.0:
            w = first_world + i // drones
            meet_room(t, wt, streams, w, i, wt[w, TERMINATE] == 0.0)


@jit
def probe_grids(s: Lanes, obstacles: NDArray[np.float64], w: int, first: int, drones: int, count: int) -> None:
    """GRID2 of a world's lanes: squared distances from nine points (x outer, y inner) to the nearest of `count` axes, at most as FAR_M.

    Whole blocks are written: the lanes after the world's own hold nothing yet, or belong to a world whose turn comes later.
    """
    use_wide_vectors()
    for block in range((drones + BLOCK - 1) // BLOCK):
        b = s[first + block * BLOCK :]
        for i in range(BLOCK):
            for k in range(9):
                b[(GRID2 + k) * WIDTH + i] = (FAR_M + b[PIPE * WIDTH + i]) ** 2
        for c in range(0, count, 4):  # places after the last cylinder are far from everything
            one, two = (obstacles[w, 0, c], obstacles[w, 1, c]), (obstacles[w, 0, c + 1], obstacles[w, 1, c + 1])
            three, four = (
                (obstacles[w, 0, c + 2], obstacles[w, 1, c + 2]),
                (obstacles[w, 0, c + 3], obstacles[w, 1, c + 3]),
            )
            near_axes(b, one, two, three, four)


@jit
def near_axes(b: Lanes, one: Axis, two: Axis, three: Axis, four: Axis) -> None:
    """Bring four cylinders' axes into the grids of the first block of lanes: the grids are read and written once for all four."""
    use_wide_vectors()
    for i in range(BLOCK):
        px, py = b[POS * WIDTH + i], b[(POS + 1) * WIDTH + i]
        x0, x1, x2, x3 = squares(px - one[0]), squares(px - two[0]), squares(px - three[0]), squares(px - four[0])
        y0, y1, y2, y3 = squares(py - one[1]), squares(py - two[1]), squares(py - three[1]), squares(py - four[1])
        for k in range(9):
            at, column, row = (GRID2 + k) * WIDTH + i, k // 3, k % 3
            near = min(min(x0[column] + y0[row], x1[column] + y1[row]), min(x2[column] + y2[row], x3[column] + y3[row]))
            b[at] = min(b[at], near)


@jit
def squares(off: float) -> tuple[float, float, float]:
    """Squared distances from three points in a row, `off` from the middle one."""
    return (off - SPACING) ** 2, off * off, (off + SPACING) ** 2


@jit
def root_grids(s: Lanes, blocks: int) -> None:
    """Turn GRID2 of all lanes into distances to the nearest surface, at the precision of an observation."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            for k in range(9):
                at = (GRID2 + k) * WIDTH + i
                b[at] = np.float64(math.sqrt(np.float32(b[at]))) - b[PIPE * WIDTH + i]


@jit
def meet_all_obstacles(
    t: Table,
    s: Lanes,
    wt: Table,
    obstacles: NDArray[np.float64],
    streams: Streams,
    first_world: int,
    worlds: int,
    drones: int,
    blocks: int,
) -> None:
    """Nearest cylinders of a group's lanes: fill the grids, note the gap between hull and surface, push out and respond."""
    probe_worlds(s, wt, obstacles, first_world, 0, worlds, drones)
    if not find_touching(s, blocks):
        return
    for w in range(first_world, first_world + worlds):
        lane, moved = (w - first_world) * drones, False
        for i in range(lane, lane + drones):
            if t[TOUCH + OBSTACLE, i] > 0.0:
                push_out(t, wt, obstacles, streams, w, i, int(wt[w, OBSTACLES]), wt[w, TERMINATE] == 0.0)
                moved = True
        if moved:
            probe_worlds(s, wt, obstacles, first_world, w - first_world, worlds, drones)


@jit
def probe_worlds(
    s: Lanes, wt: Table, obstacles: NDArray[np.float64], first_world: int, begin: int, end: int, drones: int
) -> None:
    """GRID2 of the worlds `begin` to before `end` of a group, in order: each spoils the lanes after its own."""
    for place in range(begin, end):
        w, lane = first_world + place, place * drones
        if wt[w, OBSTACLES] > 0.0:
            probe_grids(s, obstacles, w, lane, drones, int(wt[w, OBSTACLES]))
        else:
            far = (FAR_M + wt[w, OBSTACLE_RADIUS]) ** 2
            for k in range(9):
                for i in range(lane, lane + drones):
                    s[(GRID2 + k) * WIDTH + i] = far


@jit
def find_touching(s: Lanes, blocks: int) -> bool:
    """Mark contacts of all lanes with cylinders and note the gaps; return whether there is one."""
    use_wide_vectors()
    any_touching = 0.0
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            gap = math.sqrt(b[(GRID2 + 4) * WIDTH + i]) - b[PIPE * WIDTH + i] - b[RADIUS * WIDTH + i]
            now = 1.0 if gap <= 0.0 else 0.0
            b[(NEW + OBSTACLE) * WIDTH + i] = now * (1.0 - b[(TOUCH + OBSTACLE) * WIDTH + i])
            b[(TOUCH + OBSTACLE) * WIDTH + i] = now
            b[OBSTACLE_GAP * WIDTH + i] = max(0.0, gap)
            any_touching = max(any_touching, now)
    return any_touching > 0.0


@jit
def push_out(
    t: Table, wt: Table, obstacles: NDArray[np.float64], streams: Streams, w: int, a: int, count: int, bounce: bool
) -> None:
    """Put a drone back to the surface of the cylinder that it is in, and turn its speed outward."""
    px, py, nearest, best = t[POS, a], t[POS + 1, a], 0, 1e18
    for c in range(count):
        d2 = (px - obstacles[w, 0, c]) ** 2 + (py - obstacles[w, 1, c]) ** 2
        if d2 < best:
            nearest, best = c, d2
    reach = max(math.sqrt(best), 1e-9)
    nx, ny = (px - obstacles[w, 0, nearest]) / reach, (py - obstacles[w, 1, nearest]) / reach
    out = wt[w, OBSTACLE_RADIUS] + t[RADIUS, a]
    t[POS, a], t[POS + 1, a] = obstacles[w, 0, nearest] + nx * out, obstacles[w, 1, nearest] + ny * out
    inward = -(t[VEL, a] * nx + t[VEL + 1, a] * ny)
    if inward > 0.0:
        back = inward * (1.0 + (between(streams, w, 0.2, 0.8) if bounce else 0.0))
        t[VEL, a] += back * nx
        t[VEL + 1, a] += back * ny
    if bounce and t[NEW + OBSTACLE, a] > 0.0:
        tumble(t, streams, w, a, _SPIN_OBSTACLE)


@jit
def meet_drones(
    t: Table, s: Lanes, streams: Streams, w: int, first: int, drones: int, neighbours: int, bounce: bool
) -> None:
    """All pairs of one world, whose drones stand in lanes from `first` on: distances, ranks, contacts and responses."""
    touching = pair_up(s, first, drones, neighbours)
    for a in range(first, first + drones):
        t[NEW + DRONE, a] = 0.0
        t[TOUCH + DRONE, a] *= 1.0 if touching else 0.0
    if not touching:
        return
    for a in range(first, first + drones):
        for b in range(a + 1, first + drones):
            dx, dy, dz = t[POS, b] - t[POS, a], t[POS + 1, b] - t[POS + 1, a], t[POS + 2, b] - t[POS + 2, a]
            d2 = dx * dx + dy * dy + dz * dz + 1e-18
            if d2 < (t[RADIUS, a] + t[RADIUS, b]) ** 2:
                collide(t, streams, w, a, b, math.sqrt(d2), bounce)
    for a in range(first, first + drones):
        mark(t, a, DRONE, t[NEW + DRONE, a] > 0.0)  # `collide` left 1 where there is a contact
    pair_up(s, first, drones, neighbours)  # speeds changed, and with them who counts as near


@jit
def collide(
    t: Table,
    streams: Streams,
    w: int,
    a: int,
    b: int,
    d: float,
    bounce: bool,
) -> None:
    """Two touching drones `d` apart: an impulse along the normal (n from a to b) that keeps 20 to 80 % of the closing speed."""
    nx, ny, nz = (t[POS, b] - t[POS, a]) / d, (t[POS + 1, b] - t[POS + 1, a]) / d, (t[POS + 2, b] - t[POS + 2, a]) / d
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
