"""One jitted call a control step for all worlds: actions, sub-steps, contacts, goals, reward, measures, ends, observation, restart.

Worlds are independent and each draws from its own stream in a fixed order, so a world's history does not depend on its neighbours.
They are stepped in groups that fill the lanes (`lanes.py`); `grid` [rows, WIDTH] and `s`, the same memory flat, are the lanes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.blocks import part_block, use_wide_vectors
from envs.quadrotor.contacts import Streams, meet_all_obstacles, meet_all_rooms, meet_drones, probe_grids, root_grids
from envs.quadrotor.control import aim_cascades, aim_motors
from envs.quadrotor.dynamics import fly_euler, fly_rk4, thrust_axis, weigh
from envs.quadrotor.goals import Cylinders, move_goals
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import (
    BLOCK,
    GROUP,
    NEARNESS,
    NOW,
    PAID,
    WIDTH,
    Lanes,
    Table,
    any_moving,
    clip,
    load_group,
    load_worlds,
    save_group,
)
from envs.quadrotor.layout import (
    COMMAND,
    CONTROL_S,
    CRASHED,
    DOWNWASH,
    DRONE,
    ENDED_STEP,
    HORIZON,
    LATENCY,
    MAX_RATE,
    NEAREST_DRONE,
    NEW,
    NOISE,
    OBSTACLES,
    PAST,
    POS,
    PUSH,
    QUAT,
    RATE,
    STEP,
    TERMINATE,
    THRUST_NOISE,
)
from envs.quadrotor.noise import between, normal
from envs.quadrotor.observe import sense
from envs.quadrotor.pairs import FAR_M, pair_up
from envs.quadrotor.reward import count_step, find_crashes, pay
from envs.quadrotor.spawn import spawn_world

_NOISE_KEEP = 0.85**2
_NOISE_SIGMA = 0.2 * 0.05 * (1.0 + 0.85**2) ** 0.5
"""Thrust noise: the published Ornstein-Uhlenbeck process (0.15, 0.2 x 0.05 every 5 ms) as it looks every 10 ms."""
Done = NDArray[np.bool_]


@jit
def step_worlds(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    frames: Table,
    weights: Table,
    s: Lanes,
    grid: Table,
    actions: NDArray[np.float32],
    out: NDArray[np.float32],
    final: NDArray[np.float32],
    reward: NDArray[np.float64],
    terminated: Done,
    truncated: Done,
    ended: Table,
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
    substeps: int,
    rk4: bool,
    restart: bool,
) -> int:
    """Advance every world by one control step; return how many worlds ended.

    `final` gets the true successor's observation; `out` the same, or the new episode's where a world restarted (`restart`).
    `ended` keeps the agent rows of worlds that ended in this step, as they were before the restart.
    """
    total, each = 0, max(1, GROUP // drones)
    for first_world in range(0, wt.shape[0], each):
        worlds = min(each, wt.shape[0] - first_world)
        first, count = first_world * drones, worlds * drones
        moving = any_moving(wt, first_world, worlds)
        blocks = load_group(t, s, first, count, moving)
        hovering = load_worlds(wt, s, first_world, worlds, drones, blocks, CONTROL_S / substeps)
        take_actions(t, wt, s, actions, first_world, worlds, drones, kept)
        fly(grid, s, wt, streams, first_world, worlds, drones, blocks, substeps, rk4)
        meet_all_rooms(grid, s, wt, streams, first_world, drones, count)
        meet_all_obstacles(grid, s, wt, obstacles, streams, first_world, worlds, drones, blocks)
        for w in range(first_world, first_world + worlds):
            touch(grid, s, wt, obstacles, streams, w, (w - first_world) * drones, drones, neighbours, moving)
        judge(s, wt, weights, reward, terminated, truncated, first_world, worlds, drones, blocks, hovering)
        root_grids(s, blocks)
        sense(t, s, wt, streams, final, out, first_world, worlds, drones, neighbours, history, kept)
        save_group(t, s, first, count, moving)
        for w in range(first_world, first_world + worlds):
            if terminated[w * drones] or truncated[w * drones]:
                total += 1
                wt[w, ENDED_STEP] = wt[w, STEP]
                if restart:
                    for row in range(t.shape[0]):
                        for a in range(w * drones, w * drones + drones):
                            ended[row, a] = t[row, a]
                    spawn_world(t, wt, obstacles, streams, frames, w, w * drones, drones)
                    look(t, wt, obstacles, streams, s, grid, out, w, drones, neighbours, history, kept)
    return total


@jit
def restart_worlds(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    frames: Table,
    s: Lanes,
    grid: Table,
    out: NDArray[np.float32],
    which: NDArray[np.int64],
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Begin new episodes in the worlds listed in `which` and write their first observations."""
    for w in which:
        spawn_world(t, wt, obstacles, streams, frames, w, w * drones, drones)
        look(t, wt, obstacles, streams, s, grid, out, w, drones, neighbours, history, kept)


