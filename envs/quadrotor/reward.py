"""The native rewards, term by term, and the measures of a running episode. Neither ever changes the physics.

Swarm tasks use the published terms of quad-swarm-rl (arXiv 2309.13285): weights times 0.005 s a control step, -5 for each new contact,
and a proximity term below four arms. Hover uses the quadratic reward of Learning to Fly in Seconds (arXiv 2311.13081) with its first
weights, all of it in the term `distance`. Collision weights are final values; a ramp is the trainer's business.
"""

from __future__ import annotations

import math

from envs.quadrotor.dynamics import Table
from envs.quadrotor.jit import jit
from envs.quadrotor.layout import (
    CLOSENESS_SUM,
    COMMAND,
    DISTANCE,
    DRONE,
    EFFORT_SUM,
    FLOOR,
    GOAL,
    GRACE_STEPS,
    HITS,
    HORIZON,
    HOVER,
    LAST_DISTANCE_SUM,
    LAST_INSIDE,
    LAST_SECOND,
    LAST_STEPS,
    LATE_HITS,
    MIN_GAP,
    NEAREST_DRONE,
    NEW,
    OBSTACLE,
    OBSTACLE_GAP,
    PATH_M,
    POS,
    QUAT,
    RADIUS,
    RATE,
    REACH_M,
    REACHED_STEP,
    RECENT,
    REWARD_SUM,
    SPEED,
    STEP,
    TERM,
    THRUST,
    TOUCH,
    VEL,
    VELOCITY,
)

SWARM_WEIGHTS = (1.0, 0.05, 1.0, 1.0, 0.1, 5.0, 5.0, 1.0)
"""Of distance, effort, floor, orientation, spin, drone contact, obstacle contact, proximity."""
HOVER_WEIGHTS = (5.0, 5.0, 0.01, 0.01)
"""First weights of position, attitude, velocity and action."""
_DT = 0.005
_PROXIMITY_FREE, _PROXIMITY_OBSTACLES = 10.0, 4.0


@jit
def swarm_terms(t: Table, weights: Table, a: int, drones: int, first: int, obstacles: bool) -> float:
    """Write the published swarm terms of one drone and return their sum."""
    u0, u1, u2, u3 = t[COMMAND, a], t[COMMAND + 1, a], t[COMMAND + 2, a], t[COMMAND + 3, a]
    spin = math.sqrt(t[RATE, a] ** 2 + t[RATE + 1, a] ** 2 + t[RATE + 2, a] ** 2)
    down = t[TOUCH + FLOOR, a] > 0.0
    upright = -1.0 if down else 1.0 - 2.0 * (t[QUAT + 1, a] ** 2 + t[QUAT + 2, a] ** 2)
    t[TERM, a] = -_DT * weights[0] * t[DISTANCE, a]
    t[TERM + 1, a] = -_DT * weights[1] * math.sqrt(u0 * u0 + u1 * u1 + u2 * u2 + u3 * u3)
    t[TERM + 2, a] = -_DT * weights[2] if down else 0.0
    t[TERM + 3, a] = _DT * weights[3] * upright
    t[TERM + 4, a] = -_DT * weights[4] * spin
    t[TERM + 5, a] = -weights[5] * t[NEW + DRONE, a]
    t[TERM + 6, a] = -weights[6] * t[NEW + OBSTACLE, a]
    reach = 4.0 * t[RADIUS, a]
    near = 0.0
    if t[NEAREST_DRONE, a] < reach:
        near = closeness_to_others(t, a, first, drones, reach)
    scale = _PROXIMITY_OBSTACLES if obstacles else _PROXIMITY_FREE
    t[TERM + 7, a] = -0.01 * weights[7] * scale * near
    total = 0.0
    for k in range(8):
        total += t[TERM + k, a]
    return total


