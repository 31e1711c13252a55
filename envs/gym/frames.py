"""RGB frames without a display: Gymnasium's own picture where it can draw, a plain one by us where it cannot."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from envs.gym.sticks import draw_mujoco

logger = logging.getLogger(__name__)


def render_world(env: gymnasium.Env[Any, Any], state: Mapping[str, float] | None = None) -> NDArray[np.uint8]:
    """Draw one Gymnasium world as [height, width, 3] uint8.

    MuJoCo worlds are drawn as sticks by us (2 ms a frame) unless the environment variable MUJOCO_GL asks for its own
    renderer (software EGL takes 140 ms a frame). A world that cannot draw itself gets a bar chart of `state`.
    """
    core = env.unwrapped
    if hasattr(core, "mujoco_renderer") and not os.environ.get("MUJOCO_GL"):
        return draw_mujoco(core)
    try:
        return _own_picture(env)
    except Exception as error:  # whatever a third-party renderer raises: a frame must come all the same
        logger.debug("own renderer failed, drawing a plain picture instead: %s", error)
    return draw_mujoco(core) if hasattr(core, "mujoco_renderer") else draw_bars(state or {})


def draw_bars(state: Mapping[str, float], size: tuple[int, int] = (480, 320)) -> NDArray[np.uint8]:
    """Bar chart of named numbers, the last resort; each bar is tanh of its value around the middle line."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    middle = size[0] * 2 // 3
    draw.line([(middle, 0), (middle, size[1])], fill="black")
    height = max(12, size[1] // max(1, min(24, len(state))))
    for row, (name, value) in enumerate(list(state.items())[:24]):
        end = middle + float(np.tanh(value)) * size[0] / 3
        draw.rectangle(
            [(min(middle, end), row * height + 2), (max(middle, end), (row + 1) * height - 2)], fill="#4878a8"
        )
        draw.text((4, row * height), f"{name[:32]} {value:.3g}", fill="black")
    return np.asarray(image, np.uint8).copy()


def _own_picture(env: gymnasium.Env[Any, Any]) -> NDArray[np.uint8]:
    """Switch the world to rgb_array for one frame: worlds step faster while nothing asks them to draw."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    core: Any = env.unwrapped
    before = core.render_mode
    core.render_mode = "rgb_array"
    try:
        frame = np.asarray(core.render(), np.uint8)
    finally:
        core.render_mode = before
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"not an RGB frame: {frame.shape}")
    return frame.copy()
