"""What drones meet and sense, in torch: distances to cylinders and to each other, observations. The formulas of `contacts.py`, `pairs.py`
and `observe.py` on whole batches. It finds contacts; responses to them are the host's (`torch_swarm.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.quadrotor import layout as at
from envs.quadrotor.contacts import SPACING
from envs.quadrotor.pairs import FAR_M
from envs.quadrotor.torch_physics import Room, rotation

_SIZES = (0.005, 0.01, 1.75e-4)
"""Published standard deviations of the sensors: m, m/s, rad/s."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """All ordered pairs of drones of one room, [worlds, observer, partner]; infinite to itself."""

    distance2: Tensor
    key: Tensor
    """Distance plus the rate of its change, to a micrometre, with the partner's place in the last seven bits."""
    tight: Tensor
    """[worlds, observer] whether it touches another drone."""


def probe_grids(t: Tensor, room: Room, obstacles: Tensor, most: int, drones: int) -> Tensor:
    """Squared distances [9, n] from the grid's points to the nearest of a room's first `most` axes [worlds, 2, places]."""
    far = (FAR_M + room[at.OBSTACLE_RADIUS]) ** 2
    if most == 0:
        return far.expand(9, -1).clone()
    x = t[at.POS].view(-1, drones, 1) - obstacles[:, 0:1, :most]
    y = t[at.POS + 1].view(-1, drones, 1) - obstacles[:, 1:2, :most]
    offsets = (-SPACING, 0.0, SPACING)
    points = [((x + dx) ** 2 + (y + dy) ** 2).amin(dim=2).reshape(-1) for dx in offsets for dy in offsets]
    return torch.minimum(torch.stack(points), far)


def meet(t: Tensor, drones: int) -> Pairs:
    """Distances, ranks and contacts of all pairs."""
    worlds = t.shape[1] // drones
    p, v = (t[row : row + 3].reshape(3, worlds, drones) for row in (at.POS, at.VEL))
    radius = t[at.RADIUS].view(worlds, drones)
    apart, closing = p[:, :, None, :] - p[:, :, :, None], v[:, :, None, :] - v[:, :, :, None]
    itself = torch.eye(drones, dtype=torch.bool, device=t.device)
    d2 = ((apart * apart).sum(0) + 1e-18).masked_fill(itself, torch.inf)
    d = torch.sqrt(d2)
    key = (d + (apart * closing).sum(0) / d).double()
    place = torch.arange(drones, device=t.device)
    key = torch.floor((key + 128.0) * 1048576.0) * 128.0 + place
    both = radius[:, None, :] + radius[:, :, None]
    tight = (both * both > d2).any(dim=2)
    return Pairs(distance2=d2, key=key.masked_fill(itself, torch.inf), tight=tight)


def observe(t: Tensor, room: Room, grid2: Tensor, seen: Tensor, noise: Tensor, past: Tensor) -> Tensor:
    """Observations [n, d]; `noise` [9, n] standard normal for position, velocity and rates, `seen` [6 K, n], `past` [4 h, n] actions."""
    scale = room[at.NOISE]
    off, blur, twist = (scale * size * noise[3 * k : 3 * k + 3] for k, size in enumerate(_SIZES))
    position, velocity = t[at.POS : at.VEL], t[at.VEL : at.QUAT]
    own = [t[at.GOAL : at.GOAL + 3] - position - off, velocity + blur, rotation(t[at.QUAT : at.RATE])]
    own += [t[at.RATE : at.ROTOR] + twist, (position[2] + off[2])[None]]
    grid = torch.sqrt(grid2) - room[at.OBSTACLE_RADIUS]
    return torch.cat([*own, seen, grid, past]).T


def see_neighbours(t: Tensor, pairs: Pairs | None, neighbours: int) -> Tensor:
    """Relative position and velocity of the nearest in order [6 K, n]; 10 m off on each axis where there is no K-th."""
    n = t.shape[1]
    nobody = torch.cat([t.new_full((3, n), FAR_M), t.new_zeros((3, n))])
    found = 0 if pairs is None else min(neighbours, pairs.key.shape[2] - 1)
    parts = []
    if pairs is not None and found:
        worlds, drones, _ = pairs.key.shape
        best = torch.topk(pairs.key, found, dim=2, largest=False, sorted=True).values.long() & 127
        first = torch.arange(worlds, device=t.device)[:, None] * drones
        for nth in range(found):
            other = (first + best[:, :, nth]).reshape(-1)
            apart = (t[at.POS : at.VEL, other] - t[at.POS : at.VEL]).clamp(-FAR_M, FAR_M)
            parts += [apart, t[at.VEL : at.QUAT, other] - t[at.VEL : at.QUAT]]
    return torch.cat([t.new_zeros((0, n)), *parts, *[nobody] * (neighbours - found)])
