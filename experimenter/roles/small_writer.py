"""Reward specifications from a small model: signs first, by scoring; then terms, under a grammar in which the signs are fixed.

The model chooses variables, shapes and weights. What follows from the card is not asked: a quantity that can be of either sign
is penalised by its size, the scale is the range. So no answer can contradict the scored signs or name what does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.family import Card
from envs.task import TaskSpec
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Answer, Failed, Message
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.moves import cross_specifications, mutate_specification
from experimenter.rewards.specification import describe
from experimenter.roles.candidate import CandidateReport
from experimenter.roles.signs import Quantity, list_quantities, score_signs
from prompts.answers import CompactRewardAnswer, compact_reward_answer
from prompts.specification import RewardSpecification, RewardTerm
from prompts.templates import render

_MOST_GOOD, _MOST_BAD = 2, 4
_TEMPERATURE = 0.9
BRED = "moves"
"""Author of a specification that was bred from a model's one."""


@dataclass(frozen=True)
class _Offer:
    """A quantity as the small model is offered it."""

    quantity: Quantity

    @property
    def name(self) -> str:
        return self.quantity.name

    @property
    def meaning(self) -> str:
        return self.quantity.meaning

    @property
    def wish(self) -> str:
        if self.quantity.is_flag:
            return "good" if self.quantity.direction == "reward" else "bad"
        return "larger is better" if self.quantity.direction == "reward" else "smaller is better"


def write_specifications(
    gateway: Gateway,
    task: TaskSpec,
    card: Card,
    *,
    k: int,
    findings: str,
    parents: Sequence[CandidateReport] = (),
    seed: int = 0,
    step: str,
) -> tuple[list[RewardProgram], list[str], list[str]]:
    """Return up to k programs of kind SPECIFICATION, the refusals of unusable answers, and notes for the report.

    With parents nothing is asked: a small model repeats itself, so a mutation or a crossover is a move of `rewards/moves.py`, drawn
    with `seed` and never one that `parents` tried.
    """
    if parents:
        return _breed(parents, card, k, seed), [], []
    goal = card.success
    scored = score_signs(gateway, list_quantities(card), goal=f"{card.title}. {goal}", step=step)
    offered = choose_offered(scored)
    if not offered:
        return [], ["the model is sure of no variable's sign"], []
    alone = not any(quantity.direction == "reward" for quantity in offered)
    slots = {quantity.name: (shapes_for(quantity), *weights_for(quantity, alone)) for quantity in offered}
    user = render(
        "reward_writer_compact.user",
        goal=goal,
        quantities=[_Offer(quantity) for quantity in offered],
        findings=findings,
    )
    messages = [Message("system", render("reward_writer_compact.system")), Message("user", user)]
    answers = gateway.ask(
        "reward_writer",
        messages,
        compact_reward_answer(slots),
        step=step,
        n=k,
        temperature=_TEMPERATURE,
        max_tokens=220,
    )
    programs: list[RewardProgram] = []
    refusals: list[str] = []
    for answer in answers:
        if isinstance(answer, Failed):
            refusals.append(answer.error)
        else:
            programs.append(_program(answer, offered, card))
    signs = ", ".join(
        f"{quantity.name} {quantity.margin:+.1f}" for quantity in sorted(scored, key=lambda one: -one.margin)
    )
    return programs, refusals, [f"sign margins: {signs}"]


def choose_offered(scored: Sequence[Quantity]) -> list[Quantity]:
    """The quantities with the clearest signs: at most two to reward and four to penalise (failures first, no other flags)."""
    good = sorted((one for one in scored if one.direction == "reward"), key=lambda one: -one.margin)[:_MOST_GOOD]
    bad = [one for one in scored if one.direction == "penalise" and (one.is_failure or not one.is_flag)]
    return [*good, *sorted(bad, key=lambda one: (not one.is_failure, one.margin))[:_MOST_BAD]]


def shapes_for(quantity: Quantity) -> tuple[str, ...]:
    """Shapes that make sense for a quantity with its sign."""
    if quantity.is_flag:
        return ("linear",)
    if quantity.direction == "reward":
        # a place is paid by the way made, or standing still far out would pay for ever; a speed is paid as it is
        return ("linear",) if quantity.is_speed else ("progress",) if quantity.is_directed else ("linear", "progress")
    return ("absolute", "square") if quantity.low < 0 else ("linear", "square")


def weights_for(quantity: Quantity, alone: bool = False) -> tuple[float, float]:
    """Least and largest weight: progress leads, a failure costs tens of steps of it, all else is small.

    `alone`: there is nothing to reward, so penalties must count beside the bonus of 1 for staying.
    """
    if quantity.is_failure:
        return (10.0, 40.0)
    if quantity.direction == "reward":
        return 0.5, 5.0
    return (0.1, 2.0) if alone else (0.02, 0.5)


def make_specification(answer: CompactRewardAnswer, offered: Sequence[Quantity], card: Card) -> RewardSpecification:
    """Put the model's terms together with the scored signs and the card's scales; a variable named twice counts once."""
    by_name = {quantity.name: quantity for quantity in offered}
    terms: dict[str, RewardTerm] = {}
    for term in answer.terms:
        if term.variable in by_name:
            terms.setdefault(term.variable, _term(by_name[term.variable], term.shape, term.weight, card))
    gains = [term for term in terms.values() if term.direction == "reward"]
    return RewardSpecification(terms=tuple(terms.values()), alive_bonus=0.0 if gains else 1.0)


def _term(quantity: Quantity, shape: str, weight: float, card: Card) -> RewardTerm:
    values = {
        "variable": quantity.name,
        "direction": quantity.direction,
        "shape": shape,
        "weight": weight,
        # progress pays per step: the whole range in a whole episode comes to the weight times the horizon
        "scale": quantity.reach / card.horizon if shape == "progress" else quantity.reach,
    }
    return RewardTerm.model_validate(values)


def _breed(parents: Sequence[CandidateReport], card: Card, k: int, seed: int) -> list[RewardProgram]:
    known, bred = frozenset(parent.source for parent in parents), []
    for number in range(k):
        rng = np.random.default_rng([seed, number])
        if len(parents) == 1:
            text = mutate_specification(parents[0].source, card, rng, known=known)
        else:
            text = cross_specifications(parents[0].source, parents[1].source, card, rng, known=known)
        if text is None:
            continue
        known |= {text}
        specification = RewardSpecification.from_json(text)
        how = "A changed" if len(parents) == 1 else "A mixture of"
        names = " and ".join(parent.label for parent in parents)
        bred.append(
            RewardProgram(
                kind=RewardKind.SPECIFICATION,
                source=text,
                rationale=f"{how} {names}: {describe(specification)}",
                model=BRED,
                parents=tuple(parent.digest for parent in parents),
            )
        )
    return bred


def _program(answer: Answer[CompactRewardAnswer], offered: Sequence[Quantity], card: Card) -> RewardProgram:
    specification = make_specification(answer.value, offered, card)
    return RewardProgram(
        kind=RewardKind.SPECIFICATION,
        source=specification.to_json(),
        rationale=describe(specification),
        model=answer.model,
        prompt_digest=answer.prompt_digest,
    )
