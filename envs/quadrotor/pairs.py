"""All pairs of a world's drones: distances, closeness, contacts, and who is whose nearest neighbour. Eight observers at a time.

The observers stand in the lanes, their partners pass by one after another, so that nothing is compared across lanes. Ranking key
of a neighbour: distance plus the rate of its change, so that closing drones count as nearer (as published).
"""

from __future__ import annotations

import math

import numpy as np

from envs.quadrotor.blocks import use_wide_vectors
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import BEST, BLOCK, NEARNESS, PER_REACH, SPARE, TIGHT, WIDTH, Lanes
from envs.quadrotor.layout import NEAREST_DRONE, POS, RADIUS, VEL

FAR_M = 10.0
"""Distance told when there is no other drone or no obstacle."""
NOBODY = 1e18
"""Key of no drone."""


@jit
def pair_up(s: Lanes, first: int, drones: int, neighbours: int) -> bool:
    """Fill NEAREST_DRONE, NEARNESS and the keys of the nearest (BEST, in order) of a world's lanes; return whether two drones touch.

    Whole blocks are written: what stands in the lanes after the world's own is spoilt until their own world's turn comes.
    """
    blocks = (drones + BLOCK - 1) // BLOCK
    for block in range(blocks):
        forget(s[first + block * BLOCK :], neighbours)
    for place in range(drones):
        for block in range(blocks):
            meet(s[first + block * BLOCK :], s[first + place :], place - block * BLOCK, first + place)
            for nth in range(2, neighbours):
                insert(s[first + block * BLOCK :], nth)
    root_nearest(s, first, blocks)
    tightest = -1.0
    for lane in range(first, first + drones):
        tightest = max(tightest, s[TIGHT * WIDTH + lane])
    return tightest > 0.0


@jit
def root_nearest(s: Lanes, first: int, blocks: int) -> None:
    """Turn NEAREST_DRONE from squares into metres."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[first + block * BLOCK :]
        for i in range(BLOCK):
            b[NEAREST_DRONE * WIDTH + i] = math.sqrt(b[NEAREST_DRONE * WIDTH + i])


@jit
def forget(b: Lanes, neighbours: int) -> None:
    """Begin a block of observers who have met nobody."""
    use_wide_vectors()
    for i in range(BLOCK):
        b[PER_REACH * WIDTH + i] = 0.25 / b[RADIUS * WIDTH + i]
        b[NEAREST_DRONE * WIDTH + i] = FAR_M * FAR_M
        b[NEARNESS * WIDTH + i] = 0.0
        b[TIGHT * WIDTH + i] = -1.0
        b[BEST * WIDTH + i] = b[(BEST + 1) * WIDTH + i] = NOBODY
    for nth in range(2, neighbours):
        for i in range(BLOCK):
            b[(BEST + nth) * WIDTH + i] = NOBODY


@jit
def meet(b: Lanes, partner: Lanes, itself: int, lane: int) -> None:
    """Let a block of observers meet the drone in `lane`, which is the observer in lane `itself` of the block where that is in it.

    Keys are kept to a micrometre; the lane stands in their last seven bits. SPARE gets the key that the two nearest push out.
    """
    use_wide_vectors()
    px, py, pz = partner[POS * WIDTH], partner[(POS + 1) * WIDTH], partner[(POS + 2) * WIDTH]
    vx, vy, vz = partner[VEL * WIDTH], partner[(VEL + 1) * WIDTH], partner[(VEL + 2) * WIDTH]
    radius = partner[RADIUS * WIDTH]
    for i in range(BLOCK):
        dx, dy, dz = px - b[POS * WIDTH + i], py - b[(POS + 1) * WIDTH + i], pz - b[(POS + 2) * WIDTH + i]
        ux, uy, uz = vx - b[VEL * WIDTH + i], vy - b[(VEL + 1) * WIDTH + i], vz - b[(VEL + 2) * WIDTH + i]
        d2 = dx * dx + dy * dy + dz * dz + 1e-18
        d2 = NOBODY if i == itself else d2
        d = math.sqrt(d2)
        b[NEAREST_DRONE * WIDTH + i] = min(b[NEAREST_DRONE * WIDTH + i], d2)
        own = b[RADIUS * WIDTH + i]
        b[NEARNESS * WIDTH + i] += max(0.0, 1.0 - d * b[PER_REACH * WIDTH + i])
        both = radius + own
        b[TIGHT * WIDTH + i] = max(b[TIGHT * WIDTH + i], both * both - d2)
        key = d + (dx * ux + dy * uy + dz * uz) / d
        key = np.floor((key + 128.0) * 1048576.0) * 128.0 + lane
        key = NOBODY if i == itself else key
        nearest, second = b[BEST * WIDTH + i], b[(BEST + 1) * WIDTH + i]
        beaten = max(nearest, key)
        b[BEST * WIDTH + i] = min(nearest, key)
        b[(BEST + 1) * WIDTH + i] = min(second, beaten)
        b[SPARE * WIDTH + i] = max(second, beaten)


@jit
def insert(b: Lanes, nth: int) -> None:
    """Sort SPARE into place `nth` of the nearest; SPARE gets what it pushes out."""
    use_wide_vectors()
    for i in range(BLOCK):
        here, key = b[(BEST + nth) * WIDTH + i], b[SPARE * WIDTH + i]
        b[(BEST + nth) * WIDTH + i] = min(here, key)
        b[SPARE * WIDTH + i] = max(here, key)
