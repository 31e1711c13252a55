"""Where the drones ought to be: goals at the start of an episode, and goals that move or change while it runs.

Shapes: points, waypoints, Lissajous curves, Bezier curves, figure eights, swaps, formations, jumping goals, a fleeing target.
Moving goals are kept out of cylinders and walls. Times in control steps, lengths in metres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.contacts import Streams
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import Table, clip
from envs.quadrotor.layout import (
    BEZIER,
    CENTRE_X,
    CENTRE_Y,
    CENTRE_Z,
    CONTROL_S,
    DYNAMIC,
    EIGHT,
    FORMATION,
    GO_TO,
    GOAL,
    GOAL_CLOCK,
    GOAL_DISTANCE,
    GOAL_KIND,
    GOAL_SHAPE,
    HOVER_AT,
    LISSAJOUS,
    OBSTACLE_RADIUS,
    OBSTACLES,
    PHASE,
    POS,
    PURSUIT,
    ROOM,
    SAME,
    START,
    STEP,
    SWAP,
    WAYPOINTS,
)
from envs.quadrotor.noise import between, normal, uniform

Cylinders = NDArray[np.float64]
_CLEAR_M = 0.3
"""Least distance of a goal from a cylinder's surface."""
_APART_M = 0.5
"""Distance that goals of different drones keep where the room allows it."""
_LEG_STEPS, _CURVE_STEPS = 300, 500
_TARGET_SPEED, _TARGET_SEES_M = 1.0, 2.5
_TURN = 2.0 * math.pi


@jit
def gap_at(wt: Table, obstacles: Cylinders, w: int, x: float, y: float) -> float:
    """Distance from (x, y) to the nearest cylinder's surface; 10 without any."""
    best = 1e18
    for c in range(int(wt[w, OBSTACLES])):
        best = min(best, (x - obstacles[w, 0, c]) ** 2 + (y - obstacles[w, 1, c]) ** 2)
    return math.sqrt(best) - wt[w, OBSTACLE_RADIUS] if best < 1e17 else 10.0


@jit
def place_goals(t: Table, wt: Table, obstacles: Cylinders, streams: Streams, w: int, first: int, drones: int) -> None:
    """Set the goals of a new episode; the drones already stand at their start."""
    kind = int(wt[w, GOAL_KIND])
    centre(wt, obstacles, streams, w)
    wt[w, GOAL_CLOCK] = between(streams, w, 400.0, 600.0)
    turn = between(streams, w, 0.0, _TURN)
    wt[w, PHASE] = turn
    shape = int(uniform(streams, w) * 3.0)
    for i in range(drones):
        a = first + i
        if kind in (GO_TO, DYNAMIC):
            draw_goal(t, wt, obstacles, streams, w, first, i, wt[w, GOAL_DISTANCE])
        elif kind == WAYPOINTS:
            draw_goal(t, wt, obstacles, streams, w, first, i, min(3.0, wt[w, GOAL_DISTANCE]))
        elif kind == SWAP:
            swap_goal(t, first, i, drones)
        elif kind == FORMATION:
            formation_goal(t, wt, w, a, i, drones, shape, turn)
        elif kind in (SAME, PURSUIT):
            set_goal(t, a, wt[w, CENTRE_X], wt[w, CENTRE_Y], wt[w, CENTRE_Z])
        elif kind == BEZIER:
            start_curve(t, wt, streams, w, a)
        elif kind == LISSAJOUS:
            start_lissajous(t, wt, streams, w, first, a, i, drones)
        elif kind == EIGHT:
            t[GOAL_SHAPE, a] = _TURN * i / drones
        if kind != HOVER_AT and kind != SWAP:
            move_goal(t, wt, obstacles, streams, w, first, a, kind, 0.0)


@jit
def set_goal(t: Table, a: int, x: float, y: float, z: float) -> None:
    """Put the goal of drone `a` at a point."""
    t[GOAL, a], t[GOAL + 1, a], t[GOAL + 2, a] = x, y, z


