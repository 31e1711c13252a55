"""From raw numbers to what others see: observation and named state. Pure NumPy over a batch of n walkers.

Formulas and units of the observation are those of Gymnasium's BipedalWalker-v3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.family import NamedState
from envs.walker.lidar import RANGE_M
from envs.walker.terrain import BASE_M, FINISH_M, SCALE, START_M
from envs.walker.world import FPS, RAW, SPEED_HIP, SPEED_KNEE

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

OBSERVATION_SIZE = 24
_COLUMN = {name: index for index, name in enumerate(RAW)}
_X, _Y, _DOWN = (_COLUMN[name] for name in ("x", "y", "down"))
CENTRE = slice(_X, _Y + 1)
"""Columns of the hull's centre."""


def observe(raw: Float64, lidar: Float32) -> Float32:
    """Turn `raw` [n, 17] and `lidar` [n, 10] into observations [n, 24] float32."""
    observation = np.empty((len(raw), OBSERVATION_SIZE), dtype=np.float32)
    observation[:, :14] = raw[:, :14] / _UNIT + _SHIFT
    observation[:, 2] = 0.3 * raw[:, 2] * (600 / SCALE) / FPS
    observation[:, 3] = 0.3 * raw[:, 3] * (400 / SCALE) / FPS
    observation[:, 14:] = lidar
    return observation


_UNIT = np.ones(14)
_UNIT[1] = FPS / 2
_UNIT[[5, 10]], _UNIT[[7, 12]] = SPEED_HIP, SPEED_KNEE
_SHIFT = np.zeros(14)
_SHIFT[[6, 11]] = 1.0


def name_state(raw: Float64, lidar: Float32, effort: Float64) -> NamedState:
    """Name the true state in new float64 arrays: [n], lidar [n, 10]. `effort` is the mean |action| of the last step."""
    raw = raw.copy()
    x = raw[:, _X]
    return {
        "hull_x": x - START_M,
        "hull_y": raw[:, _Y] - BASE_M,
        "hull_height": lidar[:, 0].astype(np.float64) * RANGE_M,
        "hull_angle": raw[:, 0],
        "hull_angular_velocity": raw[:, 1],
        "velocity_x": raw[:, 2],
        "velocity_y": raw[:, 3],
        **{name: raw[:, 4 + index] for index, name in enumerate(_LEG_NAMES)},
        "lidar": lidar.astype(np.float64),
        "progress": np.clip((x - START_M) / (FINISH_M - START_M), 0.0, 1.0),
        "effort": effort.copy(),
        "fallen": ((raw[:, _DOWN] > 0) | (x < 0)).astype(np.float64),
    }


_LEG_NAMES = tuple(
    f"leg{leg}_{part}" for leg in (1, 2) for part in ("hip_angle", "hip_speed", "knee_angle", "knee_speed", "contact")
)
