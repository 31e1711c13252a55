"""Drive worlds with random actions and compare what they return: the tools of `testing.py`. It checks nothing by itself."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, Family, StepBatch
from envs.task import TaskSpec


def same_steps(one: StepBatch, two: StepBatch) -> bool:
    """Whether two steps agree bit by bit, outcomes included."""
    arrays = ("observation", "reward", "terminated", "truncated", "final_observation")
    agree = all(equal(getattr(one, name), getattr(two, name)) for name in arrays)
    states = list(one.next_state) == list(two.next_state)
    states = states and all(equal(one.next_state[name], two.next_state[name]) for name in one.next_state)
    return agree and states and one.outcomes == two.outcomes


def equal(one: NDArray[np.generic], two: NDArray[np.generic]) -> bool:
    """Whether two arrays agree in shape and in every value."""
    return bool(np.array_equal(one, two))


class opened:
    """Context: a batch that is closed at the end, twice, since closing twice must be harmless."""

    def __init__(self, family: Family, task: TaskSpec, n: int) -> None:
        self.env = family.make_vec(task, n)

    def __enter__(self) -> BatchEnv:
        return self.env

    def __exit__(self, *exc: object) -> None:
        self.env.close()
        self.env.close()


def roll(env: BatchEnv, *, seed: int, steps: int, extreme: bool = False) -> Iterator[StepBatch]:
    """Reset and step with random actions; `extreme` holds bang-bang actions for ten steps at a time."""
    rng = np.random.default_rng(seed)
    env.reset(seed)
    actions = random_actions(env, rng)
    for index in range(steps):
        if not extreme or index % 10 == 0:
            actions = random_actions(env, rng, ends_only=extreme)
        yield env.step(actions)


def random_actions(env: BatchEnv, rng: np.random.Generator, *, ends_only: bool = False) -> NDArray[np.generic]:
    """Draw actions for all worlds: uniform, or only the two ends of every range."""
    space = env.action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        return rng.integers(int(space.n), size=env.num_envs)
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = np.maximum(space.low, -10.0), np.minimum(space.high, 10.0)
    drawn = rng.uniform(low, high, (env.num_envs, *space.shape))
    return np.where(drawn > (low + high) / 2, high, low).astype(np.float32) if ends_only else drawn.astype(np.float32)


def extreme_actions(env: BatchEnv) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return actions at the upper end of the space, and beyond it."""
    space = env.action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        last = int(space.n) - 1
        return np.full(env.num_envs, last), np.full(env.num_envs, last + 5)
    assert isinstance(space, gymnasium.spaces.Box)
    high = np.broadcast_to(np.minimum(space.high, 10.0), (env.num_envs, *space.shape)).astype(np.float32)
    return high, np.where(np.isfinite(space.high), high + 5.0, high).astype(np.float32)
