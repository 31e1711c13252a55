"""Goal, skills and past verdicts -> new tasks, each learnable now and leading on.

A strong model proposes parameters freely; a small one chooses among the options that the rule computes. The rule
`next_step` goes from the best certified task toward the target along the card's natural steps; for an open goal it
goes one step beyond what is certified, along each axis of difficulty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envs.family import Card
from envs.task import ParamValue
from experimenter.errors import AnswerInvalid
from experimenter.llm.gateway import Gateway
from experimenter.records import Goal, GoalKind, Proposal, Record, SkillBrief
from experimenter.roles import ability
from experimenter.roles.ability import Params
from experimenter.roles.common import ask_messages, is_small, log, need, take_params, with_fallback
from prompts.answers import choice_answer, proposer_answer

RULE = "rule:next_step"
MAX_HISTORY = 12


class TaskBrief(Record):
    """What the proposer is told about a task that was tried."""

    params: dict[str, ParamValue]
    state: str
    """`certified`, `dropped`, `matched`, ... as the session's task has it."""
    decision: str = ""
    """The judge's last decision."""
    success_rate: float | None = None
    fitness_iqm: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Option:
    """A task that the rule can reach, in words; `letter` is its name in a compact prompt."""

    letter: str
    params: Params
    words: str


def propose(
    gateway: Gateway | None,
    goal: Goal,
    card: Card,
    *,
    skills: Sequence[SkillBrief],
    history: Sequence[TaskBrief],
    n: int = 1,
    step: str,
) -> list[Proposal]:
    """Propose at most `n` new tasks, best first; an empty list when nothing new is left to try.

    Every proposal names every parameter of the card, inside its range, and none repeats a certified or tried task.
    """
    return with_fallback(
        lambda: _ask(need(gateway), goal, card, skills, history, n, step),
        lambda why: rule_next_step(goal, card, skills=skills, history=history, n=n),
        role="proposer",
        name="next_step",
    )


def rule_next_step(
    goal: Goal, card: Card, *, skills: Sequence[SkillBrief], history: Sequence[TaskBrief], n: int = 1
) -> list[Proposal]:
    """Propose by the card's natural steps alone."""
    options = list_options(goal, card, skills, history)
    return [Proposal(params={**option.params}, reason=option.words, source=RULE) for option in options[:n]]


def list_options(goal: Goal, card: Card, skills: Sequence[SkillBrief], history: Sequence[TaskBrief]) -> list[Option]:
    """New tasks that the rule can reach, best first, at most five, lettered from A."""
    known = _certified(goal, card, skills, history)
    failed = [ability.fill(card, task.params) for task in history if task.state not in ("certified", "matched")]
    reached = (
        _open_moves(card, known, goal.target)
        if goal.kind is GoalKind.OPEN
        else _target_moves(card, known, failed, goal.target)
    )
    fresh: list[tuple[Params, str]] = []
    for params, reason in reached:
        if not any(ability.same(params, old) for old in [*known, *failed, *(new for new, _ in fresh)]):
            fresh.append((params, reason))
    return [Option("ABCDE"[index], params, reason) for index, (params, reason) in enumerate(fresh[:5])]


def _target_moves(
    card: Card, known: list[Params], failed: list[Params], target: Params
) -> Iterable[tuple[Params, str]]:
    """Tasks on the way to the target, the most promising first."""
    end = ability.fill(card, target)
    start = ability.nearest(card, known, end)
    if start is None and not failed:
        yield end, "the target itself, nothing is known yet"
    plain = ability.plain_of(card, end)
    here = plain if start is None else start
    away = ability.distance(card, here, end)
    if start is not None and away <= 1.0:
        yield end, "the target itself, one natural step or less from what is certified"
    if start is None and failed:
        yield plain, "the plain task, to have something certified"
    blocked = any(ability.distance(card, here, task) <= 1.0 for task in failed)
    for steps, reason in _strides(away, blocked):
        if 0.0 < steps < away:
            yield ability.toward(card, here, end, steps / away), f"{reason} from what is certified toward the target"
    yield end, "the target itself"