@jit
def centre(wt: Table, obstacles: Cylinders, streams: Streams, w: int) -> None:
    """Choose the middle of shared goals and curves: near the room's axis, clear of cylinders."""
    for _ in range(64):
        x, y = between(streams, w, -1.0, 1.0), between(streams, w, -1.0, 1.0)
        wt[w, CENTRE_X], wt[w, CENTRE_Y] = x, y
        if gap_at(wt, obstacles, w, x, y) > _CLEAR_M:
            break
    wt[w, CENTRE_Z] = between(streams, w, 1.2, min(3.0, wt[w, ROOM] - 1.2))


@jit
def draw_goal(
    t: Table, wt: Table, obstacles: Cylinders, streams: Streams, w: int, first: int, i: int, most: float
) -> None:
    """Draw a goal at most `most` metres away, clear of cylinders and apart from the earlier drones' goals."""
    a, half = first + i, 0.5 * wt[w, ROOM] - 0.5
    top = min(3.0, wt[w, ROOM] - 0.6)
    x, y, z = t[POS, a], t[POS + 1, a], t[POS + 2, a]
    for _ in range(100):
        gx, gy, gz = between(streams, w, -half, half), between(streams, w, -half, half), between(streams, w, 1.0, top)
        away = math.sqrt((gx - x) ** 2 + (gy - y) ** 2 + (gz - z) ** 2)
        share = min(1.0, most / max(away, 1e-9))
        gx, gy, gz = x + share * (gx - x), y + share * (gy - y), z + share * (gz - z)
        set_goal(t, a, gx, gy, gz)
        if gap_at(wt, obstacles, w, gx, gy) > _CLEAR_M and apart(t, first, i):
            return


@jit
def apart(t: Table, first: int, i: int) -> bool:
    """Whether drone i's goal keeps its distance from those of the drones before it."""
    a = first + i
    for b in range(first, a):
        d2 = (t[GOAL, a] - t[GOAL, b]) ** 2 + (t[GOAL + 1, a] - t[GOAL + 1, b]) ** 2
        if d2 + (t[GOAL + 2, a] - t[GOAL + 2, b]) ** 2 < _APART_M * _APART_M:
            return False
    return True


