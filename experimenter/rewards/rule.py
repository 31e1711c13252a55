"""The baseline arm without a model: a reward specification made from the card's words and ranges by fixed rules.

The rules read names and meanings only and know no family. They find, in this order: a forward speed or progress; flags of
success and of a fall; distances to a target; what should be upright; a height, when nothing else can be gained; and the
effort of continuous actions. Good enough to be beaten, honest enough to be a baseline.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite

from envs.family import Card, Variable
from experimenter.records import RewardKind, RewardProgram
from prompts.specification import ACTION, RewardSpecification, RewardTerm

RULE_NAME = "rule:card"

_FORWARD = re.compile(
    r"forward (speed|velocity)|(speed|velocity)[^;]*\btowards? the (flag|goal|target|exit|finish)|speed to the goal"
)
_PROGRESS = re.compile(
    r"^(?!.*turning).*(progress|fraction of (the )?(way|task|form)|completed|share done|distance forward)"
)
_SUCCESS = re.compile(r"\b(success|succeeded|solved|landed|reached|delivered|submitted|goal reached)\b")
_FALL = re.compile(r"\b(fall|fallen|fell|crash|crashed|collision|collided|collisions|violated|violation|failed)\b")
_DISTANCE = re.compile(
    r"distance (to|from) the (goal|target|pad|centre|reference)|minus (the )?target|\b(tracking )?error\b|remaining distance"
    r"|from the pad|the pad's middle|0 (is|in) the middle|0 on the target"
)
_COSINE_UP = re.compile(r"cosine.*1:? (is )?upright")
_TILT = re.compile(r"^(?!.*(turning|speed|how fast)).*(\btilt\b|\b0:? (is )?(upright|level)\b)")
_HEIGHT = re.compile(r"\b(height|altitude)\b")
_STAY = re.compile(r"\b(stays?|still|upright|balanc\w+|keeps?|surviv\w+|hover\w*)\b")


def rule_specification(card: Card) -> RewardProgram:
    """Make the rule's reward program for `card`: kind SPECIFICATION, model `rule:card`."""
    terms = [*_gains(card), *_flags(card), *_near(card), *_effort(card)][:6]
    if not any(term.direction == "reward" for term in terms):
        terms = [*_heights(card), *terms][:6]
    known = bool(terms)
    bonus = 1.0 if _STAY.search(f"{card.fitness} {card.success}".lower()) and not _gains(card) else 0.0
    specification = RewardSpecification(terms=tuple(terms or _last_resort(card)), alive_bonus=bonus)
    why = (
        "from the names, meanings and ranges in the card" if known else "the card names nothing that a rule can reward"
    )
    return RewardProgram(
        kind=RewardKind.SPECIFICATION, source=specification.to_json(), model=RULE_NAME, rationale=f"Made by rule {why}."
    )


def _gains(card: Card) -> list[RewardTerm]:
    """A forward speed, else a progress, else a cosine that is 1 when upright: the one thing to gain."""
    if speeds := _find(card, _FORWARD):
        return [_reward(speeds[0], scale=_reach(speeds[0]))]
    if progress := _find(card, _PROGRESS):
        width = progress[0].high - progress[0].low
        return [_reward(progress[0], shape="progress", scale=width / card.horizon if isfinite(width) else 1.0)]
    return [_reward(variable) for variable in _find(card, _COSINE_UP)[:1]]


def _flags(card: Card) -> list[RewardTerm]:
    """Flags (0 or 1) of success and of a fall."""
    good = [_reward(variable, weight=30.0) for variable in _find(card, _SUCCESS, _is_flag)[:1]]
    bad = [_penalty(variable, weight=30.0) for variable in _find(card, _FALL, _is_flag)[:1]]
    return [*good, *bad]


def _near(card: Card) -> list[RewardTerm]:
    """Distances that should shrink (at most two) and one tilt that should be zero."""
    near = [
        _penalty(variable, shape="absolute", scale=_reach(variable))
        for variable in _find(card, _DISTANCE, _is_number)[:2]
    ]
    tilts = [variable for variable in _find(card, _TILT, _is_number) if variable.low < 0 < variable.high]
    cosines = {variable.name for variable in _find(card, _COSINE_UP)}
    tilted = [
        _penalty(variable, shape="square", scale=min(_reach(variable), 3.2), weight=0.5)
        for variable in tilts[:1]
        if variable.name not in cosines
    ]
    return [*near, *tilted]


def _heights(card: Card) -> list[RewardTerm]:
    """A height, when the card names nothing else to gain and no distance to shrink."""
    if _near(card):
        return []
    return [_reward(variable, scale=_reach(variable)) for variable in _find(card, _HEIGHT, _is_number)[:1]]


def _effort(card: Card) -> list[RewardTerm]:
    """A small price on continuous actions."""
    if not card.actions or any(variable.unit == "choice" for variable in card.actions):
        return []
    largest = max(_reach(variable) for variable in card.actions)
    return [RewardTerm(variable=ACTION, direction="penalise", shape="square", weight=0.05, scale=largest)]


def _last_resort(card: Card) -> list[RewardTerm]:
    """Keep the first variable small: a valid program for a card that says nothing."""
    first = card.state[0]
    return [_penalty(first, shape="absolute", scale=_reach(first), weight=0.1)]


def _find(card: Card, pattern: re.Pattern[str], fits: Callable[[Variable], bool] | None = None) -> list[Variable]:
    """Variables whose name and meaning match, in the card's order."""
    return [v for v in card.state if (fits is None or fits(v)) and pattern.search(_words(v))]


def _words(variable: Variable) -> str:
    return f"{variable.name.replace('_', ' ')} {variable.meaning}".lower()


def _is_flag(variable: Variable) -> bool:
    return variable.low == 0 and variable.high == 1 and variable.unit in ("1", "")


def _is_number(variable: Variable) -> bool:
    return variable.unit != "choice" and not _is_flag(variable)


def _reach(variable: Variable) -> float:
    """The largest magnitude of the variable by the card; 1 where it has no bound."""
    largest = max(abs(variable.low), abs(variable.high))
    return round(largest, 6) if isfinite(largest) and largest > 0 else 1.0


def _reward(variable: Variable, *, shape: str = "linear", weight: float = 1.0, scale: float = 1.0) -> RewardTerm:
    return _term(variable, "reward", shape, weight, scale)


def _penalty(variable: Variable, *, shape: str = "linear", weight: float = 1.0, scale: float = 1.0) -> RewardTerm:
    return _term(variable, "penalise", shape, weight, scale)


def _term(variable: Variable, direction: str, shape: str, weight: float, scale: float) -> RewardTerm:
    values = {"variable": variable.name, "direction": direction, "shape": shape, "weight": weight, "scale": scale}
    return RewardTerm.model_validate(values)
