"""Frames of a walker, drawn with Pillow: no window, no pygame. The camera follows the hull."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from envs.walker.lidar import RANGE_M
from envs.walker.terrain import BASE_M, FINISH_M, STEP_M, Ground
from envs.walker.walker import Walker
from envs.walker.world import RAW

WIDTH, HEIGHT = 480, 320
PIXELS_PER_M = 36.0
_SKY, _EARTH, _GRASS, _RAY = (215, 225, 250), (120, 160, 92), (70, 120, 60), (225, 60, 50)
_FILLS = [(127, 51, 229), (178, 101, 152), (178, 101, 152), (128, 51, 102), (128, 51, 102)]
"""Colours of hull, upper and lower leg 1 (lighter), upper and lower leg 2 (darker), in the order of the outlines."""
_BACK_TO_FRONT = (3, 4, 0, 1, 2)
_CAMERA_X, _BELOW_M = 0.3, 2.6
"""Where the hull stands as a fraction of the frame's width; metres of earth below the start pad's height."""

Point = tuple[float, float]


def draw_frame(
    ground: Ground, outlines: Sequence[Sequence[Point]], hull: Point, rays: Sequence[float]
) -> NDArray[np.uint8]:
    """Draw one walker: `outlines` as `World.outlines` gives them, `hull` centre in metres, `rays` [10] lidar fractions.

    Returns an RGB frame [320, 480, 3].
    """
    image = Image.new("RGB", (WIDTH, HEIGHT), _SKY)
    pen = ImageDraw.Draw(image)
    camera = _Camera(hull)
    _draw_ground(pen, camera, ground)
    for x, colour in ((STEP_M * 3, (230, 51, 0)), (FINISH_M, (20, 140, 60))):
        _draw_flag(pen, camera, ground, x, colour)
    _draw_rays(pen, camera, hull, rays)
    for part in _BACK_TO_FRONT:
        pen.polygon([camera(point) for point in outlines[part]], fill=_FILLS[part], outline=(50, 30, 70))
    return np.asarray(image).copy()


def draw_walker(walker: Walker, rays: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw `walker` where it stands; `rays` [10] are its lidar fractions."""
    x, y = walker.row[RAW.index("x")], walker.row[RAW.index("y")]
    return draw_frame(walker.ground, walker.world.outlines(), (x, y), rays.tolist())


class _Camera:
    """Maps metres to pixels; climbs with the hull only when it would leave the frame."""

    def __init__(self, hull: Point) -> None:
        self.left = hull[0] - _CAMERA_X * WIDTH / PIXELS_PER_M
        drift = hull[1] - (BASE_M + 2.0)
        self.bottom = BASE_M - _BELOW_M + math.copysign(max(0.0, abs(drift) - 2.0), drift)
        self.right = self.left + WIDTH / PIXELS_PER_M

    def __call__(self, point: Point) -> Point:
        return (point[0] - self.left) * PIXELS_PER_M, HEIGHT - (point[1] - self.bottom) * PIXELS_PER_M


def _draw_ground(pen: ImageDraw.ImageDraw, camera: _Camera, ground: Ground) -> None:
    first = max(0, bisect_left(ground.x, camera.left) - 1)
    last = min(len(ground.x), bisect_right(ground.x, camera.right) + 1)
    surface = [camera(point) for point in zip(ground.x[first:last], ground.y[first:last], strict=True)]
    pen.polygon([*surface, (surface[-1][0], HEIGHT + 1.0), (surface[0][0], HEIGHT + 1.0)], fill=_EARTH)
    pen.line(surface, fill=_GRASS, width=3)


def _draw_flag(
    pen: ImageDraw.ImageDraw, camera: _Camera, ground: Ground, x: float, colour: tuple[int, int, int]
) -> None:
    if not camera.left < x < camera.right:
        return
    foot, top = camera((x, y := float(np.interp(x, ground.x, ground.y)))), camera((x, y + 1.7))
    pen.line([foot, top], fill=(40, 40, 40), width=2)
    pen.polygon([top, (top[0] + 18, top[1] + 6), (top[0], top[1] + 12)], fill=colour)


def _draw_rays(pen: ImageDraw.ImageDraw, camera: _Camera, hull: Point, rays: Sequence[float]) -> None:
    for index, fraction in enumerate(rays):
        angle, reach = 0.15 * index, float(fraction) * RANGE_M
        tip = (hull[0] + math.sin(angle) * reach, hull[1] - math.cos(angle) * reach)
        pen.line([camera(hull), camera(tip)], fill=_RAY)
