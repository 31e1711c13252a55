"""The start of an episode: cylinders in the room's cells, drones in free cells, airframes with their random deviations.

Cells are 1 m wide. Cylinders stand in the centres of the inner cells (all but the outermost ring), as published. A cell holds up to
three drones, 1 m above each other. Everything is drawn from the world's own stream.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.contacts import Streams
from envs.quadrotor.goals import Cylinders, place_goals
from envs.quadrotor.jit import jit, jit_allocating
from envs.quadrotor.lanes import Table
from envs.quadrotor.layout import (
    AIRFRAME,
    ARM_X,
    DENSITY,
    DISTANCE,
    DISTURBANCE,
    FORCE,
    GOAL,
    GOAL_KIND,
    GRAVITY,
    HOVER,
    HOVER_AT,
    MASS,
    MAX_THRUST,
    MIN_GAP,
    MOST_CELLS,
    NEAREST_DRONE,
    OBSTACLE_GAP,
    OBSTACLES,
    POS,
    QUAT,
    RANDOMISATION,
    RATE,
    REACHED_STEP,
    ROOM,
    ROTOR,
    START,
    START_SPEED,
    STEP,
    TILT,
    TORQUE,
    VEL,
    WIND,
    WIND_X,
    WIND_Y,
)
from envs.quadrotor.noise import between, normal, uniform
from envs.quadrotor.pairs import FAR_M

NOWHERE = 1e6
"""Coordinate of the places in the obstacle table that hold no cylinder."""


@jit_allocating
def spawn_world(
    t: Table, wt: Table, obstacles: Cylinders, streams: Streams, frames: Table, w: int, first: int, drones: int
) -> None:
    """Restart world `w` with the task parameters in its columns."""
    angle = between(streams, w, 0.0, 2.0 * math.pi)
    wt[w, WIND_X], wt[w, WIND_Y] = wt[w, WIND] * math.cos(angle), wt[w, WIND] * math.sin(angle)
    wt[w, STEP] = 0.0
    side = int(wt[w, ROOM])
    taken = np.zeros(MOST_CELLS, np.bool_)
    place_obstacles(wt, obstacles, streams, taken, w, side)
    places = list_places(taken, side, min(3, int(wt[w, ROOM] - 0.35)))
    for i in range(drones):
        a = first + i
        for row in range(t.shape[0]):
            t[row, a] = 0.0
        pick = i + int(uniform(streams, w) * (len(places) - i))  # Fisher-Yates, one draw a drone
        places[i], places[pick] = places[pick], places[i]
        build_drone(t, wt, streams, frames, w, a)
        stand(t, wt, streams, w, a, places[i], side)
    place_goals(t, wt, obstacles, streams, w, first, drones)
    for a in range(first, first + drones):
        begin_measures(t, wt, streams, w, a)


@jit
def place_obstacles(
    wt: Table, obstacles: Cylinders, streams: Streams, taken: NDArray[np.bool_], w: int, side: int
) -> None:
    """Fill cells of the inner square at random."""
    inner = side - 2
    count = int(wt[w, DENSITY] * inner * inner + 1e-9)
    wt[w, OBSTACLES] = count
    left = inner * inner
    for cell in range(inner * inner):  # selection sampling: each subset of the cells is equally likely
        if uniform(streams, w) * left < count:
            count -= 1
            column, row = cell // inner + 1, cell % inner + 1
            taken[column * side + row] = True
            obstacles[w, 0, count], obstacles[w, 1, count] = column + 0.5 - 0.5 * side, row + 0.5 - 0.5 * side
        left -= 1
    for place in range(int(wt[w, OBSTACLES]), obstacles.shape[2]):
        obstacles[w, 0, place] = obstacles[w, 1, place] = NOWHERE


@jit_allocating
def list_places(taken: NDArray[np.bool_], side: int, levels: int) -> NDArray[np.int64]:
    """Free places as cell * 3 + level."""
    places = np.empty(3 * MOST_CELLS, np.int64)
    count = 0
    for cell in range(side * side):
        if not taken[cell]:
            for level in range(levels):
                places[count] = cell * 3 + level
                count += 1
    return places[:count]


@jit
def build_drone(t: Table, wt: Table, streams: Streams, frames: Table, w: int, a: int) -> None:
    """Copy the airframe and vary mass, inertia, thrust, torque and lag; draw the episode's disturbance."""
    kind, spread = int(wt[w, AIRFRAME]), wt[w, RANDOMISATION]
    for k in range(7):
        t[MASS + k, a] = frames[kind, k]
        if spread > 0.0:
            t[MASS + k, a] *= 1.0 + between(streams, w, -spread, spread)
    for k in range(4):
        t[ARM_X + k, a] = frames[kind, 7 + k]
    weight = t[MASS, a] * GRAVITY
    t[HOVER, a] = weight / (4.0 * t[MAX_THRUST, a])
    size = wt[w, DISTURBANCE]
    if size > 0.0:
        for k in range(3):
            t[FORCE + k, a] = size * weight / 20.0 * normal(streams, w)
            t[TORQUE + k, a] = size * weight / 10000.0 * normal(streams, w)


@jit
def stand(t: Table, wt: Table, streams: Streams, w: int, a: int, place: int, side: int) -> None:
    """Put one drone at a free place, facing the room's axis, tilted and moving as the task asks."""
    cell, level = place // 3, place % 3
    x = cell // side + 0.5 - 0.5 * side + between(streams, w, -0.2, 0.2)
    y = cell % side + 0.5 - 0.5 * side + between(streams, w, -0.2, 0.2)
    z = level + 1.0 + between(streams, w, -0.3, 0.3)
    # hover: the target is the place itself, the start lies up to 0.2 m off on each axis
    for k, here in enumerate((x, y, z)):
        off = between(streams, w, -0.2, 0.2) if int(wt[w, GOAL_KIND]) == HOVER_AT else 0.0
        t[GOAL + k, a] = here
        t[POS + k, a] = t[START + k, a] = here + off
        t[VEL + k, a] = wt[w, START_SPEED] * between(streams, w, -1.0, 1.0)
        t[RATE + k, a] = wt[w, START_SPEED] * between(streams, w, -1.0, 1.0)
    tilt = wt[w, TILT] * uniform(streams, w)
    axis, yaw = between(streams, w, 0.0, 2.0 * math.pi), math.atan2(-y, -x)
    if int(wt[w, GOAL_KIND]) == HOVER_AT:
        yaw = 0.0
    c, s, cy, sy = math.cos(0.5 * tilt), math.sin(0.5 * tilt), math.cos(0.5 * yaw), math.sin(0.5 * yaw)
    ux, uy = s * math.cos(axis), s * math.sin(axis)
    # heading first, then a turn about a horizontal axis: q = yaw * tilt
    t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a] = cy * c, cy * ux - sy * uy, cy * uy + sy * ux, sy * c
    for k in range(4):
        t[ROTOR + k, a] = math.sqrt(min(1.0, t[HOVER, a]))


@jit
def begin_measures(t: Table, wt: Table, streams: Streams, w: int, a: int) -> None:
    """Start the episode's counters."""
    d2 = 0.0
    for k in range(3):
        d2 += (t[GOAL + k, a] - t[POS + k, a]) ** 2
    t[DISTANCE, a] = math.sqrt(d2)
    t[REACHED_STEP, a] = -1.0
    t[MIN_GAP, a] = t[NEAREST_DRONE, a] = t[OBSTACLE_GAP, a] = FAR_M
