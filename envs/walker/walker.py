"""One walker over its episodes: world, native reward, tallies, outcome. Plain floats; what is batched lives elsewhere."""

from __future__ import annotations

import numpy as np

from envs.family import EpisodeOutcome
from envs.walker.terrain import CLOUD_DRAWS, FINISH_M, SCALE, START_M, Ground, WalkerParams, make_ground
from envs.walker.world import FPS, RAW, TORQUE, World

JOINTS = 4
INITIAL_PUSH = 5.0
"""Largest horizontal force in newtons on the hull in the first step."""
FALL_REWARD = -100.0
EFFORT_PRICE = JOINTS * 0.00035 * TORQUE
"""Native price of a step at full effort."""
_ANGLE, _X, _DOWN = (RAW.index(name) for name in ("angle", "x", "down"))


class Walker:
    """A walker that begins episodes and advances through them. A new `Walker` carries no history."""

    def __init__(self) -> None:
        self.world = World()

    def begin(self, params: WalkerParams, rng: np.random.Generator) -> None:
        """Draw a ground for `params`, put the walker on it and let it settle for one step, as Gymnasium does."""
        self.params = params
        self.ground: Ground = make_ground(params, rng)
        rng.random(CLOUD_DRAWS)
        self.world.build(self.ground, float(rng.uniform(-INITIAL_PUSH, INITIAL_PUSH)))
        self._potential = self.native_return = self._efforts = 0.0
        self.advance([0.0] * JOINTS)
        self.length, self.native_return = 0, 0.0

    length = 0
    """Control steps of the episode so far."""

    def advance(self, action: list[float]) -> float:
        """Advance by 1/50 s; return the native reward. Sets `row` (see `RAW`), `effort`, `fell` and `arrived`.

        The reward is Gymnasium's: gain in 130/30 per metre less 5 per radian of tilt, less the price of effort; -100 for a fall.
        """
        self.world.advance(action)
        self.row = self.world.read()
        x = self.row[_X]
        self.fell = self.row[_DOWN] > 0 or x < 0
        self.arrived = x > FINISH_M
        self.effort = sum(map(abs, action)) / JOINTS
        potential = 130 * x / SCALE - 5.0 * abs(self.row[_ANGLE])
        reward = FALL_REWARD if self.fell else potential - self._potential - EFFORT_PRICE * self.effort
        self._potential = potential
        self.length += 1
        self.native_return += reward
        self._efforts += self.effort
        return reward

    def outcome(self, slot: int) -> EpisodeOutcome:
        """Close the episode by ground truth."""
        effort = self._efforts / self.length
        distance = self.row[_X] - START_M
        progress = min(1.0, max(0.0, distance / (FINISH_M - START_M)))
        return EpisodeOutcome(
            slot=slot,
            params=self.params.model_dump(),
            fitness=progress - 0.2 * effort,
            success=self.arrived and not self.fell,
            native_return=self.native_return,
            length=self.length,
            extras={
                "distance_m": distance,
                "effort": effort,
                "mean_speed": distance / self.length * FPS,
                "fell": float(self.fell),
            },
        )
