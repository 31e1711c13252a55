# ruff: noqa
# mypy: ignore-errors
from __future__ import annotations

import math
from typing import Dict, Tuple

import numpy as np


def compute_reward(
    state: Dict[str, np.ndarray], action: np.ndarray, next_state: Dict[str, np.ndarray]
) -> Tuple[np.ndarray, Dict[str, np.ndarray]]:
    """Reward speed, punish tilt.

    Args:
        state: named state before the action, and so on for a long docstring that goes beyond any limit on the length of text
            constants, because models love to explain at great length what everybody can read in the code below anyway.
    """
    speed: np.ndarray = next_state["velocity"]
    tilt_penalty: np.ndarray = -0.5 * np.abs(next_state["angle"]) / math.pi
    reward = speed + tilt_penalty
    return reward, {"speed": speed, "tilt": tilt_penalty}
