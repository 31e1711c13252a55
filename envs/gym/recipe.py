"""The parts of a recipe: what one Gymnasium id brings so that `GymBatch` can run episodes of it.

A recipe is a card, a parameter model, a simulator (raw dynamics of n worlds) and a scorer (ground truth of n running
episodes). Horizon, auto-reset, seeding and outcomes are not its business: `batch.py` does them once for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from envs.family import Card, FloatArray, NamedState, Parameter, Params, Variable
from envs.task import ParamValue

BoolArray = NDArray[np.bool_]


class Simulator(Protocol):
    """Raw dynamics of n worlds: no horizon, no auto-reset, no bookkeeping."""

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        """Flat Box [d], float32."""
        ...

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """Flat Box [k], float32, or Discrete starting at 0."""
        ...

    def reseed(self, seeds: Sequence[int]) -> None:
        """Give every world its own random stream, used from its next reset on."""
        ...

    def reset(self, slot: int, params: Mapping[str, ParamValue]) -> None:
        """Start a new episode in one world."""
        ...

    def step(self, actions: NDArray[Any]) -> tuple[FloatArray, BoolArray, BoolArray]:
        """Advance all worlds; return native reward [n], terminated [n], truncated by the world's own clock [n]."""
        ...

    def rest(self, slot: int) -> None:
        """Nobody looks at this world until its next reset: it need not be advanced."""
        ...

    def observe(self) -> FloatArray:
        """Observations [n, d] float32, a copy."""
        ...

    def truth(self) -> NamedState:
        """True state by name, copies: every state variable of the card, and hidden ones that only the scorer reads."""
        ...

    def render(self, slot: int) -> NDArray[np.uint8]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What is known about an episode when it ends."""

    slot: int
    length: int
    horizon: int
    terminated: bool
    native_return: float
    params: Mapping[str, ParamValue]


@dataclass(frozen=True, kw_only=True)
class Score:
    fitness: float
    success: bool
    extras: Mapping[str, float] = field(default_factory=dict)


class Scorer(Protocol):
    """Ground truth of n running episodes, computed from true state."""

    def begin(self, slot: int, truth: NamedState) -> None:
        """Forget the slot's last episode; `truth` is the state right after the reset."""
        ...

    def advance(self, truth: NamedState, actions: NDArray[Any]) -> None:
        """Take in one step of every world: the state after it, [n] each."""
        ...

    def close(self, ending: Ending, truth: NamedState) -> Score:
        """Score the episode that just ended in `ending.slot`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Recipe:
    card: Card
    params_model: type[Params]
    open_simulator: Callable[[int], Simulator]
    """n -> simulator; heavy imports happen here."""
    open_scorer: Callable[[int, int], Scorer]
    """n, horizon -> scorer."""


def make_params_model(name: str, parameters: Iterable[Parameter]) -> type[Params]:
    """Build the frozen, bounded parameter model that a card's parameter table describes."""
    fields: dict[str, Any] = {
        p.name: (int if p.integer else float, Field(default=p.default, ge=p.low, le=p.high, description=p.meaning))
        for p in parameters
    }
    return create_model(name, __base__=Params, **fields)


def make_variables(rows: Iterable[tuple[str, str, float, float, str]]) -> tuple[Variable, ...]:
    """Build scalar variables from rows (name, unit, low, high, meaning)."""
    return tuple(Variable(name=n, unit=u, low=lo, high=hi, meaning=m) for n, u, lo, hi, m in rows)
