"""A fixed set of whole episodes of known fitness, on which a reward program can be tried before anything is trained.

Behaviours are scripted (doing nothing, holding one action) or drawn at random (white noise, slow noise, random linear feedback of
several strengths), and policies that earlier jobs left behind can be added. Every behaviour acts in every world at once, with one stream
of random numbers a behaviour, so that the set depends on the task and the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import Family, FloatArray
from envs.task import TaskSpec
from experimenter.evaluation.tape import Act, Tape, random_act, record_tape
from skills.artifact import Policy

SCRIPTED = ("nothing", "hold", "noise", "slow noise", "weak feedback", "strong feedback")
MAX_ROWS = 40_000
"""Transitions kept in a set; scripted behaviours beyond it are left out."""
_WEAK, _STRONG = 0.3, 1.5
_FARTHEST = 1e3
"""Stands for the end of an action that has no bound."""


def collect_tapes(
    family: Family,
    task: TaskSpec,
    *,
    worlds: int = 4,
    seed: int = 0,
    policies: Sequence[tuple[str, Policy]] = (),
    scripted: Sequence[str] = SCRIPTED,
) -> list[tuple[str, Tape]]:
    """Play every behaviour and every policy in `worlds` worlds, one episode each: (name, tape).

    Raises `RolloutError` for a family that cannot be taped (several agents a world), `ValueError` for an action space without scripts.
    """
    env = family.make_vec(task, 1)
    space = env.action_space
    env.close()
    found: list[tuple[str, Tape]] = []
    for number, name in enumerate(scripted):
        act = script(name, space, worlds, np.random.default_rng([seed, number]))
        found.append((name, record_tape(family, task, act, seed, worlds)))
        if sum(len(tape.episode) for _, tape in found) > MAX_ROWS:
            break
    return found + [(name, record_tape(family, task, policy.act, seed, worlds)) for name, policy in policies]


def script(name: str, space: gymnasium.spaces.Space[Any], n: int, rng: np.random.Generator) -> Act:
    """The behaviour called `name` (one of `SCRIPTED`) for n worlds."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return random_act(space, rng) if name == "noise" else _discrete(name, int(space.n), n, rng)
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(f"no scripted behaviour for the action space {space}: expected Box or Discrete.")
    low = np.maximum(space.low.astype(np.float64), -_FARTHEST).ravel()
    high = np.minimum(space.high.astype(np.float64), _FARTHEST).ravel()
    unit = _continuous(name, n, len(low), rng)
    shape = space.low.shape
    return lambda observation: (
        ((low + high) / 2 + (high - low) / 2 * np.clip(unit(observation), -1, 1)).astype(np.float32).reshape(n, *shape)
    )


def _continuous(name: str, n: int, k: int, rng: np.random.Generator) -> Act:
    """Actions between -1 and 1, [n, k]."""
    if name == "nothing":
        return lambda observation: np.zeros((n, k))
    if name == "hold":
        held = rng.uniform(-1, 1, (n, k))
        return lambda observation: held
    if name == "noise":
        return lambda observation: rng.uniform(-1, 1, (n, k))
    if name == "slow noise":
        return _slow(n, k, rng)
    return _feedback(n, k, _WEAK if name == "weak feedback" else _STRONG, rng)


def _slow(n: int, k: int, rng: np.random.Generator) -> Act:
    """Noise with a memory of about twenty steps and unit size."""
    now = np.zeros((n, k))

    def act(observation: FloatArray) -> FloatArray:
        nonlocal now
        now = 0.95 * now + 0.3 * rng.normal(size=(n, k))
        return now

    return act


def _feedback(n: int, k: int, strength: float, rng: np.random.Generator) -> Act:
    """tanh of a random linear map of the observation, one map a world."""
    maps: list[FloatArray] = []

    def act(observation: FloatArray) -> FloatArray:
        flat = np.asarray(observation, dtype=np.float64).reshape(n, -1)
        if not maps:
            maps.append(rng.normal(size=(n, flat.shape[1], k)) * strength / np.sqrt(flat.shape[1]))
        return np.asarray(np.tanh(np.einsum("nd,ndk->nk", flat, maps[0])))

    return act


def _discrete(name: str, choices: int, n: int, rng: np.random.Generator) -> Act:
    held = rng.integers(choices, size=n)
    if name == "nothing":
        return lambda observation: np.zeros(n, dtype=np.int64)
    if name == "hold":
        return lambda observation: held
    if name == "slow noise":

        def act(observation: FloatArray) -> NDArray[np.int64]:
            change = rng.random(n) < 0.05
            held[change] = rng.integers(choices, size=int(change.sum()))
            return held.copy()

        return act
    score = _feedback(n, choices, _WEAK if name == "weak feedback" else _STRONG, rng)
    return lambda observation: np.asarray(score(observation)).argmax(axis=1)