@jit
def observe_worlds(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    s: Lanes,
    grid: Table,
    out: NDArray[np.float32],
    which: NDArray[np.int64],
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Write the observations of the worlds listed in `which` as they stand (after a restored snapshot)."""
    for w in which:
        look(t, wt, obstacles, streams, s, grid, out, w, drones, neighbours, history, kept)


@jit
def touch_worlds(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    s: Lanes,
    grid: Table,
    which: NDArray[np.int64],
    drones: int,
    neighbours: int,
) -> None:
    """Contacts, responses and the goals' own motion of the worlds listed in `which`, whose drones have flown; count the step there."""
    for w in which:
        moving = any_moving(wt, w, 1)
        blocks = load_group(t, s, w * drones, drones, moving)
        load_worlds(wt, s, w, 1, drones, blocks, CONTROL_S)
        meet_all_rooms(grid, s, wt, streams, w, drones, drones)
        meet_all_obstacles(grid, s, wt, obstacles, streams, w, 1, drones, blocks)
        touch(grid, s, wt, obstacles, streams, w, 0, drones, neighbours, moving)
        save_group(t, s, w * drones, drones, moving)


@jit
def look(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    s: Lanes,
    grid: Table,
    out: NDArray[np.float32],
    w: int,
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Write one world's observations; nothing of the world changes but its stream where sensor noise is drawn."""
    blocks = load_group(t, s, w * drones, drones, False)
    load_worlds(wt, s, w, 1, drones, blocks, CONTROL_S)
    probe_grids(s, obstacles, w, 0, drones, int(wt[w, OBSTACLES]))
    root_grids(s, blocks)
    if drones > 1:
        pair_up(s, 0, drones, neighbours)
    sense(t, s, wt, streams, out, out, w, 1, drones, neighbours, history, kept)


@jit
def take_actions(
    t: Table, wt: Table, s: Lanes, actions: NDArray[np.float32], first_world: int, worlds: int, drones: int, kept: int
) -> None:
    """Clip a group's actions to [-1, 1], remember them in the table's ring, and set the commands that latency lets through."""
    first, count = first_world * drones, worlds * drones
    whole = count // BLOCK
    for block in range(whole):
        part_block(s, COMMAND * WIDTH + block * BLOCK, WIDTH, actions, 4 * (first + block * BLOCK))
    for i in range(whole * BLOCK, count):
        for k in range(4):
            s[(COMMAND + k) * WIDTH + i] = actions[first + i, k]
    clip_commands(s, (count + BLOCK - 1) // BLOCK)
    for place in range(worlds):
        w, lane = first_world + place, place * drones
        step, a = int(wt[w, STEP]), w * drones
        now = PAST + 4 * (step % kept)
        late = PAST + 4 * ((step - min(int(wt[w, LATENCY]), kept - 1) + kept) % kept)
        for k in range(4):
            for i in range(drones):
                t[now + k, a + i] = s[(COMMAND + k) * WIDTH + lane + i]
        if late != now:
            for k in range(4):
                for i in range(drones):
                    s[(COMMAND + k) * WIDTH + lane + i] = t[late + k, a + i]


@jit
def clip_commands(s: Lanes, blocks: int) -> None:
    """Limit COMMAND of all lanes to [-1, 1]."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            for k in range(4):
                b[(COMMAND + k) * WIDTH + i] = clip(b[(COMMAND + k) * WIDTH + i], -1.0, 1.0)


@jit
def fly(
    grid: Table,
    s: Lanes,
    wt: Table,
    streams: Streams,
    first_world: int,
    worlds: int,
    drones: int,
    blocks: int,
    substeps: int,
    rk4: bool,
) -> None:
    """Noise and downwash, then the sub-steps of all lanes of a group."""
    for w in range(first_world, first_world + worlds):
        lane = (w - first_world) * drones
        if wt[w, DOWNWASH] > 0.0:
            wash(grid, streams, w, lane, drones)
        if wt[w, NOISE] > 0.0:
            for i in range(lane, lane + drones):
                stir_thrust(grid, streams, w, i, wt[w, NOISE])
    # motor modes hold their targets for the whole control step, the other modes' inner loops close in every sub-step
    cascades = aim_motors(s, blocks)
    weigh(s, blocks)
    for _ in range(substeps):
        if cascades:
            aim_cascades(grid, wt, first_world, drones, worlds * drones)
        if rk4:
            fly_rk4(s, blocks, CONTROL_S / substeps)
        else:
            fly_euler(s, blocks, CONTROL_S / substeps)


@jit
def stir_thrust(t: Table, streams: Streams, w: int, a: int, scale: float) -> None:
    """One step of the motors' Ornstein-Uhlenbeck thrust noise (a share of the thrust)."""
    for k in range(4):
        t[THRUST_NOISE + k, a] = _NOISE_KEEP * t[THRUST_NOISE + k, a] + scale * _NOISE_SIGMA * normal(streams, w)


@jit
def wash(t: Table, streams: Streams, w: int, first: int, drones: int) -> None:
    """Downwash (published): within 0.1 m of a drone's axis and 0.7 m below it, push (6/17)(7 - 10 d) m/s^2 and a small kick."""
    for a in range(first, first + drones):
        t[PUSH, a] = t[PUSH + 1, a] = t[PUSH + 2, a] = 0.0
    for a in range(first, first + drones):
        zx, zy, zz = thrust_axis(t[QUAT, a], t[QUAT + 1, a], t[QUAT + 2, a], t[QUAT + 3, a])
        for b in range(first, first + drones):
            dx, dy, dz = t[POS, b] - t[POS, a], t[POS + 1, b] - t[POS + 1, a], t[POS + 2, b] - t[POS + 2, a]
            below = -(dx * zx + dy * zy + dz * zz)
            if b != a and 0.0 < below < 0.7 and dx * dx + dy * dy + dz * dz - below * below < 0.01:
                push = 6.0 / 17.0 * (7.0 - 10.0 * below) + between(streams, w, -0.1, 0.1)
                t[PUSH, b] -= push * zx
                t[PUSH + 1, b] -= push * zy
                t[PUSH + 2, b] -= push * zz
                kick = 0.3 * (below - 1.0) ** 2
                for k in range(3):
                    t[RATE + k, b] = clip(t[RATE + k, b] + kick * normal(streams, w), -MAX_RATE, MAX_RATE)


@jit
def touch(
    grid: Table,
    s: Lanes,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    w: int,
    lane: int,
    drones: int,
    neighbours: int,
    moving: bool,
) -> None:
    """Contacts with other drones, then the goals' own motion and the clock."""
    if drones > 1:
        meet_drones(grid, s, streams, w, lane, drones, neighbours, wt[w, TERMINATE] == 0.0)
    else:
        grid[NEAREST_DRONE, lane], grid[NEARNESS, lane], grid[NEW + DRONE, lane] = FAR_M, 0.0, 0.0
    if moving:
        move_goals(grid, wt, obstacles, streams, w, lane, drones)
    wt[w, STEP] += 1.0
    for i in range(lane, lane + drones):
        grid[NOW, i] = wt[w, STEP]


@jit
def judge(
    s: Lanes,
    wt: Table,
    weights: Table,
    reward: NDArray[np.float64],
    terminated: Done,
    truncated: Done,
    first_world: int,
    worlds: int,
    drones: int,
    blocks: int,
    hovering: bool,
) -> None:
    """Rewards, measures and ends of a group's worlds.

    The drones that crashed are terminated; their world ends for the others too, who are truncated.
    """
    crashes = find_crashes(s, blocks)
    pay(s, weights, blocks, hovering)
    count_step(s, blocks, CONTROL_S)
    first, count = first_world * drones, worlds * drones
    for i in range(count):
        reward[first + i] = s[PAID * WIDTH + i]
    for w in range(first_world, first_world + worlds):
        lane, over = (w - first_world) * drones, wt[w, STEP] >= wt[w, HORIZON]
        if crashes:
            for i in range(lane, lane + drones):
                over = over or s[CRASHED * WIDTH + i] > 0.0
        for i in range(drones):
            terminated[w * drones + i] = crashes and s[CRASHED * WIDTH + lane + i] > 0.0
            truncated[w * drones + i] = over and not terminated[w * drones + i]
