from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from envs.walker.terrain import BASE_M, FINISH_M, LENGTH, START_PAD, STEP_M, Ground, WalkerParams, make_ground


def draw(seed: int = 0, **params: float) -> Ground:
    return make_ground(WalkerParams.model_validate(params), np.random.default_rng(seed))


def walls(ground: Ground) -> list[tuple[float, float]]:
    """Every vertical wall as (x in terrain steps, rise in terrain steps)."""
    corners = zip(ground.x[:-1], ground.y[:-1], ground.x[1:], ground.y[1:], strict=True)
    return [(x0 / STEP_M, (y1 - y0) / STEP_M) for x0, y0, x1, y1 in corners if x1 - x0 < 1e-9]


ALL = [
    {},
    {"roughness": 10},
    {"stump_height": 3, "stump_spacing": 0},
    {"pit_gap": 10},
    {"pit_gap": 0.01},
    {"stair_height": 5, "stair_steps": 9},
    {"stump_height": 1, "pit_gap": 3, "stair_height": 1, "roughness": 2},
]


@pytest.mark.parametrize("params", ALL)
@pytest.mark.parametrize("seed", [0, 1])
def test_ground_runs_from_pad_to_end(params: dict[str, float], seed: int) -> None:
    ground = draw(seed, **params)
    x, y = np.array(ground.x), np.array(ground.y)
    assert x[0] == 0
    assert x[-1] == pytest.approx((LENGTH - 1) * STEP_M)
    assert (np.diff(x) >= 0).all()
    assert (np.hypot(np.diff(x), np.diff(y)) > 1e-3).all()  # Box2D refuses edges without length
    assert (y[x < START_PAD * STEP_M - 1e-6] == BASE_M).all()
    assert all(at * STEP_M < FINISH_M for at, _ in walls(ground))


def test_plain_ground_is_gentle_and_has_no_walls() -> None:
    ground = draw()
    assert len(ground.x) == LENGTH
    assert walls(ground) == []
    assert np.abs(np.diff(ground.y)).max() < 0.2


def test_stumps_have_the_asked_height_and_spacing() -> None:
    found = walls(draw(stump_height=1.5, stump_spacing=3.5))
    ups, downs = found[::2], found[1::2]
    heights = [rise for _, rise in ups]
    assert len(heights) == 38  # one every 1 + 3.5 steps from 20 on, the last to end by 188: 20 + 37 * 4.5 + 1 = 187.5
    assert np.mean(heights) == pytest.approx(1.5, abs=0.06)
    assert 0.05 < np.std(heights) < 0.2
    assert all(down[0] - up[0] == pytest.approx(1.0) for up, down in zip(ups, downs, strict=True))
    assert all(later[0] - down[0] == pytest.approx(3.5) for down, later in zip(downs[:-1], ups[1:], strict=True))


def test_stumps_never_vanish() -> None:
    assert min(rise for _, rise in walls(draw(stump_height=0.01))[::2]) == pytest.approx(0.05)


def test_pits_have_the_asked_width_and_are_four_steps_deep() -> None:
    found = walls(draw(pit_gap=2.5))
    assert len(found) >= 20
    assert {round(rise, 6) for _, rise in found} == {-4.0, 4.0}
    assert all(up[0] - down[0] == pytest.approx(2.5) for down, up in zip(found[::2], found[1::2], strict=True))


def test_stairs_come_in_flights() -> None:
    found = walls(draw(stair_height=0.8, stair_steps=4))
    assert len(found) % 4 == 0
    assert {round(abs(rise), 6) for _, rise in found} == {0.8}
    flight = found[:4]
    assert len({math.copysign(1, rise) for _, rise in flight}) == 1
    assert [later[0] - earlier[0] for earlier, later in pairwise(flight)] == pytest.approx([4.0] * 3)


def test_no_stairs_without_steps() -> None:
    assert walls(draw(stair_height=1, stair_steps=0)) == []


def test_roughness_multiplies_the_slopes() -> None:
    plain, rough = (np.abs(np.diff(draw(roughness=value).y)).mean() for value in (0, 4))
    assert 2.5 < rough / plain < 6


def test_kinds_of_obstacle_are_mixed() -> None:
    rises = {round(abs(rise), 3) for _, rise in walls(draw(stump_height=1, pit_gap=3, stair_height=0.5))}
    assert {4.0, 0.5} <= rises
    assert len(rises) > 4  # stumps vary
