"""One jitted call a control step for all worlds: actions, sub-steps, contacts, goals, reward, measures, ends, observation, restart.

Worlds are independent and each draws from its own stream in a fixed order, so a world's history does not depend on its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor.contacts import Streams, meet_drones, meet_obstacle, meet_room, nearest_squared
from envs.quadrotor.control import rotor_targets
from envs.quadrotor.dynamics import Table, clip, fly_euler, lag_gain, thrust_axis
from envs.quadrotor.goals import Cylinders, move_goals
from envs.quadrotor.jit import jit
from envs.quadrotor.layout import (
    ACTION_MODE,
    COMMAND,
    CONTROL_S,
    CRASHED,
    DOWNWASH,
    DRAG_SCALE,
    GOAL,
    GOAL_KIND,
    HORIZON,
    HOVER_AT,
    LAG_S,
    LATENCY,
    LEASH,
    MAX_RATE,
    MOTOR_LAG,
    NEAR2,
    NOISE,
    OBSTACLES,
    PAST,
    POS,
    PUSH,
    QUAT,
    RATE,
    SPEED,
    STEP,
    TERMINATE,
    THRUST_NOISE,
    TOUCH,
    WIND,
    WIND_X,
    WIND_Y,
)
from envs.quadrotor.noise import between, normal
from envs.quadrotor.observe import rank, sense
from envs.quadrotor.reward import count_step, hover_terms, measure_distance, swarm_terms
from envs.quadrotor.rk4 import fly_rk4
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
    keys: Table,
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
    count = 0
    for w in range(wt.shape[0]):
        first = w * drones
        take_actions(t, wt, actions, w, first, drones, kept)
        fly(t, wt, streams, w, first, drones, substeps, rk4)
        touch(t, wt, obstacles, streams, keys, w, first, drones, neighbours)
        wt[w, STEP] += 1.0
        over = judge(t, wt, obstacles, streams, weights, reward, terminated, truncated, w, first, drones)
        sense(t, wt, obstacles, streams, keys, final, w, first, drones, neighbours, history, kept)
        count += over
        if over and restart:
            for row in range(t.shape[0]):
                for a in range(first, first + drones):
                    ended[row, a] = t[row, a]
            start_world(t, wt, obstacles, streams, frames, keys, out, w, first, drones, neighbours, history, kept)
        else:
            for a in range(first, first + drones):
                for k in range(out.shape[1]):
                    out[a, k] = final[a, k]
    return count


@jit
def restart_worlds(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    frames: Table,
    keys: Table,
    out: NDArray[np.float32],
    which: NDArray[np.int64],
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Begin new episodes in the worlds listed in `which` and write their first observations."""
    for w in which:
        start_world(t, wt, obstacles, streams, frames, keys, out, w, w * drones, drones, neighbours, history, kept)


