"""Our rays against Box2D's own, on every kind of ground."""

from __future__ import annotations

import math
import platform
from typing import Any

import numpy as np
import pytest
from Box2D import b2RayCastCallback

from envs.walker.lidar import RANGE_M, RAYS, Lidar
from envs.walker.terrain import BASE_M, FINISH_M, Ground, WalkerParams, make_ground
from envs.walker.world import World

TOLERANCE = 0.0 if platform.machine().lower() in ("x86_64", "amd64") else 5e-6
GROUNDS: list[dict[str, float]] = [
    {},
    {"roughness": 10},
    {"stump_height": 0.7, "stump_spacing": 0},
    {"pit_gap": 4, "stair_height": 1, "stump_height": 2},
]


class Nearest(b2RayCastCallback):  # type: ignore[misc]  # Box2D has no types
    fraction = 1.0

    def ReportFixture(self, fixture: Any, point: Any, normal: Any, fraction: float) -> float:
        if not fixture.filterData.categoryBits & 1:
            return -1
        self.fraction = fraction
        return fraction


def cast_by_box2d(world: World, x: float, y: float) -> list[float]:
    fractions = []
    for ray in range(RAYS):
        nearest, angle = Nearest(), 1.5 * ray / 10.0
        tip = (x + math.sin(angle) * RANGE_M, y - math.cos(angle) * RANGE_M)
        world._world.RayCast(nearest, (x, y), tip)
        fractions.append(nearest.fraction)
    return fractions


def surface(ground: Ground, x: float) -> float:
    return max(y for at, y in zip(ground.x, ground.y, strict=True) if abs(at - x) < 2)


@pytest.mark.parametrize("params", GROUNDS)
def test_rays_are_box2ds(params: dict[str, float]) -> None:
    rng = np.random.default_rng(3)
    grounds = [make_ground(WalkerParams.model_validate(params), rng) for _ in range(2)]
    worlds, lidar = [World(), World()], Lidar(2)
    for slot, (world, ground) in enumerate(zip(worlds, grounds, strict=True)):
        world.build(ground, 0.0)
        lidar.load(slot, ground)
    for _ in range(150):
        x = rng.uniform(4.0, FINISH_M, 2).astype(np.float32).astype(np.float64)
        y = np.array([surface(ground, at) for ground, at in zip(grounds, x, strict=True)]) + rng.uniform(0.3, 3, 2)
        y = y.astype(np.float32).astype(np.float64)
        theirs = np.array([cast_by_box2d(*row) for row in zip(worlds, x.tolist(), y.tolist(), strict=True)])
        assert np.abs(lidar.cast(np.array((x, y))) - theirs).max() <= TOLERANCE


def test_flat_start_pad_by_hand() -> None:
    lidar = Lidar(1)
    lidar.load(0, make_ground(WalkerParams(), np.random.default_rng(0)))
    fractions = lidar.cast(np.array([[1.0], [BASE_M + 2.0]]))[0]
    # a ray at angle a from straight down meets the flat pad after 2 / cos(a) metres of its 5.33
    expected = [min(1.0, 2.0 / math.cos(0.15 * ray) / (160 / 30)) for ray in range(RAYS)]
    assert fractions == pytest.approx(expected, abs=1e-5)


def test_nothing_is_hit_beyond_the_ends() -> None:
    lidar = Lidar(1)
    lidar.load(0, make_ground(WalkerParams(), np.random.default_rng(0)))
    assert (lidar.cast(np.array([[500.0], [10.0]])) == 1).all()
    assert lidar.cast(np.array([[-0.5], [BASE_M + 2.0]]))[0, 0] == 1
