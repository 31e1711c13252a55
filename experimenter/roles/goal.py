"""Words -> Goal: the family, the target task inside its ranges, the measurable success rule, and how it was understood.

The model picks the family (unless one is given) and fills the task parameters; the rule `words` does both by key words.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from envs.catalog import get_family, list_carded
from envs.family import Card
from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Message
from experimenter.records import Goal, GoalKind, SuccessRule
from experimenter.roles import words
from experimenter.roles.common import default_params, is_small, need, take_params, with_fallback, words_of
from prompts.answers import compact_family_answer, compact_goal_answer, family_answer, goal_answer
from prompts.templates import render

MAX_TEXT = 2000
_SHORTLIST = 4


def read_goal(
    gateway: Gateway | None, text: str, *, families: Sequence[Card], family: str | None = None, step: str
) -> Goal:
    """Understand a goal in plain words.

    With `family` (its exact name) the model only fills in parameters. Raises `UsageError` for an empty goal, an unknown
    family, or words that speak of no family when no model can say which.
    """
    text = " ".join(text.split())
    if not text:
        raise UsageError('the goal is empty. Say what shall be learnt, for example "teach the walker to walk".')
    if len(text) > MAX_TEXT:
        raise UsageError(f"the goal has {len(text)} characters; at most {MAX_TEXT} are read. Say it in fewer words.")
    card = _find(families, family) if family else _choose_family(gateway, text, families, step)
    return with_fallback(
        lambda: _ask(need(gateway), text, card, step),
        lambda why: rule_goal(text, card),
        role="goal",
        name="words",
    )


def known_cards(family: str | None = None) -> list[Card]:
    """Cards of the families that a goal may speak of: the one named, or every one that can be made here (Gymnasium: the hand-checked).

    Raises `UsageError` when the named family is unknown or lacks a package.
    """
    if family is not None:
        try:
            return [get_family(family).card()]
        except ValueError as error:
            raise UsageError(str(error)) from error
    return [get_family(name).card() for name in list_carded()]


def rule_goal(text: str, card: Card) -> Goal:
    """Read the goal by key words and numbers alone (`rule:words`)."""
    params, notes = words.read_params(card, text)
    return _goal(text, card, params, notes, kind=_kind(text), rate=None, reading="", source="rule:words")


def _choose_family(gateway: Gateway | None, text: str, families: Sequence[Card], step: str) -> Card:
    ranked = words.rank_families(families, text)
    shortlist = [card for _, card in ranked[:_SHORTLIST]] if gateway is None or is_small(gateway) else []
    if len(shortlist) == 1 or (shortlist and ranked[0][0] >= 5.0 > ranked[1][0]):
        return shortlist[0]
    return with_fallback(
        lambda: _ask_family(need(gateway), text, shortlist or families, step),
        lambda why: _rule_family(text, families, why),
        role="goal",
        name="words",
    )


def _ask_family(gateway: Gateway, text: str, families: Sequence[Card], step: str) -> Card:
    name = "goal_compact" if is_small(gateway) else "goal"
    values = {"families": families, "text": text}
    messages = [
        Message("system", render(f"{name}.system", **values)),
        Message("user", render(f"{name}.family", **values)),
    ]
    names = [card.family for card in families]
    schema = compact_family_answer(names) if is_small(gateway) else family_answer(names)
    answer = gateway.ask_one("goal", messages, schema, step=f"{step}:family", temperature=0.0, max_tokens=200)
    return _find(families, answer.value.family)


def _rule_family(text: str, families: Sequence[Card], why: str) -> Card:
    ranked = words.rank_families(families, text)
    if not ranked:
        known = ", ".join(card.family for card in families)
        raise UsageError(
            f"cannot tell which environment {text[:80]!r} speaks of ({why[:120]}). Name one with --env; known: {known}."
        )
    return ranked[0][1]


def _find(families: Sequence[Card], name: str) -> Card:
    by_name = {card.family: card for card in families}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, by_name, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"unknown environment family {name!r}. {hint}Known: {', '.join(by_name)}.")


def _ask(gateway: Gateway, text: str, card: Card, step: str) -> Goal:
    return _ask_small(gateway, text, card, step) if is_small(gateway) else _ask_large(gateway, text, card, step)


def _ask_large(gateway: Gateway, text: str, card: Card, step: str) -> Goal:
    values = {"card": card, "text": text}
    messages = [Message("system", render("goal.system", **values)), Message("user", render("goal.user", **values))]
    schema = goal_answer([param.name for param in card.params])
    answer = gateway.ask_one("goal", messages, schema, step=step, temperature=0.0, max_tokens=800).value
    params, notes = take_params(card, answer.params)
    return _goal(
        text,
        card,
        params,
        notes,
        kind=GoalKind(answer.kind),
        rate=answer.success_rate,
        reading=answer.reading,
        source="model",
    )


def _ask_small(gateway: Gateway, text: str, card: Card, step: str) -> Goal:
    """Numbers that stand in the words count most, then the model's values where they are credible, then the rule's words of size."""
    if not words.tells_size(text) and not any(words.is_named(param, card, text) for param in card.params):
        return rule_goal(text, card)  # the plain task: whatever the model named would not be credible
    values = {"card": card, "text": text}
    messages = [
        Message("system", render("goal_compact.card", **values)),
        Message("user", render("goal_compact.user", **values)),
    ]
    schema = compact_goal_answer([param.name for param in card.params])
    answer = gateway.ask_one("goal", messages, schema, step=step, temperature=0.0, max_tokens=200).value
    asked, notes = take_params(card, answer.params)
    asked = _credible(asked, card, text)
    by_level, _ = words.read_params(card, text)
    by_number, _ = words.read_numbers(card, text)
    return _goal(
        text, card, {**by_level, **asked, **by_number}, notes, kind=_kind(text), rate=None, reading="", source="model"
    )


def _credible(asked: dict[str, ParamValue], card: Card, text: str) -> dict[str, ParamValue]:
    """A small model likes to fill in parameters that nobody spoke of: keep those that the words name.

    Where they name none but tell a size ("hurdles half a metre high"), its first axis of difficulty stands.
    """
    known = {param.name: param for param in card.params}
    named = {name: value for name, value in asked.items() if words.is_named(known[name], card, text)}
    if named or not words.tells_size(text):
        return named
    return dict([(name, value) for name, value in asked.items() if known[name].step][:1])


def _goal(
    text: str,
    card: Card,
    params: dict[str, ParamValue],
    notes: list[str],
    *,
    kind: GoalKind,
    rate: float | None,
    reading: str,
    source: str,
) -> Goal:
    defaults = default_params(card)
    changed = {name: value for name, value in params.items() if value != defaults.get(name)}
    said = reading or f"Learn {card.title.rstrip('.')}{f' with {words_of(changed, card)}' if changed else ''}."
    return Goal(
        text=text,
        family=card.family,
        kind=kind,
        target={**default_params(card), **params},
        horizon=card.horizon,
        rule=_rule(words.read_success(text) if rate is None else rate),
        reading=" ".join([said, *(note + "." for note in notes)]),
        source=source,
    )


def _rule(rate: float | None) -> SuccessRule:
    """The wanted success rate, with the lower end of its interval 0.2 below it, as the default rule has."""
    if rate is None or not 0.05 <= rate <= 1.0:
        return SuccessRule()
    return SuccessRule(min_success_rate=rate, min_lower_bound=max(round(rate - 0.2, 4), 0.0))


def _kind(text: str) -> GoalKind:
    return GoalKind.OPEN if words.is_open(text) else GoalKind.TARGET
