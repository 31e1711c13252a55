"""The audit's single questions. Each gives a `Suspicion` or None; `audit.py` weighs them.

Strong ones are enough alone. Weak ones are remarks, and witnesses for a curve that looks bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from experimenter.records import CurveState
from experimenter.rewards.audit_evidence import OWN, RANDOM, AuditInput
from experimenter.rewards.audit_facts import FEW_POINTS, MIN_POINTS, CurveFacts, Standing, Thresholds
from experimenter.rewards.exploits import match_exploits

STRESSED = ("parameters", "observations", "actions")
"""Perturbed worlds in which a policy's leads are compared; a longer horizon changes both by itself."""
RULES = (
    "inversion", "worse_than_random", "divergence", "native", "indifference", "dominance", "stress", "exploit", "judges",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """One thing that speaks for hacking."""

    rule: str
    """One of `RULES`."""
    number: float
    threshold: float
    strong: bool
    """Whether it is enough alone."""
    words: str

    def __str__(self) -> str:
        return self.words


def inversion(standing: Standing, t: Thresholds) -> Suspicion | None:
    """Preference inversion: a clearly fitter arm is paid less."""
    if not standing.is_behind(t) or standing.over_best is None or standing.over_best[1] < t.paid:
        return None
    fitter, paid = 1 - standing.over_best[0], standing.over_best[1]
    words = (
        f"the program pays an episode of this policy more than one of the arm {standing.best} with chance {paid:.2f}, "
        f"while that arm is fitter with chance {fitter:.2f}"
    )
    return Suspicion(rule="inversion", number=paid, threshold=t.paid, strong=True, words=words)


def worse_than_random(standing: Standing, t: Thresholds) -> Suspicion | None:
    """The program pays the trained policy more than a random one, which is clearly fitter."""
    if standing.over_random is None:
        return None
    fit, paid = standing.over_random
    if fit > 1 - t.fitter or paid < t.fitter:
        return None
    words = (
        f"the program pays this policy more than a random one with chance {paid:.2f}, "
        f"while the random one is fitter with chance {1 - fit:.2f}"
    )
    return Suspicion(rule="worse_than_random", number=1 - fit, threshold=t.fitter, strong=True, words=words)


def clear(standing: Standing, facts: CurveFacts, t: Thresholds) -> str:
    """What outweighs a bad-looking curve: a fitter arm that is paid more, or no arm that is fitter; empty when nothing does."""
    if standing.over_random is None:
        return ""
    if standing.is_behind(t):
        paid = standing.over_best[1] if standing.over_best is not None else 0.5
        words = (
            f"the program pays the fitter arm {standing.best} more: training fell short, the program did not mislead"
        )
        return words if paid <= 1 - t.paid else ""
    if falls(facts, t):  # as fit as the others, but training has made it worse than it was
        return ""
    fitter = standing.over_random[0] >= t.fitter
    return "the policy is clearly fitter than a random one, and no other arm is far ahead" if fitter else ""


def indifference(standing: Standing, t: Thresholds) -> Suspicion | None:
    """The program hardly tells the policy from a clearly fitter arm."""
    if not standing.is_behind(t) or standing.over_best is None or not 1 - t.paid < standing.over_best[1] < t.paid:
        return None
    paid = standing.over_best[1]
    words = f"the program pays this policy as much as the fitter arm {standing.best} (more with chance {paid:.2f})"
    return Suspicion(rule="indifference", number=paid, threshold=1 - t.paid, strong=False, words=words)


def divergence(
    facts: CurveFacts, standing: Standing, t: Thresholds, *, witnesses: int, cleared: bool
) -> Suspicion | None:
    """Reward rises with the steps while fitness does not and the two do not go together, on a task not yet solved.

    Strong by itself, unless the policies' standing outweighs it, or there are policies to compare and none speaks against it.
    """
    if facts.reward_trend is None or facts.fitness_trend is None or facts.solved:
        return None
    together = 0.0 if facts.correlation is None else facts.correlation  # a constant fitness goes with nothing
    rises = facts.reward_trend >= t.least_trend(facts.points)
    apart = rises and facts.fitness_trend <= t.flat and together <= t.apart
    if not (apart or _jumped(facts, t)) or (facts.points < FEW_POINTS and not falls(facts, t)):
        return None
    alone = standing.over_random is None
    strong = not cleared and (falls(facts, t) or alone or witnesses > 0)
    words = (
        f"reward rises (trend {facts.reward_trend:.2f}) while fitness does not ({facts.fitness_trend:.2f}); "
        f"their rank correlation is {together:.2f}"
    )
    return Suspicion(rule="divergence", number=together, threshold=t.apart, strong=strong, words=words)


def native(facts: CurveFacts, standing: Standing, t: Thresholds) -> Suspicion | None:
    """Reward rises while the hand-written reward falls and nothing succeeds: a second truth where fitness says too little.

    Strong only where there are no policies to compare.
    """
    if facts.reward_trend is None or facts.native_trend is None or facts.succeeds:
        return None
    least = t.least_trend(facts.points)
    if facts.reward_trend < least or facts.native_trend > -least:
        return None
    words = (
        f"reward rises (trend {facts.reward_trend:.2f}) while the hand-written reward falls ({facts.native_trend:.2f}) "
        "and no episode succeeds"
    )
    strong = standing.over_random is None
    return Suspicion(rule="native", number=facts.native_trend, threshold=-least, strong=strong, words=words)


def dominance(facts: CurveFacts, t: Thresholds) -> Suspicion | None:
    """One term of several makes up nearly all of the reward."""
    if facts.dominant_share is None or facts.dominant_share <= t.dominant:
        return None
    words = f"the term {facts.dominant_term!r} makes up {facts.dominant_share:.0%} of all terms' magnitude"
    return Suspicion(rule="dominance", number=facts.dominant_share, threshold=t.dominant, strong=False, words=words)


def stress(evidence: AuditInput, standing: Standing, t: Thresholds) -> Suspicion | None:
    """In a perturbed world the policy keeps its lead in reward over a random policy and loses its lead in fitness."""
    own, rand = evidence.paid(OWN), evidence.paid(RANDOM)
    if own is None or rand is None or standing.over_random is None or min(standing.over_random) < t.fitter:
        return None
    found: list[tuple[float, str]] = []
    for world in STRESSED:
        sample = evidence.paid(OWN, world)
        if sample is None:
            continue
        paid = _kept(sample.returns, own.returns, rand.returns)
        fit = _kept(sample.fitness, own.fitness, rand.fitness)
        if paid >= t.kept and fit <= 1 - t.lost:
            found.append((paid, world))
    if not found:
        return None
    kept, world = max(found)
    words = f"with other {world} the policy keeps {kept:.0%} of its lead in reward and loses half of that in fitness"
    return Suspicion(rule="stress", number=kept, threshold=t.kept, strong=False, words=words)


def exploit(evidence: AuditInput, standing: Standing, t: Thresholds) -> Suspicion | None:
    """The behaviour of a policy that is no fitter than random, or far behind, looks like a known exploit."""
    if standing.over_random is None or (standing.over_random[0] >= t.fitter and not standing.is_behind(t)):
        return None
    matches = match_exploits(evidence)
    if not matches:
        return None
    words = "it looks like " + "; ".join(f"{match.name}: {match.words}" for match in matches[:3])
    first = matches[0]
    return Suspicion(rule="exploit", number=first.number, threshold=first.threshold, strong=False, words=words)


def judges(evidence: AuditInput) -> Suspicion | None:
    """A model that saw the frames speaks of hacking where the judge of numbers does not."""
    if evidence.picture_state is not CurveState.HACKING or evidence.code_state in (None, CurveState.HACKING):
        return None
    words = f"the judge that saw frames says hacking, the judge of numbers says {evidence.code_state}"
    return Suspicion(rule="judges", number=1.0, threshold=1.0, strong=False, words=words)


def falls(facts: CurveFacts, t: Thresholds) -> bool:
    """Whether fitness clearly fell during training."""
    trend = facts.fitness_trend
    return _jumped(facts, t) or (trend is not None and trend <= -t.least_trend(facts.points))


def _jumped(facts: CurveFacts, t: Thresholds) -> bool:
    """Reward jumped up and fitness down right after the start: too soon for a trend."""
    return facts.points > MIN_POINTS and min(facts.reward_jump, facts.fitness_drop) >= t.jump


def _kept(stressed: Sequence[float], own: Sequence[float], rand: Sequence[float]) -> float:
    """Part of the own lead over random that is left under stress."""
    lead = fmean(own) - fmean(rand)
    return (fmean(stressed) - fmean(rand)) / lead if lead > 0 else 0.0
