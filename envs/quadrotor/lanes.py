"""Lanes: the step's working copy of a group of drones, laid out so that the compiler turns its loops into vector code.

The agent table's row length is known only at run time, and a compiler that cannot prove two rows apart will not vectorise. So a group of
worlds (as many as fill eight lanes, or one larger world) is copied into `lanes`, a flat array whose rows lie `WIDTH` numbers apart, stepped
there and copied back. Lane = place in the group. The same memory as [rows, WIDTH] serves the rare, branching events. Unused lanes repeat
the first drone, so that their numbers stay harmless.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.blocks import copy_block, use_wide_vectors
from envs.quadrotor.jit import jit
from envs.quadrotor.layout import ACTION_MODE as MODE_COLUMN
from envs.quadrotor.layout import (
    COMMAND,
    CRASHED,
    DRAG_SCALE,
    FORCE,
    FORMATION,
    GO_TO,
    GOAL,
    GOAL_KIND,
    GOAL_SHAPE,
    HITS,
    HORIZON,
    HOVER_AT,
    LAG_S,
    LEASH,
    MASS,
    MOTOR_LAG,
    NEW,
    OBSTACLE_RADIUS,
    OBSTACLES,
    PAST,
    ROOM,
    SAME,
    START,
    SWAP,
    TERMINATE,
    TOUCH,
    WIND,
    WIND_X,
    WIND_Y,
)

Table = NDArray[np.float64]
Lanes = NDArray[np.float64]

BLOCK = 8
GROUP = 16
"""Lanes that a group of small worlds fills."""
WIDTH = 136
"""Row length: 128 drones and an odd number of cache lines."""
GAIN, SLOW, AIR_X, AIR_Y, MODE, HOVERING, CROWDED, LAST_STEP, NOW, REACH_OUT, HALF, ENDS = range(PAST, PAST + 12)
"""Of each lane's world: rotor gain a sub-step, drag scale, wind m/s (2), action mode, 1 for hover tasks, 1 with obstacles, horizon,
step, leash m, half the room's side m, 1 where contacts terminate."""
TARGET = PAST + 12
"""Rotor speeds that the command asks for (4)."""
EVENT, NEARNESS, PIPE = PAST + 16, PAST + 17, PAST + 18
"""1 where a drone meets the room; sum of 1 - d / reach over close drones; cylinder radius m."""
GRID2 = PAST + 19
"""Squared distances from the nine grid points to the nearest cylinder's axis (9)."""
TIGHT, SPARE = PAST + 28, PAST + 29
"""By how much (m^2) two touching drones are too near, below 0 where none touch; scratch of the ranking."""
PAID = PAST + 30
"""Native reward of this step."""
PER_MASS, PER_INERTIA, SLOWING, STEADY = PAST + 31, PAST + 32, PAST + 35, PAST + 36
"""1 / kg, 1 / (kg m^2) (3), drag a mass 1 / s, constant acceleration m/s^2 (3): the same for the whole step."""
PER_REACH = PAST + 39
"""1 over the reach of proximity, four radii, 1 / m."""
OTHER = PAST + 40
"""Position m and velocity m/s of one neighbour, less one's own (6)."""
BEST = PAST + 46
"""Keys of the nearest neighbours in order (as many as are observed, but at least 2)."""
SEEN = BEST + 128
"""The observation without past actions, one row a number: the last rows of all."""


def rows_of(seen: int) -> int:
    """Rows of lanes that observe so many numbers besides past actions."""
    return SEEN + seen


@jit
def clip(value: float, low: float, high: float) -> float:
    """Limit `value` to [low, high]."""
    return min(max(value, low), high)


@jit
def lag_gain(lag_s: float, dt: float, lagging: bool) -> float:
    """Share of the way to its command that a rotor covers in `dt`; 1 without lag."""
    return 1.0 - math.exp(-dt / lag_s) if lagging else 1.0


@jit
def load_group(t: Table, s: Lanes, first: int, count: int, moving: bool) -> int:
    """Copy `count` drones from agent `first` on into the lanes; return the number of blocks in use. Rows must be padded by a block.

    The shapes of goals' paths are needed only where goals are `moving`. Rows that are written in a step before they are read stay behind.
    """
    blocks = (count + BLOCK - 1) // BLOCK
    load_rows(t, s, first, blocks, 0, START if moving else GOAL_SHAPE)
    load_rows(t, s, first, blocks, MASS, NEW)
    load_rows(t, s, first, blocks, HITS, CRASHED)
    if count < blocks * BLOCK:
        for row in range(PAST):
            for lane in range(count, blocks * BLOCK):
                s[row * WIDTH + lane] = s[row * WIDTH]
    return blocks


