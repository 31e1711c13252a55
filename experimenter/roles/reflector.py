"""Trained candidates and the verdict -> what to change in the next generation of reward programs.

The rule `diagnosis` applies the three reading rules of Eureka (Ma et al. 2023, https://arxiv.org/abs/2310.12931, section 3.3:
success near zero, a flat component, a dominating component) with the numbers at hand, and a fourth for farmed rewards.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from envs.family import Card
from envs.task import TaskSpec
from experimenter.llm.gateway import Gateway
from experimenter.records import Record, Reflection, Verdict
from experimenter.roles.common import ask_messages, is_small, need, with_fallback
from prompts.answers import CompactReflectorAnswer, ReflectorAnswer
from prompts.templates import number

_NO_SUCCESS = 0.05
_FLAT = 0.05
"""A term whose mean moves by less than this share of its largest size over training is flat."""
_DOMINANT = 0.8
"""A term with more than this share of the sum of all terms' sizes dominates."""
_FARMED = 0.2
MAX_CANDIDATES = 5


class CandidateReport(Record):
    """What is known of one trained (or failed) candidate."""

    label: str
    source: str = ""
    """Program text; empty for the baselines."""
    fate: str
    """`won`, `eliminated`, `failed`, ..."""
    fitness_iqm: float | None = None
    fitness_low: float | None = None
    """Ends of the bootstrap interval of the interquartile mean."""
    fitness_high: float | None = None
    success_rate: float | None = None
    terms: dict[str, tuple[float, float, float]] = Field(default_factory=dict)
    """Mean per step of each reward term in the first, middle and last third of training."""
    length: tuple[float, float] | None = None
    """Mean episode length at the start and at the end of training, in control steps."""
    correlation: float | None = None
    """Of training reward with fitness, over the curve."""
    failure: str = ""

    @property
    def numbers(self) -> str:
        """Everything measured, in words."""
        return describe(self)


def reflect(
    gateway: Gateway | None,
    *,
    card: Card,
    task: TaskSpec,
    verdict: Verdict,
    candidates: Sequence[CandidateReport],
    step: str,
) -> Reflection:
    """Say what the next generation of rewards should keep, change and try."""
    ranked = rank(candidates)
    return with_fallback(
        lambda: _ask(need(gateway), card, task, verdict, ranked, step),
        lambda why: rule_diagnosis(ranked),
        role="reflector",
        name="diagnosis",
    )


def rule_diagnosis(candidates: Sequence[CandidateReport]) -> Reflection:
    """Diagnose the best candidate that carries a program, and every failure, by fixed rules."""
    ranked = rank(candidates)
    best = next((candidate for candidate in ranked if candidate.terms and not candidate.failure), None)
    findings = diagnose(best) if best else []
    findings += [f"{candidate.label} failed: {candidate.failure[:200]}" for candidate in ranked if candidate.failure][
        :3
    ]
    text = " ".join(findings) or "Nothing measured points at a fault; try another shape of the main term."
    return Reflection(text=text, lessons=tuple(finding[:200] for finding in findings[:3]), source="rule:diagnosis")


def rank(candidates: Sequence[CandidateReport]) -> list[CandidateReport]:
    """Best fitness first, failures last."""
    return sorted(candidates, key=lambda one: (one.fitness_iqm is None, -(one.fitness_iqm or 0.0)))[:MAX_CANDIDATES]


def diagnose(candidate: CandidateReport) -> list[str]:
    """The findings of the four rules on one candidate, each with its numbers."""
    return [*_no_success(candidate), *_flat_terms(candidate), *_dominant_term(candidate), *_farmed(candidate)]


def describe(candidate: CandidateReport) -> str:
    """The candidate's numbers in one paragraph."""
    parts = []
    if candidate.fitness_iqm is not None:
        span = (
            ""
            if candidate.fitness_low is None or candidate.fitness_high is None
            else (f" ({number(candidate.fitness_low)} to {number(candidate.fitness_high)})")
        )
        parts.append(f"fitness {number(candidate.fitness_iqm)}{span}")
    if candidate.success_rate is not None:
        parts.append(f"success {100 * candidate.success_rate:.0f}%")
    if candidate.length:
        parts.append(f"episode length {number(candidate.length[0])} -> {number(candidate.length[1])}")
    if candidate.correlation is not None:
        parts.append(f"correlation of reward with fitness {number(candidate.correlation)}")
    parts += [
        f"term {name}: {' -> '.join(number(value) for value in means)}" for name, means in candidate.terms.items()
    ]
    if candidate.failure:
        parts.append(f"failed: {candidate.failure[:300]}")
    return "; ".join(parts) + "." if parts else "Nothing was measured."


def _no_success(candidate: CandidateReport) -> list[str]:
    if candidate.success_rate is None or candidate.success_rate >= _NO_SUCCESS:
        return []
    rate = f"{100 * candidate.success_rate:.0f}%"
    return [
        f"Success is near zero ({rate}) with {candidate.label}: rewrite it around another dense term that shows the way at every step."
    ]


def _flat_terms(candidate: CandidateReport) -> list[str]:
    flat = [name for name, means in candidate.terms.items() if _moves(means) < _FLAT]
    return [
        f"Term {name} stays flat ({' -> '.join(number(value) for value in candidate.terms[name])}): rescale it, give it a softer shape, or drop it."
        for name in flat
    ]


def _dominant_term(candidate: CandidateReport) -> list[str]:
    sizes = {name: abs(means[-1]) for name, means in candidate.terms.items()}
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


def _moves(means: tuple[float, float, float]) -> float:
    """How far a term's mean moves over training, as a share of its largest size; 0 for a term that is always zero."""
    largest = max(abs(value) for value in means)
    return (max(means) - min(means)) / largest if largest else 0.0


def _ask(
    gateway: Gateway, card: Card, task: TaskSpec, verdict: Verdict, candidates: Sequence[CandidateReport], step: str
) -> Reflection:
    if is_small(gateway):
        return _ask_small(gateway, card, candidates, step)
    messages = ask_messages("reflector", card=card, task=task, verdict=verdict, candidates=candidates)
    answer = gateway.ask_one("reflector", messages, ReflectorAnswer, step=step, max_tokens=1200).value
    return Reflection(text=answer.advice, lessons=tuple(answer.lessons), source="model")


def _ask_small(gateway: Gateway, card: Card, candidates: Sequence[CandidateReport], step: str) -> Reflection:
    """A small model adds one sentence to the rule's diagnosis, which stands first."""
    found = rule_diagnosis(candidates)
    messages = ask_messages("reflector_compact", card=card, candidates=candidates[:3], diagnosis=found.text)
    answer = gateway.ask_one("reflector", messages, CompactReflectorAnswer, step=step, max_tokens=120).value
    return Reflection(text=f"{found.text} {answer.advice}", lessons=found.lessons, source="model")
