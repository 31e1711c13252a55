"""The reward specification: a reward as typed terms over named state variables, small enough for a small model to fill.

Every term reads one variable of the successor state (or `action`), shapes it, and adds or subtracts it with a weight.
With u = (value - target) / scale the shapes are

    linear      u                     absolute    |u|               square      u^2
    gaussian    exp(-u^2 / 2)         bounded     tanh(u)           indicator   1 if value > target else 0
    progress    (value after the action - value before it) / scale

A vector variable without an index is shaped component by component and averaged. What the names mean is the card's
business: this module knows no family and cannot say whether a variable exists.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Shape = Literal["linear", "absolute", "square", "gaussian", "bounded", "indicator", "progress"]
Direction = Literal["reward", "penalise"]
ACTION = "action"
"""The name under which a term reads the whole action vector."""

_Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(_Part):
    """A term counts only in worlds where `variable` lies on one side of `threshold`."""

    variable: str = Field(min_length=1, max_length=64)
    side: Literal["above", "below"]
    threshold: _Number
    index: int | None = Field(default=None, ge=0, le=4095)


class RewardTerm(_Part):
    """One term. Fields stand in the order in which a model should decide them."""

    variable: str = Field(min_length=1, max_length=64)
    """A state variable of the card, or `action`."""
    direction: Direction
    shape: Shape = "linear"
    weight: float = Field(gt=0, le=100, allow_inf_nan=False)
    target: _Number = 0.0
    """Value around which the shape is centred, in the variable's unit; `progress` does not use it."""
    scale: float = Field(default=1.0, gt=0, le=1e6, allow_inf_nan=False)
    """One unit of u, in the variable's unit; `indicator` does not use it."""
    index: int | None = Field(default=None, ge=0, le=4095)
    """Component of a vector variable; None averages over all of them."""
    gate: Gate | None = None


class RewardSpecification(_Part):
    """A whole reward: one to six terms and an optional constant a step for staying in the episode."""

    terms: tuple[RewardTerm, ...] = Field(min_length=1, max_length=6)
    alive_bonus: float = Field(default=0.0, ge=0, le=10, allow_inf_nan=False)

    def to_json(self) -> str:
        """Canonical JSON: keys sorted, no white space, defaults left out. Equal specifications give equal text."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> RewardSpecification:
        """Read a specification; raises `pydantic.ValidationError`, which is a `ValueError`."""
        return cls.model_validate_json(text)