def _strides(away: float, blocked: bool) -> tuple[tuple[float, str], ...]:
    """Lengths of the next stride in natural steps; shorter ones where a stride of one step has failed."""
    if blocked:
        return (0.5, "half a natural step"), (0.25, "a quarter of a natural step")
    return (1.0, "one natural step"), (2.0, "two natural steps"), (away / 2.0, "half of the way")


def _open_moves(card: Card, known: list[Params], target: Params) -> Iterable[tuple[Params, str]]:
    """The frontier: one natural step beyond what is certified along each axis, the easiest first, then two."""
    plain = ability.plain_of(card, target)
    if not known:
        yield plain, "the plain task, nothing is certified yet"
    frontier = sorted(known, key=lambda point: ability.distance(card, plain, point))
    for steps in (1.0, 2.0, 0.5):
        for point in frontier:
            for param in ability.axes(card):
                yield (
                    ability.beyond(card, point, param, steps),
                    f"{steps:g} natural step{'s' if steps > 1 else ''} more {param.name} than certified",
                )


def _certified(goal: Goal, card: Card, skills: Sequence[SkillBrief], history: Sequence[TaskBrief]) -> list[Params]:
    own = [ability.fill(card, task.params) for task in history if task.state in ("certified", "matched")]
    return ability.proven(skills, card, goal.rule) + own


def _ask(
    gateway: Gateway,
    goal: Goal,
    card: Card,
    skills: Sequence[SkillBrief],
    history: Sequence[TaskBrief],
    n: int,
    step: str,
) -> list[Proposal]:
    if is_small(gateway):
        return _ask_small(gateway, goal, card, skills, history, n, step)
    messages = ask_messages("proposer", card=card, goal=goal, skills=skills, history=history[-MAX_HISTORY:], n=n)
    schema = proposer_answer([param.name for param in card.params])
    answer = gateway.ask_one("proposer", messages, schema, step=step, max_tokens=1200).value
    offered = [(ability.fill(card, _taken(card, task.params)), task.reason) for task in answer.tasks]
    known = _certified(goal, card, skills, history) + [
        ability.fill(card, task.params) for task in history if task.decision != "extend"
    ]
    proposals: list[Proposal] = []
    for params, reason in offered:
        if not any(ability.same(params, old) for old in [*known, *(made.params for made in proposals)]):
            proposals.append(Proposal(params={**params}, reason=reason, source="model"))
    if not proposals:
        raise AnswerInvalid(f"every task that {gateway.model} proposed is certified or was tried already")
    return proposals[:n]


def _ask_small(
    gateway: Gateway,
    goal: Goal,
    card: Card,
    skills: Sequence[SkillBrief],
    history: Sequence[TaskBrief],
    n: int,
    step: str,
) -> list[Proposal]:
    options = list_options(goal, card, skills, history)
    if len(options) < 2:
        return rule_next_step(goal, card, skills=skills, history=history, n=n)
    messages = ask_messages(
        "proposer_compact", card=card, goal=goal, skills=skills[-3:], history=history[-4:], options=options
    )
    schema = choice_answer([option.letter for option in options])
    answer = gateway.ask_one("proposer", messages, schema, step=step, temperature=0.0, max_tokens=120).value
    first = next(option for option in options if option.letter == answer.choice)
    rest = [option for option in options if option is not first]
    chosen = Proposal(params={**first.params}, reason=answer.reason or first.words, source="model")
    return [chosen, *(Proposal(params={**option.params}, reason=option.words, source=RULE) for option in rest[: n - 1])]


def _taken(card: Card, values: Iterable[object]) -> dict[str, ParamValue]:
    params, notes = take_params(card, values)  # type: ignore[arg-type]  # the narrowed answer type is made at run time
    for note in notes:
        log.info("proposer: %s", note)
    return params
