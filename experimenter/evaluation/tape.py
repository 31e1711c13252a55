"""Recorded episodes: every transition that a policy made, with the ground truth of each episode.

A tape is made where no generated code runs. A reward program is then asked, confined, what it would have paid for the tape
(`experimenter.rewards.audit_scores`): so the fitness of an episode and what a program pays for it never meet in one process
before both are numbers. Tapes are for audits, not for certificates: worlds are stepped together, so they are repeatable for
one number of episodes only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, EpisodeOutcome, Family, FloatArray, ParamSource
from envs.task import TaskSpec
from experimenter.evaluation.rollout import ColumnWorlds, RolloutError

Act = Callable[[FloatArray], NDArray[Any]]
"""Observations [n, d] -> actions, [n, k] float or [n] int."""
Change = Callable[[NDArray[Any]], NDArray[Any]]
"""What is laid over observations or actions on their way, such as noise."""


@dataclass(frozen=True, kw_only=True)
class Tape:
    """The transitions of some episodes, in time order within each step; m transitions in all."""

    state: Mapping[str, FloatArray]
    """Named state before each transition, name -> [m, ...]."""
    action: FloatArray
    """[m, k] float64, clipped as the worlds clip it."""
    next_state: Mapping[str, FloatArray]
    episode: NDArray[np.int64]
    """[m] index of the episode that each transition belongs to."""
    outcomes: tuple[EpisodeOutcome, ...]
    """One an episode, by index."""
    terminated: tuple[bool, ...]
    """Whether each episode ended by the task's own rule rather than by the horizon."""


def record_tape(
    family: Family,
    task: TaskSpec,
    act: Act,
    seed: int,
    episodes: int,
    *,
    params: ParamSource | None = None,
    observe: Change | None = None,
    disturb: Change | None = None,
) -> Tape:
    """Run `episodes` episodes side by side from world seed `seed` and keep every transition.

    With `params` each episode draws its task parameters; `observe` changes what the policy sees and `disturb` what its action
    becomes. Only the first episode of each world counts. Raises `RolloutError` for non-finite actions or outcomes, and for a
    family whose batch holds several agents a world.
    """
    if episodes < 1:
        raise ValueError(f"{episodes} episodes cannot be recorded: expected at least 1")
    env = family.make_vec(task, episodes, params)
    try:
        if env.num_envs != episodes:
            raise RolloutError(f"{task.family} steps {env.num_envs} agents for {episodes} worlds: it cannot be taped")
        return _record(env, act, seed, task.horizon, observe or _same, disturb or _same)
    finally:
        env.close()


def random_act(space: gymnasium.spaces.Space[Any], rng: np.random.Generator) -> Act:
    """A policy that draws every action uniformly."""
    if isinstance(space, gymnasium.spaces.Discrete):
        count = int(space.n)
        return lambda observation: rng.integers(0, count, size=len(observation))
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return lambda observation: rng.uniform(low, high, size=(len(observation), *low.shape)).astype(np.float32)


def _record(env: BatchEnv, act: Act, seed: int, horizon: int, observe: Change, disturb: Change) -> Tape:
    n, running = env.num_envs, np.ones(env.num_envs, np.bool_)
    observation, state = env.reset(seed), env.named_state()
    rows: list[tuple[NDArray[np.int64], dict[str, FloatArray], FloatArray, dict[str, FloatArray]]] = []
    outcomes: dict[int, EpisodeOutcome] = {}
    terminated: dict[int, bool] = {}
    for _ in range(horizon):
        actions = np.asarray(disturb(act(observe(observation))))
        if not np.all(np.isfinite(actions)):
            raise RolloutError(f"the policy gave a non-finite action on the tape of seed {seed}")
        step = env.step(actions)
        alive = np.flatnonzero(running)
        seen = as_seen(actions, env.action_space)
        rows.append((alive, _take(state, alive), seen[alive], _take(step.next_state, alive)))
        for outcome in step.outcomes:
            if running[outcome.slot]:
                running[outcome.slot] = False
                outcomes[outcome.slot] = _checked(outcome, seed)
                terminated[outcome.slot] = bool(step.terminated[outcome.slot])
                if isinstance(env, ColumnWorlds):
                    env.rest(outcome.slot)
        if not running.any():
            return _join(rows, [outcomes[i] for i in range(n)], [terminated[i] for i in range(n)])
        observation, state = step.observation, env.named_state()
    raise RolloutError(f"episodes on the tape of seed {seed} did not end within the horizon of {horizon} steps")


def as_seen(actions: NDArray[Any], space: gymnasium.spaces.Space[Any]) -> FloatArray:
    """Actions as a reward program sees them: [n, k] float64, clipped as the worlds clip them."""
    seen = np.asarray(actions, dtype=np.float64).reshape(len(actions), -1)
    if not isinstance(space, gymnasium.spaces.Box):
        return seen
    return np.clip(seen, space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel())


def _join(
    rows: list[tuple[NDArray[np.int64], dict[str, FloatArray], FloatArray, dict[str, FloatArray]]],
    outcomes: list[EpisodeOutcome],
    terminated: list[bool],
) -> Tape:
    names = list(rows[0][1])
    return Tape(
        state={name: np.concatenate([row[1][name] for row in rows]) for name in names},
        action=np.concatenate([row[2] for row in rows]),
        next_state={name: np.concatenate([row[3][name] for row in rows]) for name in names},
        episode=np.concatenate([row[0] for row in rows]),
        outcomes=tuple(outcomes),
        terminated=tuple(terminated),
    )


def _take(state: Mapping[str, FloatArray], which: NDArray[np.int64]) -> dict[str, FloatArray]:
    return {name: np.asarray(array[which], dtype=np.float64) for name, array in state.items()}


def _checked(outcome: EpisodeOutcome, seed: int) -> EpisodeOutcome:
    if not (isfinite(outcome.fitness) and isfinite(outcome.native_return)):
        raise RolloutError(f"an episode on the tape of seed {seed} ended with a non-finite fitness or return")
    return outcome


def _same(values: NDArray[Any]) -> NDArray[Any]:
    return values
