"""Frames of one room with Pillow, headless: from above and in perspective, with cylinders, goals, trails and contacts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from envs.quadrotor import layout as at
from envs.quadrotor.swarm import Floats, Swarm

PANE = 360
_TRAIL = 80
_SKY, _FLOOR, _LINE, _CYLINDER, _HIT = (240, 243, 248), (226, 230, 236), (170, 176, 186), (150, 158, 170), (220, 30, 30)
_COLOURS = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (188, 189, 34),
    (23, 190, 207),
)
Pixel = tuple[float, float]
Project = Callable[[float, float, float], Pixel]


def draw_room(swarm: Swarm, world: int, trail: list[Floats]) -> NDArray[np.uint8]:
    """Draw one room and append the drones' positions to `trail`; returns RGB [360, 720, 3]."""
    agents = slice(world * swarm.drones, (world + 1) * swarm.drones)
    position = swarm.table[at.POS : at.POS + 3, agents].T.copy()
    trail.append(position)
    del trail[:-_TRAIL]
    image = Image.new("RGB", (2 * PANE, PANE), _SKY)
    left, right = ImageDraw.Draw(image), ImageDraw.Draw(image)
    side = float(swarm.world_table[world, at.ROOM])
    for pen, project in ((left, top_down(side)), (right, perspective(side))):
        _draw_room(pen, project, swarm, world, side)
        _draw_drones(pen, project, swarm, agents, side, trail)
    return np.asarray(image).copy()


def top_down(side: float) -> Project:
    """Project onto the left pane, seen from above: x right, y up."""
    scale = (PANE - 20) / side

    def project(x: float, y: float, z: float) -> Pixel:
        return 0.5 * PANE + scale * x, 0.5 * PANE - scale * y

    return project


def perspective(side: float) -> Project:
    """Project onto the right pane from a camera behind and above the room's -y side."""
    away, up, pitch = 1.55 * side, 1.15 * side, math.radians(33.0)
    focal = 1.15 * PANE
    cos, sin = math.cos(pitch), math.sin(pitch)

    def project(x: float, y: float, z: float) -> Pixel:
        forward, rise = y + away, z - up
        depth, height = forward * cos - rise * sin, forward * sin + rise * cos
        return 1.5 * PANE + focal * x / depth, 0.5 * PANE - focal * height / depth

    return project


def _draw_room(pen: ImageDraw.ImageDraw, project: Project, swarm: Swarm, world: int, side: float) -> None:
    """Floor with its metre grid, and the cylinders from far to near."""
    half = 0.5 * side
    pen.polygon([project(x, y, 0.0) for x, y in ((-half, -half), (half, -half), (half, half), (-half, half))], _FLOOR)
    for index in range(int(side) + 1):
        here = index - half
        pen.line([project(here, -half, 0.0), project(here, half, 0.0)], _LINE)
        pen.line([project(-half, here, 0.0), project(half, here, 0.0)], _LINE)
    count, radius = int(swarm.world_table[world, at.OBSTACLES]), float(swarm.world_table[world, at.OBSTACLE_RADIUS])
    centres = swarm.obstacles[world, :, :count].T.tolist()
    for x, y in sorted(centres, key=lambda centre: -float(centre[1])):
        foot, head = _ring(project, x, y, 0.0, radius), _ring(project, x, y, 0.4 * side, radius)
        pen.polygon([min(foot), max(foot), max(head), min(head)], _CYLINDER)
        pen.polygon(foot, _CYLINDER, _LINE)
        pen.polygon(head, (190, 196, 206), _LINE)


def _ring(project: Project, x: float, y: float, z: float, radius: float) -> list[Pixel]:
    """A level circle as 24 projected points."""
    angles = [math.tau * k / 24 for k in range(24)]
    return [project(x + radius * math.cos(angle), y + radius * math.sin(angle), z) for angle in angles]


def _draw_drones(
    pen: ImageDraw.ImageDraw, project: Project, swarm: Swarm, agents: slice, side: float, trail: list[Floats]
) -> None:
    """Trails, goals (crosses), drones (four arms, a drop line to the floor) and a red ring around a drone in contact."""
    goals = swarm.table[at.GOAL : at.GOAL + 3, agents].T
    touching = swarm.table[at.TOUCH : at.TOUCH + 4, agents].sum(axis=0) > 0
    for index, (x, y, z) in enumerate(trail[-1].tolist()):
        colour = _COLOURS[index % len(_COLOURS)]
        if len(trail) > 1:
            pen.line([project(*place[index].tolist()) for place in trail], colour)
        gx, gy = project(*goals[index].tolist())
        pen.line([(gx - 5, gy - 5), (gx + 5, gy + 5)], colour, 2)
        pen.line([(gx - 5, gy + 5), (gx + 5, gy - 5)], colour, 2)
        pen.line([project(x, y, 0.0), project(x, y, z)], _LINE)
        for ax, ay, az in _arms(swarm.table[at.QUAT : at.QUAT + 4, agents.start + index], 0.018 * side):
            pen.line([project(x - ax, y - ay, z - az), project(x + ax, y + ay, z + az)], colour, 3)
        if touching[index]:
            px, py = project(x, y, z)
            pen.ellipse([px - 9, py - 9, px + 9, py + 9], outline=_HIT, width=3)


def _arms(quaternion: NDArray[np.float64], length: float) -> list[tuple[float, float, float]]:
    """Two crossed arms in the world frame, drawn larger than life."""
    w, x, y, z = quaternion.tolist()
    forward = (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y))
    left = (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x))
    pairs = [(length, length), (length, -length)]
    return [
        (a * forward[0] + b * left[0], a * forward[1] + b * left[1], a * forward[2] + b * left[2]) for a, b in pairs
    ]
