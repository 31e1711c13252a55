# ruff: noqa
# mypy: ignore-errors
import numpy as np

SPEED_WEIGHT = 1.5
TARGET = 2.0
JOINT_WEIGHTS = np.array([1.0, 0.5, 0.25])


def tolerance(x, target, width):
    """Gaussian bump around the target."""
    return np.exp(-0.5 * ((x - target) / width) ** 2)


def _smoothness(action):
    return -np.mean(action**2, axis=-1)


def compute_reward(state, action, next_state):
    speed = SPEED_WEIGHT * tolerance(next_state["velocity"], TARGET, 0.7)
    joints = -0.1 * (np.abs(next_state["joints"]) @ JOINT_WEIGHTS)
    smooth = 0.05 * _smoothness(action)
    return speed + joints + smooth, {"speed": speed, "joints": joints, "smooth": smooth}