@jit
def swap_goal(t: Table, first: int, i: int, drones: int) -> None:
    """The start of the drone half a swarm away; a single drone goes to the mirror point of its start."""
    a, b = first + i, first + (i + max(1, drones // 2)) % drones
    sign = -1.0 if drones == 1 else 1.0
    set_goal(t, a, sign * t[START, b], sign * t[START + 1, b], t[START + 2, b])


@jit
def formation_goal(t: Table, wt: Table, w: int, a: int, i: int, drones: int, shape: int, turn: float) -> None:
    """Place i of a circle (0), square grid (1) or sphere (2) about the centre, neighbours at least 0.5 m apart."""
    most = 0.5 * wt[w, ROOM] - 1.0
    x, y, z = 0.0, 0.0, 0.0
    if shape == 0:
        ring = max(1, int(_TURN * most / _APART_M))  # drones on one full circle
        here = min(ring, drones - (i // ring) * ring)
        radius = min(most, max(0.5, _APART_M * min(ring, drones) / _TURN))
        angle = turn + _TURN * (i % ring) / here
        x, y, z = radius * math.cos(angle), radius * math.sin(angle), 0.6 * (i // ring)
    elif shape == 1:
        side = math.ceil(math.sqrt(drones))
        gap = min(_APART_M * 1.2, 2.0 * most / max(1, side - 1))
        x, y = gap * (i % side - 0.5 * (side - 1)), gap * (i // side - 0.5 * (side - 1))
    else:
        # Fibonacci sphere; its spacing is about 3.5 radius / sqrt(n)
        radius = min(most, max(0.5, _APART_M * math.sqrt(drones) / 3.5))
        up = 1.0 - 2.0 * (i + 0.5) / drones
        angle = turn + 2.399963 * i
        flat = radius * math.sqrt(1.0 - up * up)
        x, y, z = flat * math.cos(angle), flat * math.sin(angle), radius * up
    set_goal(t, a, wt[w, CENTRE_X] + x, wt[w, CENTRE_Y] + y, wt[w, CENTRE_Z] + z)


@jit
def start_curve(t: Table, wt: Table, streams: Streams, w: int, a: int) -> None:
    """Begin a chain of cubic Bezier curves at the drone's start, leaving it at rest."""
    for k in range(3):
        t[GOAL_SHAPE + 9 + k, a] = t[GOAL_SHAPE + 6 + k, a] = t[POS + k, a]
    next_curve(t, wt, streams, w, a)


@jit
def next_curve(t: Table, wt: Table, streams: Streams, w: int, a: int) -> None:
    """Draw the next curve of the chain: it starts where the last one ended, in the same direction."""
    half, top = 0.5 * wt[w, ROOM] - 1.0, min(4.0, wt[w, ROOM] - 0.8)
    for k in range(3):
        end, before = t[GOAL_SHAPE + 9 + k, a], t[GOAL_SHAPE + 6 + k, a]
        low, high = (-half, half) if k < 2 else (0.8, top)
        t[GOAL_SHAPE + k, a], t[GOAL_SHAPE + 3 + k, a] = end, clip(2.0 * end - before, low, high)
        t[GOAL_SHAPE + 6 + k, a] = clip(end + between(streams, w, -2.0, 2.0), low, high)
        t[GOAL_SHAPE + 9 + k, a] = clip(end + between(streams, w, -3.0, 3.0), low, high)


@jit
def start_lissajous(t: Table, wt: Table, streams: Streams, w: int, first: int, a: int, i: int, drones: int) -> None:
    """Draw amplitudes (3), frequencies rad/s (3) and phases (3) with the first drone; the others follow it in phase."""
    most = 0.5 * wt[w, ROOM] - 1.0
    if i == 0:
        for k in range(2):
            t[GOAL_SHAPE + k, a] = most * between(streams, w, 0.4, 0.75)
        t[GOAL_SHAPE + 2, a] = min(1.0, wt[w, CENTRE_Z] - 0.6) * between(streams, w, 0.2, 0.9)
        for k in range(3, 9):
            t[GOAL_SHAPE + k, a] = between(streams, w, 0.2, 0.5) if k < 6 else between(streams, w, 0.0, _TURN)
    for k in range(9):
        t[GOAL_SHAPE + k, a] = t[GOAL_SHAPE + k, first]
    t[GOAL_SHAPE + 9, a] = _TURN * i / drones


@jit
def move_goals(t: Table, wt: Table, obstacles: Cylinders, streams: Streams, w: int, first: int, drones: int) -> None:
    """Advance the goals of one world by one control step."""
    kind, step = int(wt[w, GOAL_KIND]), wt[w, STEP]
    jump = kind == DYNAMIC and step >= wt[w, GOAL_CLOCK]
    if jump:
        wt[w, GOAL_CLOCK] = step + between(streams, w, 400.0, 600.0)
    leg = kind == WAYPOINTS and int(step) % _LEG_STEPS == 0
    if kind == PURSUIT:
        flee(t, wt, streams, w, first, drones)
    for i in range(drones):
        if jump:
            draw_goal(t, wt, obstacles, streams, w, first, i, wt[w, GOAL_DISTANCE])
        elif leg:
            draw_goal(t, wt, obstacles, streams, w, first, i, min(3.0, wt[w, GOAL_DISTANCE]))
        elif kind in (BEZIER, LISSAJOUS, EIGHT, PURSUIT):
            if kind == BEZIER and int(step) % _CURVE_STEPS == 0:
                next_curve(t, wt, streams, w, first + i)
            move_goal(t, wt, obstacles, streams, w, first, first + i, kind, step)


@jit
def move_goal(
    t: Table, wt: Table, obstacles: Cylinders, streams: Streams, w: int, first: int, a: int, kind: int, step: float
) -> None:
    """Put one goal where its curve stands at `step`, within the walls and out of the cylinders."""
    x, y, z = t[GOAL, a], t[GOAL + 1, a], t[GOAL + 2, a]
    if kind == BEZIER:
        u = (step % _CURVE_STEPS) / _CURVE_STEPS
        x, y, z = bezier(t, a, 0, u), bezier(t, a, 1, u), bezier(t, a, 2, u)
    elif kind == LISSAJOUS:
        x = wt[w, CENTRE_X] + lissajous(t, a, 0, step)
        y = wt[w, CENTRE_Y] + lissajous(t, a, 1, step)
        z = wt[w, CENTRE_Z] + lissajous(t, a, 2, step)
    elif kind == EIGHT:
        size, angle = 0.5 * wt[w, ROOM] - 1.5, 0.5 * step * CONTROL_S + t[GOAL_SHAPE, a] + wt[w, PHASE]
        size = clip(size, 0.5, 2.5)
        x = wt[w, CENTRE_X] + size * math.sin(angle)
        y = wt[w, CENTRE_Y] + size * math.sin(angle) * math.cos(angle)
        z = wt[w, CENTRE_Z]
    elif kind == PURSUIT:
        x, y, z = t[GOAL, first], t[GOAL + 1, first], t[GOAL + 2, first]
    half = 0.5 * wt[w, ROOM] - 0.4
    x, y, z = clip(x, -half, half), clip(y, -half, half), clip(z, 0.4, wt[w, ROOM] - 0.4)
    for c in range(int(wt[w, OBSTACLES])):
        dx, dy, least = x - obstacles[w, 0, c], y - obstacles[w, 1, c], wt[w, OBSTACLE_RADIUS] + 0.25
        d = math.sqrt(dx * dx + dy * dy) + 1e-9
        if d < least:
            x, y = obstacles[w, 0, c] + dx / d * least, obstacles[w, 1, c] + dy / d * least
    set_goal(t, a, x, y, z)


@jit
def bezier(t: Table, a: int, k: int, u: float) -> float:
    """Coordinate k of the drone's cubic Bezier curve at u in [0, 1]."""
    v = 1.0 - u
    p0, p1, p2, p3 = t[GOAL_SHAPE + k, a], t[GOAL_SHAPE + 3 + k, a], t[GOAL_SHAPE + 6 + k, a], t[GOAL_SHAPE + 9 + k, a]
    return float(v * v * v * p0 + 3.0 * v * v * u * p1 + 3.0 * v * u * u * p2 + u * u * u * p3)


@jit
def lissajous(t: Table, a: int, k: int, step: float) -> float:
    """Coordinate k of the drone's Lissajous curve."""
    angle = t[GOAL_SHAPE + 3 + k, a] * step * CONTROL_S + t[GOAL_SHAPE + 6 + k, a] + t[GOAL_SHAPE + 9, a]
    return float(t[GOAL_SHAPE + k, a] * math.sin(angle))


@jit
def flee(t: Table, wt: Table, streams: Streams, w: int, first: int, drones: int) -> None:
    """Move the hunted point at up to 1 m/s: away from the nearest drone, back from the walls, a little at random."""
    x, y, z = t[GOAL, first], t[GOAL + 1, first], t[GOAL + 2, first]
    best, near = 1e18, first
    for a in range(first, first + drones):
        d2 = (x - t[POS, a]) ** 2 + (y - t[POS + 1, a]) ** 2 + (z - t[POS + 2, a]) ** 2
        if d2 < best:
            best, near = d2, a
    distance, half = math.sqrt(best) + 1e-9, 0.5 * wt[w, ROOM] - 1.0
    fear = max(0.0, 1.0 - distance / _TARGET_SEES_M) / distance
    middle = clip(0.5 * wt[w, ROOM], 1.0, 2.5)
    for k in range(3):
        here, home = t[GOAL + k, first], middle if k == 2 else 0.0
        pull = -3.0 * (here - home) * abs(here - home) / (half * half)
        wish = 4.0 * fear * (here - t[POS + k, near]) + pull + 0.5 * normal(streams, w)
        speed = clip(0.98 * t[GOAL_SHAPE + k, first] + 0.02 * wish, -_TARGET_SPEED, _TARGET_SPEED)
        t[GOAL_SHAPE + k, first] = speed
        t[GOAL + k, first] = here + speed * CONTROL_S
