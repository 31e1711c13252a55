"""Trained candidates and the verdict -> what to change in the next generation of reward programs.

The rule `diagnosis` applies the three reading rules of Eureka (Ma et al. 2023, https://arxiv.org/abs/2310.12931, section 3.3:
success near zero, a flat component, a dominating component) with the numbers at hand, and a fourth for farmed rewards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envs.family import Card
from envs.task import TaskSpec
from experimenter.llm.gateway import Gateway
from experimenter.records import Reflection, Verdict
from experimenter.roles.candidate import CandidateReport, one_line, rank
from experimenter.roles.common import ask_messages, is_small, need, with_fallback
from prompts.answers import CompactReflectorAnswer, ReflectorAnswer
from prompts.templates import brief, number

_NO_SUCCESS = 0.05
_FLAT = 0.05
"""A term whose mean moves by less than this share of its largest size over training is flat."""
_DOMINANT = 0.8
"""A term with more than this share of the sum of all terms' sizes dominates."""
_FARMED = 0.2


def reflect(
    gateway: Gateway | None,
    *,
    card: Card,
    task: TaskSpec,
    verdict: Verdict,
    candidates: Sequence[CandidateReport],
    step: str,
    lessons: Sequence[str] = (),
    feedback: str = "",
) -> Reflection:
    """Say what the next generation of rewards should keep, change and try.

    `lessons` are those kept so far, each with its grade; `feedback` is what the person said.
    """
    ranked = rank(candidates)
    told = {"lineage": [one_line(one) for one in candidates], "lessons": tuple(lessons), "feedback": feedback}
    return with_fallback(
        lambda: _ask(need(gateway), card, task, verdict, ranked, told, step),
        lambda why: rule_diagnosis(ranked),
        role="reflector",
        name="diagnosis",
    )


def rule_diagnosis(candidates: Sequence[CandidateReport]) -> Reflection:
    """Diagnose the best candidate that carries a program (baselines carry none), and every failure, by fixed rules."""
    ranked = rank(candidates)
    best = next((one for one in ranked if one.source and one.terms and not one.failure), None)
    findings = diagnose(best) if best else []
    findings += [f"{one.label} failed: {brief(one.failure, 200).rstrip('.')}." for one in ranked if one.failure][:3]
    text = " ".join(findings) or "Nothing measured points at a fault; try another shape of the main term."
    return Reflection(text=text, lessons=tuple(finding[:200] for finding in findings[:3]), source="rule:diagnosis")


def diagnose(candidate: CandidateReport) -> list[str]:
    """The findings of the four rules on one candidate, each with its numbers."""
    return [*_no_success(candidate), *_flat_terms(candidate), *_dominant_term(candidate), *_farmed(candidate)]


def _no_success(candidate: CandidateReport) -> list[str]:
    if candidate.success_rate is None or candidate.success_rate >= _NO_SUCCESS:
        return []
    rate = f"{100 * candidate.success_rate:.0f}%"
    return [
        f"Success is near zero ({rate}) with {candidate.label}: rewrite it around another dense term that shows the way at every step."
    ]


def _flat_terms(candidate: CandidateReport) -> list[str]:
    flat = [(name, track.points) for name, track in candidate.terms.items() if track.moves < _FLAT]
    return [
        f"Term {name} stays flat ({number(points[0])} -> {number(points[-1])}): rescale it, give it a softer shape, or drop it."
        for name, points in flat
    ]


def _dominant_term(candidate: CandidateReport) -> list[str]:
    sizes = {name: abs(track.points[-1]) for name, track in candidate.terms.items()}
    total = sum(sizes.values())
    if len(sizes) < 2 or total == 0.0:
        return []
    name = max(sizes, key=lambda key: sizes[key])
    share = sizes[name] / total
    if share <= _DOMINANT:
        return []
    return [
        f"Term {name} makes up {100 * share:.0f}% of the reward's size: scale it down, or the others up, so that they count."
    ]


def _farmed(candidate: CandidateReport) -> list[str]:
    if candidate.correlation is None or candidate.correlation >= _FARMED:
        return []
    value = number(candidate.correlation)
    return [
        f"The reward of {candidate.label} does not go with fitness (correlation {value}): it pays for something else; tie it to the task."
    ]


def _ask(
    gateway: Gateway,
    card: Card,
    task: TaskSpec,
    verdict: Verdict,
    candidates: Sequence[CandidateReport],
    told: Mapping[str, object],
    step: str,
) -> Reflection:
    if is_small(gateway):
        return _ask_small(gateway, card, candidates, str(told["feedback"]), step)
    messages = ask_messages("reflector", card=card, task=task, verdict=verdict, candidates=candidates, **told)
    answer = gateway.ask_one("reflector", messages, ReflectorAnswer, step=step, max_tokens=1200).value
    shown = len(told["lessons"]) if isinstance(told["lessons"], tuple) else 0
    wrong = tuple(sorted({number for number in answer.contradicted if number <= shown}))
    return Reflection(text=answer.advice, lessons=tuple(answer.lessons), contradicted=wrong, source="model")


def _ask_small(
    gateway: Gateway, card: Card, candidates: Sequence[CandidateReport], feedback: str, step: str
) -> Reflection:
    """A small model adds one sentence to the rule's diagnosis, which stands first."""
    found = rule_diagnosis(candidates)
    shown = {"candidates": candidates[:3], "diagnosis": found.text, "feedback": feedback}
    messages = ask_messages("reflector_compact", card=card, **shown)
    answer = gateway.ask_one("reflector", messages, CompactReflectorAnswer, step=step, max_tokens=120).value
    return Reflection(text=f"{found.text} {answer.advice}", lessons=found.lessons, source="model")
