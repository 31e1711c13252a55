"""Does a reward program behave? Probe states are drawn from the card's ranges; each way to fail has its own sentence.

It must give the right shapes, finite numbers, the same answer twice, the same answer for a world alone as in a batch, must
not touch its arguments, must not be constant, and must be quick. Whether the reward is a good one is not asked here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.family import Card, FloatArray, Variable
from experimenter.sandbox.guard import RewardFault, call_program

UNBOUNDED = 10.0
"""Where a variable has no bound, probe values lie within this distance of zero (or of its one bound)."""
CHOICE = "choice"
"""Unit of variables and actions that are one of several choices, counted from 0."""
MAX_CALL_S = 0.01
"""CPU seconds that one call on 32 worlds may take: 0.3 ms a world, more than a physics step costs."""
SEED = 20240904


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What a program is called with: n worlds before and after one action."""

    state: Mapping[str, FloatArray]
    action: FloatArray
    """[n, k] float64."""
    next_state: Mapping[str, FloatArray]

    def rows(self, rows: slice | list[int]) -> Transition:
        """Return the worlds `rows` alone."""
        return Transition(
            state={name: array[rows] for name, array in self.state.items()},
            action=self.action[rows],
            next_state={name: array[rows] for name, array in self.next_state.items()},
        )


def make_transition(card: Card, n: int, rng: np.random.Generator) -> Transition:
    """Draw n worlds within the card's ranges: random ones, then all-zero, all-low and all-high ones as far as n allows."""
    state, following = {}, {}
    for variable in card.state:
        low, high = _range(variable)
        now = _draw(variable, (n, *variable.shape), rng)
        step = rng.normal(0.0, 0.05 * (high - low), now.shape)
        after = _draw(variable, now.shape, rng) if variable.unit == CHOICE else np.clip(now + step, low, high)
        state[variable.name] = _with_corners(now, low, high)
        following[variable.name] = _with_corners(after, low, high)
    pieces = [_draw(variable, (n, _size(variable)), rng) for variable in card.actions]
    action = np.concatenate(pieces, axis=1) if pieces else np.zeros((n, 0))
    return Transition(state=state, action=action, next_state=following)


def _draw(variable: Variable, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Uniform within the variable's range; whole numbers where the variable counts choices."""
    low, high = _range(variable)
    if variable.unit == CHOICE:
        return rng.integers(int(low), int(high) + 1, shape).astype(np.float64)
    return rng.uniform(low, high, shape)


def _range(variable: Variable) -> tuple[float, float]:
    low = variable.low if np.isfinite(variable.low) else min(-UNBOUNDED, variable.high - UNBOUNDED)
    high = variable.high if np.isfinite(variable.high) else max(UNBOUNDED, low + UNBOUNDED)
    return low, high


def _size(variable: Variable) -> int:
    return int(np.prod(variable.shape)) if variable.shape else 1


def _with_corners(values: FloatArray, low: float, high: float) -> FloatArray:
    """Make the last three worlds of a batch of at least 7 zero, low and high."""
    if len(values) >= 7:
        values[-3], values[-2], values[-1] = np.clip(0.0, low, high), low, high
    return values


def probe(function: Callable[..., Any], card: Card) -> tuple[str, ...]:
    """Try `function` on probe states; return the names of its terms. Raises `RewardFault` with the first reason found."""
    rng = np.random.default_rng(SEED)
    seven, many = make_transition(card, 7, rng), make_transition(card, 32, rng)
    reward, terms = _call_pure(function, seven)
    _check_repeats(function, seven, many, reward)
    _check_rows(function, seven, reward)
    _check_varies(function, many, make_transition(card, 64, rng), card)
    _check_quick(function, many)
    return tuple(terms)


def _call(function: Callable[..., Any], where: Transition) -> tuple[FloatArray, dict[str, Any]]:
    return call_program(function, where.state, where.action, where.next_state)


def _call_pure(function: Callable[..., Any], where: Transition) -> tuple[FloatArray, dict[str, Any]]:
    """Call on private copies and compare them afterwards."""
    copy = where.rows(list(range(len(where.action))))
    answer = _call(function, copy)
    for name, before in {**where.state}.items():
        if not (
            np.array_equal(before, copy.state[name]) and np.array_equal(where.next_state[name], copy.next_state[name])
        ):
            raise RewardFault("impure", f"the program changed its argument {name!r}; copy the array first.")
    if not np.array_equal(where.action, copy.action):
        raise RewardFault("impure", "the program changed its argument action; copy the array first.")
    return answer


def _check_repeats(function: Callable[..., Any], where: Transition, between: Transition, first: FloatArray) -> None:
    _call(function, between)
    if not np.array_equal(_call(function, where)[0], first):
        raise RewardFault(
            "random", "the same states gave two different rewards; randomness and memory are not allowed."
        )


def _check_rows(function: Callable[..., Any], where: Transition, together: FloatArray) -> None:
    alone = np.concatenate([_call(function, where.rows([row]))[0] for row in range(len(together))])
    if not np.allclose(alone, together, rtol=1e-6, atol=1e-9):
        raise RewardFault(
            "batch",
            "a world alone gets another reward than in a batch; worlds must not mix: "
            "reduce over axis=1, never over axis 0 or without an axis.",
        )


def _check_varies(function: Callable[..., Any], many: Transition, more: Transition, card: Card) -> None:
    """A reward that is the same everywhere teaches nothing. Corners of single variables are tried too (flags, gates)."""
    values = [_call(function, where)[0] for where in (many, more, *_single_corners(more, card))]
    seen = np.concatenate(values)
    if np.ptp(seen) <= 1e-12 * max(1.0, float(np.abs(seen).max())):
        raise RewardFault(
            "constant", f"the reward is {seen[0]:.6g} for every probe state; it must depend on the state."
        )


def _single_corners(where: Transition, card: Card) -> list[Transition]:
    corners = []
    for variable in card.state:
        after = np.array(where.next_state[variable.name])
        low, high = _range(variable)
        after[0::2], after[1::2] = low, high
        corners.append(
            Transition(state=where.state, action=where.action, next_state={**where.next_state, variable.name: after})
        )
    return corners


def _check_quick(function: Callable[..., Any], where: Transition) -> None:
    best = min(_seconds(function, where) for _ in range(3))
    if best > MAX_CALL_S:
        raise RewardFault(
            "slow",
            f"a call on 32 worlds takes {best * 1000:.0f} ms CPU; use whole-array NumPy expressions, no loops over worlds.",
        )


def _seconds(function: Callable[..., Any], where: Transition) -> float:
    started = time.process_time()
    _call(function, where)
    return time.process_time() - started
