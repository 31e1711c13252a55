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
PAIR, KEY = PAST + 28, PAST + 29
"""Scratch rows of one drone against all others: squared distances, ranking keys."""
PAID = PAST + 30
"""Native reward of this step."""
ROWS = PAST + 31


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

    The shapes of goals' paths are needed only where goals are `moving`.
    """
    blocks = (count + BLOCK - 1) // BLOCK
    for row in range(PAST):
        if START <= row < MASS or NEW <= row < HITS or row >= CRASHED or (GOAL_SHAPE <= row < START and not moving):
            continue  # written in the step before they are read
        for block in range(blocks):
            here, there = s[row * WIDTH + block * BLOCK :], t[row, first + block * BLOCK :]
            for j in range(BLOCK):
                here[j] = there[j]
    if count < blocks * BLOCK:
        for row in range(PAST):
            for lane in range(count, blocks * BLOCK):
                s[row * WIDTH + lane] = s[row * WIDTH]
    return blocks


@jit
def save_group(t: Table, s: Lanes, first: int, count: int, moving: bool) -> None:
    """Copy the lanes back, without the unused ones."""
    whole = count // BLOCK
    for row in range(PAST):
        if FORCE <= row < GOAL or START <= row < COMMAND or MASS <= row < TOUCH or (GOAL <= row < START and not moving):
            continue  # what an episode does not change; downwash is worked out anew in every step
        for block in range(whole):
            here, there = s[row * WIDTH + block * BLOCK :], t[row, first + block * BLOCK :]
            for j in range(BLOCK):
                there[j] = here[j]
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
def load_worlds(wt: Table, grid: Table, first_world: int, worlds: int, drones: int, blocks: int, dt: float) -> None:
    """Write what each lane needs to know of its world."""
    gain, lag, lagging = 1.0, -1.0, False
    for lane in range(blocks * BLOCK):
        w = first_world + min(lane // drones, worlds - 1)
        if grid[LAG_S, lane] != lag or (wt[w, MOTOR_LAG] > 0.0) != lagging:
            lag, lagging = grid[LAG_S, lane], wt[w, MOTOR_LAG] > 0.0
            gain = lag_gain(lag, dt, lagging)
        grid[GAIN, lane] = gain
        grid[SLOW, lane] = max(wt[w, DRAG_SCALE], 1.0) if wt[w, WIND] > 0.0 else wt[w, DRAG_SCALE]
        grid[AIR_X, lane], grid[AIR_Y, lane] = wt[w, WIND_X], wt[w, WIND_Y]
        grid[MODE, lane], grid[LAST_STEP, lane] = wt[w, MODE_COLUMN], wt[w, HORIZON]
        grid[HOVERING, lane] = 1.0 if int(wt[w, GOAL_KIND]) == HOVER_AT else 0.0
        grid[CROWDED, lane] = 1.0 if wt[w, OBSTACLES] > 0.0 else 0.0
        grid[REACH_OUT, lane], grid[HALF, lane] = wt[w, LEASH], 0.5 * wt[w, ROOM]
        grid[ENDS, lane], grid[PIPE, lane] = wt[w, TERMINATE], wt[w, OBSTACLE_RADIUS]
