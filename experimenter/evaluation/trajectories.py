"""A fixed set of whole episodes of known fitness, on which a reward program can be tried before anything is trained.

Behaviours are scripted (doing nothing, holding one action) or drawn at random (white noise, slow noise, random linear feedback of
several strengths), and policies that earlier jobs left behind can be added. Every behaviour acts in every world at once, with one stream
of random numbers a world, so that the set depends on the task and the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Family, FloatArray, NamedState
from envs.task import TaskSpec
from skills.artifact import Policy

Act = Callable[[FloatArray, int], NDArray[np.generic]]
"""(observations [n, d], step) -> actions [n, k] or [n]."""
SCRIPTED = ("nothing", "hold", "noise", "slow noise", "weak feedback", "strong feedback")
MAX_ROWS = 40_000
"""Transitions kept in a set; behaviours beyond it are left out."""


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """One whole episode of one behaviour."""

    behaviour: str
    fitness: float
    success: bool
    state: NamedState
    """Name -> [length, ...] before each step."""
    action: FloatArray
    """[length, k] as the worlds clip it."""
    next_state: NamedState
    """Name -> [length, ...] true successors."""

    @property
    def length(self) -> int:
        return len(self.action)


def collect_trajectories(
    family: Family,
    task: TaskSpec,
    *,
    worlds: int = 4,
    seed: int = 0,
    policies: Sequence[tuple[str, Policy]] = (),
    scripted: Sequence[str] = SCRIPTED,
) -> list[Trajectory]:
    """Play every behaviour and every policy in `worlds` worlds, one episode each; [] only where no episode ends."""
    found: list[Trajectory] = []
    for number, name in enumerate(scripted):
        rng = np.random.default_rng([seed, number])
        found += _play(family, task, name, partial(_script, name, rng), worlds, seed)
        if sum(one.length for one in found) > MAX_ROWS:
            break
    for label, policy in policies:
        found += _play(family, task, label, partial(_follow, policy), worlds, seed)
    return found


def _play(
    family: Family,
    task: TaskSpec,
    name: str,
    make_act: Callable[[gymnasium.Space[object], int], Act],
    worlds: int,
    seed: int,
) -> list[Trajectory]:
    env = family.make_vec(task, worlds)
    try:
        act = make_act(env.action_space, env.num_envs)
        bounds = _bounds(env.action_space)
        observation, state = env.reset(seed), env.named_state()
        rows: list[tuple[NamedState, FloatArray, NamedState]] = []
        ends: dict[int, tuple[int, float, bool]] = {}
        for step in range(task.horizon):
            action = act(observation, step)
            batch = env.step(action)
            seen = np.asarray(action, dtype=np.float64).reshape(env.num_envs, -1)
            rows.append(
                (state, np.clip(seen, *bounds) if bounds else seen, {k: v.copy() for k, v in batch.next_state.items()})
            )
            for outcome in batch.outcomes:
                ends.setdefault(outcome.slot, (step + 1, float(outcome.fitness), bool(outcome.success)))
            if len(ends) == env.num_envs:
                break
            observation, state = batch.observation, env.named_state()
        return [_cut(name, slot, *end, rows) for slot, end in sorted(ends.items())]
    finally:
        env.close()


def _cut(
    name: str,
    slot: int,
    length: int,
    fitness: float,
    success: bool,
    rows: Sequence[tuple[NamedState, FloatArray, NamedState]],
) -> Trajectory:
    kept = rows[:length]
    return Trajectory(
        behaviour=name,
        fitness=fitness,
        success=success,
        state={key: np.stack([row[0][key][slot] for row in kept]) for key in kept[0][0]},
        action=np.stack([row[1][slot] for row in kept]),
        next_state={key: np.stack([row[2][key][slot] for row in kept]) for key in kept[0][2]},
    )


def _follow(policy: Policy, space: gymnasium.Space[object], n: int) -> Act:
    return lambda observation, step: np.asarray(policy.act(observation))


def _script(name: str, rng: np.random.Generator, space: gymnasium.Space[object], n: int) -> Act:
    if isinstance(space, gymnasium.spaces.Discrete):
        return _discrete(name, int(space.n), n, rng)
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(f"no scripted behaviour for the action space {space}: expected Box or Discrete.")
    low, high = np.maximum(space.low, -1e3).ravel(), np.minimum(space.high, 1e3).ravel()
    middle, reach = (low + high) / 2, (high - low) / 2
    unit = _continuous(name, n, len(low), rng)
    return lambda observation, step: (middle + reach * np.clip(unit(observation, step), -1, 1)).astype(np.float32)


def _continuous(name: str, n: int, k: int, rng: np.random.Generator) -> Act:
    if name == "nothing":
        return lambda observation, step: np.zeros((n, k))
    if name == "hold":
        held = rng.uniform(-1, 1, (n, k))
        return lambda observation, step: held
    if name == "noise":
        return lambda observation, step: rng.uniform(-1, 1, (n, k))
    if name == "slow noise":
        return _slow(n, k, rng)
    return _feedback(n, k, 0.3 if name == "weak feedback" else 1.5, rng)


def _slow(n: int, k: int, rng: np.random.Generator) -> Act:
    """Noise with a memory of about twenty steps and unit size."""
    now = np.zeros((n, k))

    def act(observation: FloatArray, step: int) -> FloatArray:
        nonlocal now
        now = 0.95 * now + 0.3 * rng.normal(size=(n, k))
        return now

    return act


def _feedback(n: int, k: int, strength: float, rng: np.random.Generator) -> Act:
    """tanh of a random linear map of the observation, one map a world."""
    maps: list[FloatArray] = []

    def act(observation: FloatArray, step: int) -> FloatArray:
        flat = np.asarray(observation, dtype=np.float64).reshape(n, -1)
        if not maps:
            maps.append(rng.normal(size=(n, flat.shape[1], k)) * strength / np.sqrt(flat.shape[1]))
        return np.asarray(np.tanh(np.einsum("nd,ndk->nk", flat, maps[0])))

    return act


def _discrete(name: str, choices: int, n: int, rng: np.random.Generator) -> Act:
    held = rng.integers(choices, size=n)
    if name == "nothing":
        return lambda observation, step: np.zeros(n, dtype=np.int64)
    if name == "hold":
        return lambda observation, step: held
    if name == "noise":
        return lambda observation, step: rng.integers(choices, size=n)
    if name == "slow noise":

        def act(observation: FloatArray, step: int) -> NDArray[np.int64]:
            change = rng.random(n) < 0.05
            held[change] = rng.integers(choices, size=int(change.sum()))
            return held.copy()

        return act
    score = _feedback(n, choices, 0.3 if name == "weak feedback" else 1.5, rng)
    return lambda observation, step: np.asarray(score(observation, step)).argmax(axis=1)


def _bounds(space: gymnasium.Space[object]) -> tuple[FloatArray, FloatArray] | None:
    if not isinstance(space, gymnasium.spaces.Box):
        return None
    return space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel()
