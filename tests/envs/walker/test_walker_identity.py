"""The walker on plain ground against Gymnasium's BipedalWalker-v3: same numbers, same ends, over several episodes.

Gymnasium reuses its Box2D world, so its trajectories depend on the episodes before; each seed gets a freshly made one.
"""

from __future__ import annotations

import platform
from typing import Any

import gymnasium
import numpy as np
import pytest

from envs.catalog import get_family
from envs.walker.env import WalkerEnv

FUSED = platform.machine().lower() not in ("x86_64", "amd64")
TOLERANCE = 5e-6 if FUSED else 5e-8
"""The issue's bound; lidar rounds differently where the compiler fuses multiplications and additions."""


def make_pair(seed: int) -> tuple[gymnasium.Env[Any, Any], gymnasium.Env[Any, Any], float]:
    family = get_family("walker")
    stock, ours = gymnasium.make("BipedalWalker-v3").unwrapped, family.make(family.resolve_task())
    assert isinstance(ours, WalkerEnv)
    return stock, ours, difference(stock.reset(seed=seed)[0], ours.reset(seed=seed)[0])


def difference(a: Any, b: Any) -> float:
    return float(np.abs(a - b).max())


def compare(seed: int, steps: int, hold: int) -> tuple[float, float, int]:
    """Play `steps` random actions, each held for `hold` steps; give worst difference in observation and reward, and falls."""
    stock, ours, worst = make_pair(seed)
    rng, worst_reward, falls, left = np.random.default_rng(seed), 0.0, 0, 1600
    for step in range(steps):
        if step % hold == 0:
            action = rng.uniform(-1, 1, 4).astype(np.float32)
        theirs, mine = stock.step(action), ours.step(action)
        worst = max(worst, difference(theirs[0], mine[0]))
        worst_reward = max(worst_reward, abs(float(theirs[1]) - float(mine[1])))
        assert theirs[2] == mine[2]
        falls, left = falls + int(mine[2]), left - 1
        if mine[2] or mine[3]:
            assert mine[3] == (left == 0 and not mine[2])
            worst, left = max(worst, difference(stock.reset()[0], ours.reset()[0])), 1600
    return worst, worst_reward, falls


@pytest.mark.parametrize(("seed", "hold", "steps"), [(0, 7, 10_000), (2, 15, 5_000), (1, 1, 2_000)])
def test_random_steps_equal_gymnasium(seed: int, hold: int, steps: int) -> None:
    worst, worst_reward, falls = compare(seed, steps, hold)
    assert worst <= TOLERANCE
    assert worst_reward <= 1e-6  # Gymnasium's own reward is in float32 from the first joint on
    assert hold == 1 or falls > 20  # otherwise no reset was compared


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 30))
def test_many_seeds_equal_gymnasium(seed: int) -> None:
    worst, worst_reward, _ = compare(seed, 10_000, 1 + seed % 20)
    assert worst <= TOLERANCE
    assert worst_reward <= 1e-6


def test_spaces_are_gymnasiums() -> None:
    stock, ours, _ = make_pair(0)
    assert stock.observation_space == ours.observation_space
    assert stock.action_space == ours.action_space


def test_batch_plays_the_same_walker() -> None:
    family = get_family("walker")
    batch = family.make_vec(family.resolve_task(), 3)
    observation = batch.reset(5)
    stocks = [gymnasium.make("BipedalWalker-v3").unwrapped for _ in range(3)]
    for env, stream in zip(stocks, np.random.SeedSequence(5).spawn(3), strict=True):
        env.np_random = np.random.Generator(np.random.PCG64(stream))
    assert difference(np.array([env.reset()[0] for env in stocks]), observation) <= TOLERANCE
    rng = np.random.default_rng(0)
    for step in range(600):
        if step % 10 == 0:
            actions = rng.uniform(-1, 1, (3, 4)).astype(np.float32)
        moved = batch.step(actions)
        theirs = [env.step(action) for env, action in zip(stocks, actions, strict=True)]
        assert difference(np.array([row[0] for row in theirs]), moved.final_observation) <= TOLERANCE
        assert [row[2] for row in theirs] == moved.terminated.tolist()
        restarted = [env.reset()[0] if row[2] else row[0] for env, row in zip(stocks, theirs, strict=True)]
        assert difference(np.array(restarted), moved.observation) <= TOLERANCE
