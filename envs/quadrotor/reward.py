"""The native rewards, term by term, and the measures of a running episode. Neither ever changes the physics.

Swarm tasks use the published terms of quad-swarm-rl (arXiv 2309.13285): weights times 0.005 s a control step, -5 for each new contact,
and a proximity term below four arms. Hover uses the quadratic reward of Learning to Fly in Seconds (arXiv 2311.13081) with its first
weights, all of it in the term `distance`. Collision weights are final values; a ramp is the trainer's business.
"""

from __future__ import annotations

import math

from envs.quadrotor.blocks import use_wide_vectors
from envs.quadrotor.dynamics import four, three
from envs.quadrotor.jit import jit
from envs.quadrotor.lanes import (
    BLOCK,
    CROWDED,
    ENDS,
    HOVERING,
    LAST_STEP,
    MODE,
    NEARNESS,
    NOW,
    PAID,
    REACH_OUT,
    WIDTH,
    Lanes,
    Table,
)
from envs.quadrotor.layout import (
    CLOSENESS_SUM,
    COMMAND,
    CRASHED,
    DISTANCE,
    DRONE,
    EFFORT_SUM,
    FLOOR,
    GOAL,
    GRACE_STEPS,
    HITS,
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
    TERM,
    TOUCH,
    VEL,
    VELOCITY,
)

Terms = tuple[float, float, float, float, float, float, float, float]
Weights = tuple[float, float, float, float, float, float, float, float, float, float, float, float]
SWARM_WEIGHTS = (1.0, 0.05, 1.0, 1.0, 0.1, 5.0, 5.0, 1.0)
"""Of distance, effort, floor, orientation, spin, drone contact, obstacle contact, proximity."""
HOVER_WEIGHTS = (5.0, 5.0, 0.01, 0.01)
"""First weights of position, attitude, velocity and action."""
_DT = 0.005
_PROXIMITY_FREE, _PROXIMITY_OBSTACLES = 10.0, 4.0


@jit
def pay(s: Lanes, weights: Table, blocks: int, hovering: bool) -> None:
    """Write DISTANCE and the native reward's terms of all lanes; PAID holds their sum. CRASHED is already set.

    `hovering` tells whether a lane's task is to hover.
    """
    pay_swarm(s, spread(weights), blocks)
    if hovering:
        pay_hover(s, spread(weights), blocks)


@jit
def spread(weights: Table) -> Weights:
    """The weights as single numbers: read in a loop that writes, an array would keep the loop from becoming vector code."""
    w = weights
    return w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11]


@jit
def pay_swarm(s: Lanes, weights: Weights, blocks: int) -> None:
    """The rewards of swarm tasks, in all lanes."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            goal, here = three(b, GOAL, i), three(b, POS, i)
            x, y, z = goal[0] - here[0], goal[1] - here[1], goal[2] - here[2]
            b[DISTANCE * WIDTH + i] = math.sqrt(x * x + y * y + z * z)
            total = 0.0
            terms = swarm_terms(b, weights, i)
            for k in range(8):
                b[(TERM + k) * WIDTH + i] = terms[k]
                total += terms[k]
            b[PAID * WIDTH + i] = total


@jit
def pay_hover(s: Lanes, weights: Weights, blocks: int) -> None:
    """Replace the rewards of the lanes whose task is to hover: all of it in the first term."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            hovers, swarms = b[HOVERING * WIDTH + i], 1.0 - b[HOVERING * WIDTH + i]
            for k in range(1, 8):
                b[(TERM + k) * WIDTH + i] *= swarms
            quiet = hover_reward(b, weights, i)
            b[TERM * WIDTH + i] = swarms * b[TERM * WIDTH + i] + hovers * quiet
            b[PAID * WIDTH + i] = swarms * b[PAID * WIDTH + i] + hovers * quiet


@jit
def swarm_terms(s: Lanes, weights: Weights, i: int) -> Terms:
    """The published swarm terms of one lane."""
    u0, u1, u2, u3 = four(s, COMMAND, i)
    rx, ry, rz = three(s, RATE, i)
    down = s[(TOUCH + FLOOR) * WIDTH + i]
    level = 1.0 - 2.0 * (s[(QUAT + 1) * WIDTH + i] ** 2 + s[(QUAT + 2) * WIDTH + i] ** 2)
    scale = _PROXIMITY_FREE + s[CROWDED * WIDTH + i] * (_PROXIMITY_OBSTACLES - _PROXIMITY_FREE)
    return (
        -_DT * weights[0] * s[DISTANCE * WIDTH + i],
        -_DT * weights[1] * math.sqrt(u0 * u0 + u1 * u1 + u2 * u2 + u3 * u3),
        -_DT * weights[2] * down,
        _DT * weights[3] * (level - down * (1.0 + level)),  # on the floor: -1
        -_DT * weights[4] * math.sqrt(rx * rx + ry * ry + rz * rz),
        -weights[5] * s[(NEW + DRONE) * WIDTH + i],
        -weights[6] * s[(NEW + OBSTACLE) * WIDTH + i],
        -0.01 * weights[7] * scale * s[NEARNESS * WIDTH + i],
    )


