"""Rewards, measures and ends of all drones at once in torch: the formulas of `reward.py` on rows [k, agents]."""

from __future__ import annotations

import torch
from torch import Tensor

from envs.quadrotor import layout as at
from envs.quadrotor.torch_physics import Room

_DT = 0.005
_FREE, _CROWDED = 10.0, 4.0
"""Scale of the proximity term without and with obstacles (published)."""


def find_crashes(t: Tensor, room: Room) -> None:
    """CRASHED: off the leash on any axis or, where contacts terminate, touching anything."""
    off = (t[at.POS : at.VEL] - t[at.GOAL : at.GOAL + 3]).abs().amax(0) > room[at.LEASH]
    hit = (room[at.TERMINATE] > 0) & (t[at.TOUCH : at.TOUCH + 4] > 0).any(0)
    t[at.CRASHED] = (off | hit).to(t.dtype)


def pay(t: Tensor, room: Room, weights: Tensor, nearness: Tensor) -> Tensor:
    """Write DISTANCE and the native reward's terms; return their sum [n]. CRASHED is already set."""
    distance2 = ((t[at.GOAL : at.GOAL + 3] - t[at.POS : at.VEL]) ** 2).sum(0)
    t[at.DISTANCE] = torch.sqrt(distance2)
    hovers = room[at.GOAL_KIND] == at.HOVER_AT
    terms = torch.where(hovers, 0.0, swarm_terms(t, room, weights, nearness))
    terms[0] = torch.where(hovers, hover_reward(t, room, weights, distance2), terms[0])
    t[at.TERM : at.TERM + 8] = terms
    return terms.sum(0)


def swarm_terms(t: Tensor, room: Room, weights: Tensor, nearness: Tensor) -> Tensor:
    """The published swarm terms [8, n]."""
    u, r = t[at.COMMAND : at.COMMAND + 4], t[at.RATE : at.ROTOR]
    down = t[at.TOUCH + at.FLOOR]
    level = 1.0 - 2.0 * (t[at.QUAT + 1] ** 2 + t[at.QUAT + 2] ** 2)
    scale = torch.where(room[at.OBSTACLES] > 0, _CROWDED, _FREE)
    parts = [
        -_DT * t[at.DISTANCE],
        -_DT * torch.sqrt((u * u).sum(0)),
        -_DT * down,
        _DT * (level - down * (1.0 + level)),
        -_DT * torch.sqrt((r * r).sum(0)),
        -t[at.NEW + at.DRONE],
        -t[at.NEW + at.OBSTACLE],
        -0.01 * scale * nearness,
    ]
    return weights[:8, None] * torch.stack(parts)


def hover_reward(t: Tensor, room: Room, weights: Tensor, distance2: Tensor) -> Tensor:
    """r = 2 - (Wp |p|^2 + Wq (1 - qw^2) + Wv |v|^2 + Wa |a - hover|^2) / 2, and 0 at a crash."""
    mode, share = room[at.ACTION_MODE], t[at.HOVER]
    hover = 2.0 * torch.where(mode == at.SPEED, torch.sqrt(share), share) - 1.0
    first, rest = torch.where(mode == at.VELOCITY, 0.0, hover), torch.where(mode <= at.SPEED, hover, 0.0)
    u = t[at.COMMAND : at.COMMAND + 4]
    off = (u[0] - first) ** 2 + ((u[1:] - rest) ** 2).sum(0)
    tilted, speed2 = 1.0 - t[at.QUAT] ** 2, (t[at.VEL : at.QUAT] ** 2).sum(0)
    cost = weights[8] * distance2 + weights[9] * tilted + weights[10] * speed2 + weights[11] * off
    return (2.0 - 0.5 * cost) * (1.0 - t[at.CRASHED])


def count_step(t: Tensor, room: Room, paid: Tensor) -> None:
    """Add this step to the episodes' measures; the room's STEP already counts it."""
    step, horizon, distance = room[at.STEP], room[at.HORIZON], t[at.DISTANCE]
    t[at.REWARD_SUM] += paid
    t[at.PATH_M] += at.CONTROL_S * torch.sqrt((t[at.VEL : at.QUAT] ** 2).sum(0))
    t[at.EFFORT_SUM] += t[at.COMMAND : at.COMMAND + 4].abs().mean(0)
    t[at.CLOSENESS_SUM] += torch.where(2.0 * step > horizon, 1.0 / (1.0 + distance * distance), 0.0)
    apart = t[at.NEAREST_DRONE] - 2.0 * t[at.RADIUS]
    t[at.MIN_GAP] = torch.minimum(t[at.MIN_GAP], torch.minimum(t[at.OBSTACLE_GAP], apart))
    t[at.HITS : at.HITS + 4] += t[at.NEW : at.NEW + 4]
    t[at.LATE_HITS : at.LATE_HITS + 4] += torch.where(step > at.GRACE_STEPS, t[at.TOUCH : at.TOUCH + 4], 0.0)
    t[at.RECENT : at.RECENT + 5] = torch.cat([t[at.RECENT + 1 : at.RECENT + 5], distance[None]])
    near = t[at.RECENT : at.RECENT + 5].mean(0) < at.REACH_M
    first = (t[at.REACHED_STEP] < 0.0) & (step >= 5.0) & near
    t[at.REACHED_STEP] = torch.where(first, step, t[at.REACHED_STEP])
    last = (step > horizon - at.LAST_SECOND).to(t.dtype)
    t[at.LAST_STEPS] += last
    t[at.LAST_DISTANCE_SUM] += last * distance
    t[at.LAST_INSIDE] += torch.where(distance < at.REACH_M, last, 0.0)
