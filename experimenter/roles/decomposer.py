"""Task -> at most four ordered subgoals, the last of which is the task; each is matched to a skill by evidence, or to be learnt.

A model's claim that a skill does a subgoal is only a hint: the match is decided by the skill's measured region. The rule
`halving` goes from the nearest certified task (or the family's plain one) in strides that each halve what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envs.family import Card
from envs.task import ParamValue, TaskSpec
from experimenter.llm.gateway import Gateway
from experimenter.records import Goal, SkillBrief, Subgoal
from experimenter.roles import ability
from experimenter.roles.ability import Params
from experimenter.roles.common import (
    ask_messages,
    default_params,
    is_small,
    log,
    need,
    take_params,
    with_fallback,
    words_of,
)
from experimenter.roles.web_planner import carry_lines
from prompts.answers import choice_answer, decomposer_answer
from prompts.web_answers import WebSubgoalAnswer, web_decomposer_answer

MAX_SUBGOALS = 4
_PAGES = "web"
"""The family whose subgoals may carry lines of a plan on a page."""
_EASY_STEPS = 1.0
"""A task this near to what is known (in natural steps) is not split."""


@dataclass(frozen=True)
class Plan:
    letter: str
    waypoints: tuple[Params, ...]
    """In order; the last is the task."""
    words: str


def decompose(
    gateway: Gateway | None, goal: Goal, task: TaskSpec, card: Card, *, skills: Sequence[SkillBrief], step: str
) -> list[Subgoal]:
    """Split `task` into one to four subgoals, in order; the last is the task itself."""
    return with_fallback(
        lambda: _ask(need(gateway), goal, task, card, skills, step),
        lambda why: rule_halving(goal, task, card, skills=skills),
        role="decomposer",
        name="halving",
    )


def rule_halving(goal: Goal, task: TaskSpec, card: Card, *, skills: Sequence[SkillBrief]) -> list[Subgoal]:
    """Split by halving what is left from certified ability to the task."""
    plan = _halving_plan(goal, task, card, skills)
    return [_subgoal(goal, card, skills, point, _words(card, point), "rule:halving") for point in plan]


def _halving_plan(goal: Goal, task: TaskSpec, card: Card, skills: Sequence[SkillBrief]) -> list[Params]:
    """Start (when nothing is certified there), half of the way, three quarters of it, the task."""
    end = _within_card(card, task.params)
    start, known = _start(goal, card, skills, end)
    points = [] if known or ability.distance(card, start, end) <= _EASY_STEPS else [start]
    share = 0.0
    while len(points) < MAX_SUBGOALS - 1:
        left = ability.distance(card, ability.toward(card, start, end, share), end)
        if left <= _EASY_STEPS:
            break
        share += (1.0 - share) / 2.0
        points.append(ability.toward(card, start, end, share))
    return _distinct([*points, end])


def _start(goal: Goal, card: Card, skills: Sequence[SkillBrief], end: Params) -> tuple[Params, bool]:
    nearest = ability.nearest(card, ability.proven(skills, card, goal.rule), end)
    return (ability.plain_of(card, end), False) if nearest is None else (nearest, True)


def _ask(
    gateway: Gateway, goal: Goal, task: TaskSpec, card: Card, skills: Sequence[SkillBrief], step: str
) -> list[Subgoal]:
    if is_small(gateway):
        return _ask_small(gateway, goal, task, card, skills, step)
    own = [skill for skill in skills if skill.family == card.family]
    messages = ask_messages("decomposer", card=card, goal=goal, task=task, skills=own)
    names = [param.name for param in card.params]
    schema = web_decomposer_answer(names) if card.family == _PAGES else decomposer_answer(names)
    answer = gateway.ask_one("decomposer", messages, schema, step=step, max_tokens=1000).value
    subgoals: list[Subgoal] = []
    for item in answer.subgoals:
        taken, notes = take_params(card, item.params)
        for note in notes:
            log.info("decomposer: %s", note)
        text = carry_lines(item.text, item.lines) if isinstance(item, WebSubgoalAnswer) else item.text
        subgoals.append(_subgoal(goal, card, skills, ability.fill(card, taken), text, "model"))
    return _closed(goal, task, card, skills, subgoals)


def _closed(
    goal: Goal, task: TaskSpec, card: Card, skills: Sequence[SkillBrief], subgoals: list[Subgoal]
) -> list[Subgoal]:
    """Drop repeats and whatever follows the task; make the task itself the last."""
    end = _within_card(card, task.params)
    kept: list[Subgoal] = []
    for subgoal in subgoals:
        if ability.same(subgoal.params, end):
            break
        if not any(ability.same(subgoal.params, old.params) for old in kept):
            kept.append(subgoal)
    return [*kept[: MAX_SUBGOALS - 1], _subgoal(goal, card, skills, end, _words(card, end), "model")]


def _ask_small(
    gateway: Gateway, goal: Goal, task: TaskSpec, card: Card, skills: Sequence[SkillBrief], step: str
) -> list[Subgoal]:
    plans = list_plans(goal, task, card, skills)
    if len(plans) == 1:
        return rule_halving(goal, task, card, skills=skills)
    able = [skill for skill in skills if skill.family == card.family][-3:]
    start, _ = _start(goal, card, skills, task.params)
    steps = ability.distance(card, start, task.params)
    messages = ask_messages("decomposer_compact", card=card, task=task, skills=able, options=plans, steps=steps)
    schema = choice_answer([plan.letter for plan in plans])
    answer = gateway.ask_one("decomposer", messages, schema, step=step, temperature=0.0, max_tokens=120).value
    plan = next(plan for plan in plans if plan.letter == answer.choice)
    return [_subgoal(goal, card, skills, point, _words(card, point), "model") for point in plan.waypoints]


def list_plans(goal: Goal, task: TaskSpec, card: Card, skills: Sequence[SkillBrief]) -> list[Plan]:
    """The plans that a small model may choose from: the task alone, and the tails of the halving plan."""
    full = _halving_plan(goal, task, card, skills)
    plans = [Plan("A", (full[-1],), f"learn {_words(card, full[-1])} directly")]
    for size in range(2, len(full) + 1):
        points = (*full[: size - 1], full[-1])
        words = ", then ".join(_words(card, point) for point in points)
        plans.append(Plan("ABCD"[size - 1], points, f"{size} steps: {words}"))
    return plans


def _subgoal(goal: Goal, card: Card, skills: Sequence[SkillBrief], params: Params, text: str, source: str) -> Subgoal:
    skill = ability.find_able(skills, card, params, goal.rule)
    return Subgoal(text=text, params={**params}, skill_id=skill.id if skill else None, source=source)


def _words(card: Card, params: Params) -> str:
    """What differs from the plain task."""
    plain = default_params(card)
    changed = {name: value for name, value in params.items() if value != plain.get(name)}
    return words_of(changed, card) if changed else "the plain task"


def _within_card(card: Card, params: dict[str, ParamValue]) -> Params:
    """The task's parameters as the card lists them, plus those that the card does not list, unchanged."""
    return {
        **params,
        **ability.fill(card, {name: value for name, value in params.items() if name in default_params(card)}),
    }


def _distinct(points: list[Params]) -> list[Params]:
    kept: list[Params] = []
    for point in points:
        if not any(ability.same(point, old) for old in kept):
            kept.append(point)
    return kept
