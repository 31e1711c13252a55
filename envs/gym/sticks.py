"""Draw a MuJoCo world with Pillow from the poses of its bodies: thick lines for capsules, discs for spheres, a ruled floor.

Side view (x right, z up) that follows the body; top view (x right, y up) for a flat arm. It needs no OpenGL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = 400
_SPHERE, _CAPSULE, _CYLINDER, _PLANE = 2, 3, 5, 0


def draw_mujoco(core: Any) -> NDArray[np.uint8]:
    """Draw a `MujocoEnv` as [400, 400, 3] uint8."""
    model, data = core.model, core.data
    moving = [g for g in range(model.ngeom) if model.geom_type[g] != _PLANE]
    poses = np.asarray(data.geom_xpos)[moving]
    flat = bool(np.ptp(poses[:, 2]) < 0.05)
    axes = (0, 1) if flat else (0, 2)
    places = poses[:, axes]
    reach = np.asarray(model.geom_rbound)[moving][:, None]
    low, high = (places - reach).min(axis=0), (places + reach).max(axis=0)
    centre = (low + high) / 2 if flat else places.mean(axis=0)
    span = 1.05 * float((high - low).max()) if flat else 4.0
    image = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(image)
    view = _View(centre=centre, scale=SIZE / span)
    if not flat:
        _draw_floor(draw, view, _floor_height(model, data))
    for geom in moving:
        _draw_geom(draw, view, model, data, geom, axes)
    return np.asarray(image, np.uint8).copy()


class _View:
    def __init__(self, *, centre: NDArray[np.float64], scale: float) -> None:
        self.centre, self.scale = centre, scale

    def pixel(self, point: NDArray[np.float64]) -> tuple[float, float]:
        right, up = (np.asarray(point) - self.centre) * self.scale
        return SIZE / 2 + float(right), SIZE / 2 - float(up)


def _floor_height(model: Any, data: Any) -> float:
    planes = [g for g in range(model.ngeom) if model.geom_type[g] == _PLANE]
    return float(data.geom_xpos[planes[0]][2]) if planes else 0.0


def _draw_floor(draw: ImageDraw.ImageDraw, view: _View, height: float) -> None:
    """Ground line with a tick and a number at every metre, so that frames show distance."""
    left = int(np.floor(view.centre[0] - SIZE / view.scale / 2))
    y = view.pixel(np.array([0.0, height]))[1]
    if not 0 <= y < SIZE:
        return
    draw.rectangle([(0, y), (SIZE, SIZE)], fill="#dfe8df")
    draw.line([(0, y), (SIZE, y)], fill="#405040", width=2)
    for metre in range(left, left + int(SIZE / view.scale) + 2):
        x = view.pixel(np.array([float(metre), height]))[0]
        draw.line([(x, y), (x, y + 8)], fill="#405040", width=2)
        draw.text((x + 3, y + 8), f"{metre} m", fill="#405040")


def _draw_geom(draw: ImageDraw.ImageDraw, view: _View, model: Any, data: Any, geom: int, axes: tuple[int, int]) -> None:
    kind = int(model.geom_type[geom])
    position = np.asarray(data.geom_xpos[geom])
    radius = float(model.geom_size[geom][0])
    rotation = np.asarray(data.geom_xmat[geom]).reshape(3, 3)
    half = float(model.geom_size[geom][1]) if kind in (_CAPSULE, _CYLINDER) else 0.0
    ends = [position + sign * half * rotation[:, 2] for sign in (-1.0, 1.0)]
    pixels = [view.pixel(end[list(axes)]) for end in ends]
    thick = max(3.0, radius * view.scale)
    red, green, blue = (int(255 * float(c)) for c in model.geom_rgba[geom][:3])
    colour = (red, green, blue)
    draw.line(pixels, fill=colour, width=int(2 * thick))
    for x, y in pixels:
        draw.ellipse([(x - thick, y - thick), (x + thick, y + thick)], fill=colour, outline="#303030")