@jit
def observe_worlds(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    keys: Table,
    out: NDArray[np.float32],
    which: NDArray[np.int64],
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Write the observations of the worlds listed in `which` as they stand (after a restored snapshot)."""
    for w in which:
        first = w * drones
        rank(t, keys, first, drones)
        sense(t, wt, obstacles, streams, keys, out, w, first, drones, neighbours, history, kept)


@jit
def start_world(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    frames: Table,
    keys: Table,
    out: NDArray[np.float32],
    w: int,
    first: int,
    drones: int,
    neighbours: int,
    history: int,
    kept: int,
) -> None:
    """Begin a new episode in one world."""
    spawn_world(t, wt, obstacles, streams, frames, w, first, drones)
    rank(t, keys, first, drones)
    for a in range(first, first + drones):
        t[NEAR2, a] = nearest_squared(obstacles, w, int(wt[w, OBSTACLES]), t[POS, a], t[POS + 1, a])
    sense(t, wt, obstacles, streams, keys, out, w, first, drones, neighbours, history, kept)


@jit
def take_actions(t: Table, wt: Table, actions: NDArray[np.float32], w: int, first: int, drones: int, kept: int) -> None:
    """Clip this step's actions to [-1, 1], remember them in a ring, and set the command that latency lets through."""
    step = int(wt[w, STEP])
    now = PAST + 4 * (step % kept)
    late = PAST + 4 * ((step - min(int(wt[w, LATENCY]), kept - 1) + kept) % kept)
    for a in range(first, first + drones):
        for k in range(4):
            t[now + k, a] = clip(np.float64(actions[a, k]), -1.0, 1.0)
        for k in range(4):
            t[COMMAND + k, a] = t[late + k, a]


@jit
def fly(t: Table, wt: Table, streams: Streams, w: int, first: int, drones: int, substeps: int, rk4: bool) -> None:
    """Sub-steps of all drones of one world, then floor, walls and ceiling."""
    dt, mode = CONTROL_S / substeps, int(wt[w, ACTION_MODE])
    lagging, noisy, bounce = wt[w, MOTOR_LAG] > 0.0, wt[w, NOISE] > 0.0, wt[w, TERMINATE] == 0.0
    drag = max(wt[w, DRAG_SCALE], 1.0) if wt[w, WIND] > 0.0 else wt[w, DRAG_SCALE]
    if wt[w, DOWNWASH] > 0.0:
        wash(t, streams, w, first, drones)
    wx, wy, gain, lag = wt[w, WIND_X], wt[w, WIND_Y], 1.0, -1.0
    # motor modes hold their targets for the whole control step, the other modes' inner loops close in every sub-step
    runs = 1 if mode <= SPEED and not rk4 else substeps
    for a in range(first, first + drones):
        if t[LAG_S, a] != lag:
            lag, gain = t[LAG_S, a], lag_gain(t, a, dt, lagging)
        if noisy:
            stir_thrust(t, streams, w, a, wt[w, NOISE])
        for _ in range(runs):
            c0, c1, c2, c3 = rotor_targets(t, a, mode, lagging)
            if rk4:
                fly_rk4(t, a, c0, c1, c2, c3, gain, dt, drag, wx, wy, noisy)
            else:
                fly_euler(t, a, c0, c1, c2, c3, gain, dt, drag, wx, wy, noisy, substeps // runs)
        meet_room(t, wt, streams, w, a, bounce)


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
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    keys: Table,
    w: int,
    first: int,
    drones: int,
    neighbours: int,
) -> None:
    """Contacts with cylinders and other drones, then the goals' own motion."""
    bounce = wt[w, TERMINATE] == 0.0
    for a in range(first, first + drones):
        meet_obstacle(t, wt, obstacles, streams, w, a, bounce)
    if drones > 1:
        meet_drones(t, streams, w, first, drones, bounce)
    if neighbours > 0:
        rank(t, keys, first, drones)
    move_goals(t, wt, obstacles, streams, w, first, drones)


@jit
def judge(
    t: Table,
    wt: Table,
    obstacles: Cylinders,
    streams: Streams,
    weights: Table,
    reward: NDArray[np.float64],
    terminated: Done,
    truncated: Done,
    w: int,
    first: int,
    drones: int,
) -> int:
    """Rewards, measures and ends of one world; return 1 when its episode is over.

    The drones that crashed are terminated; their world ends for the others too, who are truncated.
    """
    hover, mode = int(wt[w, GOAL_KIND]) == HOVER_AT, int(wt[w, ACTION_MODE])
    over = False
    for a in range(first, first + drones):
        measure_distance(t, a)
        t[CRASHED, a] = 1.0 if crashes(t, wt, w, a) else 0.0
        over = over or t[CRASHED, a] > 0.0
        if hover:
            reward[a] = hover_terms(t, weights, a, mode, t[CRASHED, a] > 0.0)
        else:
            reward[a] = swarm_terms(t, weights, a, drones, first, wt[w, OBSTACLES] > 0.0)
        count_step(t, wt, w, a, reward[a], CONTROL_S)
    over = over or wt[w, STEP] >= wt[w, HORIZON]
    for a in range(first, first + drones):
        terminated[a] = t[CRASHED, a] > 0.0
        truncated[a] = over and not terminated[a]
    return 1 if over else 0


@jit
def crashes(t: Table, wt: Table, w: int, a: int) -> bool:
    """Whether drone `a` ends the episode: off its leash on any axis or, where contacts terminate, touching anything."""
    leash = wt[w, LEASH]
    off = max(
        abs(t[POS, a] - t[GOAL, a]), max(abs(t[POS + 1, a] - t[GOAL + 1, a]), abs(t[POS + 2, a] - t[GOAL + 2, a]))
    )
    hit = t[TOUCH, a] + t[TOUCH + 1, a] + t[TOUCH + 2, a] + t[TOUCH + 3, a]
    return bool(off > leash or (wt[w, TERMINATE] > 0.0 and hit > 0.0))
