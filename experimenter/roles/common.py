"""What every role does alike: ask with a rule beneath, choose the long or the compact prompt, take only parameters that exist."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from envs.family import Card, Parameter
from envs.task import ParamValue
from experimenter.errors import AnswerInvalid, BudgetSpent, ModelUnavailable
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Message
from prompts.answers import NamedValue
from prompts.templates import render

T = TypeVar("T")
log = logging.getLogger(__name__)


def with_fallback(ask: Callable[[], T], rule: Callable[[str], T], *, role: str, name: str) -> T:
    """Return `ask()`, or, when no valid answer can be had, log why and return `rule(why)`.

    `name` is the rule's, as it stands in the record's source. A refusal (`ModelRefused`: wrong key, unknown model) propagates.
    """
    try:
        return ask()
    except (AnswerInvalid, ModelUnavailable, BudgetSpent) as error:
        why = f"{type(error).__name__}: {error}"
        level = logging.DEBUG if isinstance(error, NotAsked) else logging.WARNING
        log.log(level, "%s: falling back to rule:%s (%s)", role, name, why)
        return rule(why)


class NotAsked(ModelUnavailable):
    """The step was meant to go without a model: nothing is wrong, and nobody need be told."""


def need(gateway: Gateway | None) -> Gateway:
    """Return the gateway, or raise `NotAsked` when there is none, so that the rule speaks."""
    if gateway is None:
        raise NotAsked("no model is asked in this step (none was chosen, or there is no time for a call).")
    return gateway


def is_small(gateway: Gateway) -> bool:
    """True for a model that cannot write programs: it gets compact prompts and chooses among options that we compute."""
    return not gateway.capabilities.code


def ask_messages(name: str, /, **values: object) -> list[Message]:
    """System and user message of the role template `name`."""
    return [Message("system", render(f"{name}.system", **values)), Message("user", render(f"{name}.user", **values))]


def default_params(card: Card) -> dict[str, ParamValue]:
    """The family's plain task, as far as its card lists parameters."""
    return {param.name: _typed(param, param.default) for param in card.params}


def take_params(
    card: Card, values: Iterable[NamedValue] | Mapping[str, ParamValue]
) -> tuple[dict[str, ParamValue], list[str]]:
    """Keep the named values that the card knows, inside their ranges.

    Returns the parameters (only those named) and one note for every value that was dropped or moved into its range.
    """
    pairs = values.items() if isinstance(values, Mapping) else [(item.name, item.value) for item in values]
    known = {param.name: param for param in card.params}
    params: dict[str, ParamValue] = {}
    notes: list[str] = []
    for name, value in pairs:
        if name not in known:
            notes.append(f"{card.family} has no task parameter {name[:60]!r}")
        elif isinstance(value, str) or not math.isfinite(value):
            notes.append(f"{name} = {str(value)[:60]!r} is not a number")
        elif name not in params:
            params[name], note = _clamp(known[name], float(value))
            notes += note
    return params, notes


def _clamp(param: Parameter, value: float) -> tuple[ParamValue, list[str]]:
    inside = min(max(value, param.low), param.high)
    note = (
        []
        if inside == value
        else [f"{param.name} = {value:g} lies outside {param.low:g} to {param.high:g}; {inside:g} was taken"]
    )
    return _typed(param, inside), note


def _typed(param: Parameter, value: float) -> ParamValue:
    return round(value) if param.integer else round(float(value), 4)


def words_of(params: Mapping[str, ParamValue], card: Card) -> str:
    """Parameters as people read them."""
    return ", ".join(f"{name} {card.say(name, value)}" for name, value in params.items()) or "the family's one task"