@jit
def closeness_to_others(t: Table, a: int, first: int, drones: int, reach: float) -> float:
    """Sum of 1 - d / reach over the drones within `reach`."""
    total = 0.0
    for b in range(first, first + drones):
        d2 = (t[POS, b] - t[POS, a]) ** 2 + (t[POS + 1, b] - t[POS + 1, a]) ** 2 + (t[POS + 2, b] - t[POS + 2, a]) ** 2
        if b != a and d2 < reach * reach:
            total += 1.0 - math.sqrt(d2) / reach
    return total


@jit
def hover_terms(t: Table, weights: Table, a: int, mode: int, crashed: bool) -> float:
    """r = 2 - (Wp |p|^2 + Wq (1 - qw^2) + Wv |v|^2 + Wa |a - hover|^2) / 2, and 0 at a crash."""
    speed2 = t[VEL, a] ** 2 + t[VEL + 1, a] ** 2 + t[VEL + 2, a] ** 2
    share = math.sqrt(t[HOVER, a]) if mode == SPEED else t[HOVER, a]
    hover = 2.0 * share - 1.0
    off = 0.0
    for k in range(4):
        rest = hover if mode in (THRUST, SPEED) or (k == 0 and mode != VELOCITY) else 0.0
        off += (t[COMMAND + k, a] - rest) ** 2
    cost = (
        weights[8] * t[DISTANCE, a] ** 2
        + weights[9] * (1.0 - t[QUAT, a] ** 2)
        + weights[10] * speed2
        + weights[11] * off
    )
    for k in range(1, 8):
        t[TERM + k, a] = 0.0
    t[TERM, a] = 0.0 if crashed else 2.0 - 0.5 * cost
    return float(t[TERM, a])


@jit
def measure_distance(t: Table, a: int) -> None:
    """Note the distance to the goal after this step's moves."""
    x, y, z = t[GOAL, a] - t[POS, a], t[GOAL + 1, a] - t[POS + 1, a], t[GOAL + 2, a] - t[POS + 2, a]
    t[DISTANCE, a] = math.sqrt(x * x + y * y + z * z)


@jit
def count_step(t: Table, wt: Table, w: int, a: int, reward: float, dt: float) -> None:
    """Add this step to the episode's measures; `STEP` already counts it."""
    step, distance = wt[w, STEP], t[DISTANCE, a]
    t[REWARD_SUM, a] += reward
    t[PATH_M, a] += dt * math.sqrt(t[VEL, a] ** 2 + t[VEL + 1, a] ** 2 + t[VEL + 2, a] ** 2)
    u0, u1, u2, u3 = t[COMMAND, a], t[COMMAND + 1, a], t[COMMAND + 2, a], t[COMMAND + 3, a]
    t[EFFORT_SUM, a] += 0.25 * (abs(u0) + abs(u1) + abs(u2) + abs(u3))
    if 2.0 * step > wt[w, HORIZON]:
        t[CLOSENESS_SUM, a] += 1.0 / (1.0 + distance * distance)
    t[MIN_GAP, a] = min(t[MIN_GAP, a], min(t[OBSTACLE_GAP, a], t[NEAREST_DRONE, a] - 2.0 * t[RADIUS, a]))
    for k in range(4):
        t[HITS + k, a] += t[NEW + k, a]
        if step > GRACE_STEPS:
            t[LATE_HITS + k, a] += t[TOUCH + k, a]
    t[RECENT + int(step) % 5, a] = distance
    if t[REACHED_STEP, a] < 0.0 and step >= 5.0:
        mean = 0.2 * (t[RECENT, a] + t[RECENT + 1, a] + t[RECENT + 2, a] + t[RECENT + 3, a] + t[RECENT + 4, a])
        if mean < REACH_M:
            t[REACHED_STEP, a] = step
    if step > wt[w, HORIZON] - LAST_SECOND:
        t[LAST_STEPS, a] += 1.0
        t[LAST_DISTANCE_SUM, a] += distance
        t[LAST_INSIDE, a] += 1.0 if distance < REACH_M else 0.0
