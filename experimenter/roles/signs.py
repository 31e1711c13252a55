"""Calibrated sign scoring: is a larger value of a quantity good or bad? One constrained word a quantity, read as log-probabilities.

A small model cannot be trusted with signs in arithmetic, but the margin between "reward" and "penalise", less the margin that
it gives to a quantity without content, ranks them well (25 of 27 right for a 1.5B model, 21 without the calibration).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, prod

from envs.family import Card, Variable
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Message
from prompts.specification import ACTION
from prompts.templates import brief, render

WORDS = ("reward", "penalise")
_CONTENT_FREE = "N/A"
_SURE = 0.4
"""Smallest calibrated margin, in nats, that settles a sign."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something that a term may read, with what the model thinks of it."""

    name: str
    meaning: str
    low: float
    high: float
    size: int = 1
    margin: float = 0.0
    """Log-probability of "reward" minus that of "penalise", calibrated; 0 when it was not scored."""

    @property
    def direction(self) -> str | None:
        """`reward` or `penalise`; None while the margin is too small to tell."""
        if abs(self.margin) < _SURE:
            return None
        return WORDS[0] if self.margin > 0 else WORDS[1]

    @property
    def is_flag(self) -> bool:
        return (self.low, self.high) == (0, 1) and bool(re.search(r"\b1 (when|while|where|if)\b|\b1:", self.meaning))

    @property
    def is_signed(self) -> bool:
        return self.low < 0 < self.high

    @property
    def reach(self) -> float:
        """Largest magnitude by the card, 1 where it has no bound."""
        largest = max(abs(self.low), abs(self.high))
        return round(largest, 6) if isfinite(largest) and largest > 0 else 1.0


def list_quantities(card: Card) -> list[Quantity]:
    """Every state variable of the card and, where actions are continuous, the size of the action."""
    found = [_quantity(variable) for variable in card.state]
    if card.actions and not any(variable.unit == "choice" for variable in card.actions):
        size = sum(prod(variable.shape) for variable in card.actions)
        reach = max(max(abs(variable.low), abs(variable.high)) for variable in card.actions)
        found.append(Quantity(name=ACTION, meaning="size of the actions, the motor effort", low=-reach, high=reach, size=size))
    return found


def score_signs(gateway: Gateway, card: Card, quantities: Sequence[Quantity], *, goal: str, step: str) -> list[Quantity]:
    """Score every quantity; one short call each, one more for the calibration. Raises what `Gateway.score` raises."""
    system = render("reward_writer_compact.system", card=card)
    bias = _margin(gateway, system, goal, _CONTENT_FREE, f"{step}:sign:calibration")
    scored = []
    for quantity in quantities:
        margin = _margin(gateway, system, goal, spell(quantity), f"{step}:sign:{quantity.name}")
        scored.append(Quantity(**{**quantity.__dict__, "margin": round(margin - bias, 4)}))
    return scored


def spell(quantity: Quantity) -> str:
    """A quantity as the model reads it: its name in words, and the start of its meaning."""
    return f"{quantity.name.replace('_', ' ')}: {brief(quantity.meaning, 80)}"


def _quantity(variable: Variable) -> Quantity:
    return Quantity(name=variable.name, meaning=variable.meaning, low=variable.low, high=variable.high, size=prod(variable.shape))


def _margin(gateway: Gateway, system: str, goal: str, quantity: str, step: str) -> float:
    user = render("reward_writer_compact.sign", goal=goal, quantity=quantity)
    scores = gateway.score("reward_writer", [Message("system", system), Message("user", user)], WORDS, step=step)
    return scores[WORDS[0]] - scores[WORDS[1]]