@jit
def hover_reward(s: Lanes, weights: Weights, i: int) -> float:
    """r = 2 - (Wp |p|^2 + Wq (1 - qw^2) + Wv |v|^2 + Wa |a - hover|^2) / 2, and 0 at a crash."""
    mode, share, distance = s[MODE * WIDTH + i], s[HOVER * WIDTH + i], s[DISTANCE * WIDTH + i]
    vx, vy, vz = three(s, VEL, i)
    root = math.sqrt(share)
    hover = 2.0 * (root if mode == SPEED else share) - 1.0
    first, rest = (0.0 if mode == VELOCITY else hover), (hover if mode <= SPEED else 0.0)
    u0, u1, u2, u3 = four(s, COMMAND, i)
    off = (u0 - first) ** 2 + (u1 - rest) ** 2 + (u2 - rest) ** 2 + (u3 - rest) ** 2
    tilted = 1.0 - s[QUAT * WIDTH + i] ** 2
    speed2 = vx * vx + vy * vy + vz * vz
    cost = weights[8] * distance * distance + weights[9] * tilted + weights[10] * speed2 + weights[11] * off
    return float((2.0 - 0.5 * cost) * (1.0 - s[CRASHED * WIDTH + i]))


@jit
def find_crashes(s: Lanes, blocks: int) -> bool:
    """CRASHED: off the leash on any axis or, where contacts terminate, touching anything; return whether there is one."""
    use_wide_vectors()
    worst = 0.0
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            goal, here, touch = three(b, GOAL, i), three(b, POS, i), four(b, TOUCH, i)
            off = max(max(abs(here[0] - goal[0]), abs(here[1] - goal[1])), abs(here[2] - goal[2]))
            hit = b[ENDS * WIDTH + i] * (touch[0] + touch[1] + touch[2] + touch[3])
            crashed = 1.0 if max(off - b[REACH_OUT * WIDTH + i], hit) > 0.0 else 0.0
            b[CRASHED * WIDTH + i] = crashed
            worst = max(worst, crashed)
    return worst > 0.0


@jit
def count_step(s: Lanes, blocks: int, dt: float) -> None:
    """Add this step to the episodes' measures; NOW already counts it."""
    use_wide_vectors()
    for block in range(blocks):
        b = s[block * BLOCK :]
        for i in range(BLOCK):
            step, distance, horizon = b[NOW * WIDTH + i], b[DISTANCE * WIDTH + i], b[LAST_STEP * WIDTH + i]
            vx, vy, vz = three(b, VEL, i)
            u0, u1, u2, u3 = four(b, COMMAND, i)
            b[REWARD_SUM * WIDTH + i] += b[PAID * WIDTH + i]
            b[PATH_M * WIDTH + i] += dt * math.sqrt(vx * vx + vy * vy + vz * vz)
            b[EFFORT_SUM * WIDTH + i] += 0.25 * (abs(u0) + abs(u1) + abs(u2) + abs(u3))
            near = 1.0 / (1.0 + distance * distance)
            b[CLOSENESS_SUM * WIDTH + i] += near if 2.0 * step > horizon else 0.0
            apart = b[NEAREST_DRONE * WIDTH + i] - 2.0 * b[RADIUS * WIDTH + i]
            b[MIN_GAP * WIDTH + i] = min(b[MIN_GAP * WIDTH + i], min(b[OBSTACLE_GAP * WIDTH + i], apart))
            late = 1.0 if step > GRACE_STEPS else 0.0
            for k in range(4):
                b[(HITS + k) * WIDTH + i] += b[(NEW + k) * WIDTH + i]
                b[(LATE_HITS + k) * WIDTH + i] += late * b[(TOUCH + k) * WIDTH + i]
            reach(b, i, step, distance)
            last = 1.0 if step > horizon - LAST_SECOND else 0.0
            b[LAST_STEPS * WIDTH + i] += last
            b[LAST_DISTANCE_SUM * WIDTH + i] += last * distance
            b[LAST_INSIDE * WIDTH + i] += last if distance < REACH_M else 0.0


@jit
def reach(s: Lanes, i: int, step: float, distance: float) -> None:
    """Keep the five latest distances; note the step at which their mean first lies within the radius."""
    d1, d2, d3, d4 = four(s, RECENT + 1, i)
    for k, value in enumerate((d1, d2, d3, d4, distance)):
        s[(RECENT + k) * WIDTH + i] = value
    mean = 0.2 * (d1 + d2 + d3 + d4 + distance)
    before = s[REACHED_STEP * WIDTH + i]
    first = before < 0.0 and step >= 5.0 and mean < REACH_M
    s[REACHED_STEP * WIDTH + i] = step if first else before