@jit
def load_rows(t: Table, s: Lanes, first: int, blocks: int, low: int, high: int) -> None:
    """Copy rows `low` to before `high` into the lanes."""
    wide = t.shape[1]
    for row in range(low, high):
        for block in range(blocks):
            copy_block(s, row * WIDTH + block * BLOCK, t, row * wide + first + block * BLOCK)


@jit
def save_group(t: Table, s: Lanes, first: int, count: int, moving: bool) -> None:
    """Copy the lanes back, without the unused ones and without what an episode does not change; downwash is worked out anew in every step."""
    save_rows(t, s, first, count, 0, FORCE)
    if moving:
        save_rows(t, s, first, count, GOAL, START)
    save_rows(t, s, first, count, COMMAND, MASS)
    save_rows(t, s, first, count, TOUCH, PAST)


@jit
def save_rows(t: Table, s: Lanes, first: int, count: int, low: int, high: int) -> None:
    """Copy rows `low` to before `high` back to the table."""
    whole, wide = count // BLOCK, t.shape[1]
    for row in range(low, high):
        for block in range(whole):
            copy_block(t, row * wide + first + block * BLOCK, s, row * WIDTH + block * BLOCK)
        for lane in range(whole * BLOCK, count):
            t[row, first + lane] = s[row * WIDTH + lane]


@jit
def any_moving(wt: Table, first_world: int, worlds: int) -> bool:
    """Whether goals move or change during an episode in any world of a group."""
    for w in range(first_world, first_world + worlds):
        kind = int(wt[w, GOAL_KIND])
        if kind not in (HOVER_AT, GO_TO, SAME, SWAP, FORMATION):
            return True
    return False


@jit
def load_worlds(wt: Table, s: Lanes, first_world: int, worlds: int, drones: int, blocks: int, dt: float) -> bool:
    """Write what each lane needs to know of its world; return whether any world's task is to hover.

    Whole blocks are written, world after world: each spoils the lanes after its own. The last world's numbers fill the unused lanes too.
    """
    hovering = False
    for place in range(worlds):
        lane = place * drones
        last = lane + drones if place < worlds - 1 else blocks * BLOCK
        load_world(wt, s, first_world + place, lane, (last - lane + BLOCK - 1) // BLOCK)
        load_gains(wt, s, first_world + place, lane, last, dt)
        hovering = hovering or int(wt[first_world + place, GOAL_KIND]) == HOVER_AT
    return hovering


@jit
def load_world(wt: Table, s: Lanes, w: int, lane: int, blocks: int) -> None:
    """Write what some blocks from `lane` on need to know of world `w`, but for the rotor gain."""
    use_wide_vectors()
    slow = wt[w, DRAG_SCALE]
    slow = max(slow, 1.0) if wt[w, WIND] > 0.0 else slow
    hovering = 1.0 if int(wt[w, GOAL_KIND]) == HOVER_AT else 0.0
    crowded = 1.0 if wt[w, OBSTACLES] > 0.0 else 0.0
    wind_x, wind_y, mode, horizon = wt[w, WIND_X], wt[w, WIND_Y], wt[w, MODE_COLUMN], wt[w, HORIZON]
    leash, half, ends, pipe = wt[w, LEASH], 0.5 * wt[w, ROOM], wt[w, TERMINATE], wt[w, OBSTACLE_RADIUS]
    for block in range(blocks):
        b = s[lane + block * BLOCK :]
        for i in range(BLOCK):
            b[SLOW * WIDTH + i], b[AIR_X * WIDTH + i], b[AIR_Y * WIDTH + i] = slow, wind_x, wind_y
            b[MODE * WIDTH + i], b[LAST_STEP * WIDTH + i], b[HOVERING * WIDTH + i] = mode, horizon, hovering
            b[CROWDED * WIDTH + i], b[REACH_OUT * WIDTH + i], b[HALF * WIDTH + i] = crowded, leash, half
            b[ENDS * WIDTH + i], b[PIPE * WIDTH + i] = ends, pipe


@jit
def load_gains(wt: Table, s: Lanes, w: int, lane: int, last: int, dt: float) -> None:
    """Write the rotor gain of the lanes from `lane` to before `last`; drones of one airframe share it."""
    lagging, lag, gain = wt[w, MOTOR_LAG] > 0.0, -1.0, 1.0
    for i in range(lane, last):
        if s[LAG_S * WIDTH + i] != lag:
            lag = s[LAG_S * WIDTH + i]
            gain = lag_gain(lag, dt, lagging)
        s[GAIN * WIDTH + i] = gain
