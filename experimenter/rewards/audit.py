"""Is the reward being hacked? Scale-free questions about a training run, each answered with a number, a threshold and words.

`audit_curve` asks a learning curve alone. `audit_run` asks everything that is known: the curve, episodes of the policy and of
others with what the program pays for them, perturbed worlds, behaviour, and what two judges saw. Pure functions: no worlds,
no generated code. Order of reading: Audit, audit_run, then `audit_facts` (measurements) and `audit_rules` (questions).

The strongest witness is *preference inversion*: the program pays the trained policy more than another policy that is clearly
fitter. A program that pays the fitter policy more is cleared of what its curve looks like: the training fell short, not it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experimenter.records import CurvePoint
from experimenter.rewards import audit_rules as rules
from experimenter.rewards.audit_evidence import AuditInput
from experimenter.rewards.audit_facts import CurveFacts, Thresholds, dominant_term, read_curve, spearman, stand
from experimenter.rewards.audit_rules import Suspicion

__all__ = ["Audit", "Suspicion", "Thresholds", "audit_curve", "audit_run", "dominant_term", "spearman"]

DEFAULT = Thresholds()


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What was found. `hacked` is the answer, the rest is why."""

    correlation: float | None
    """Spearman rank correlation of reward and fitness over the curve; None when it cannot be told."""
    reward_trend: float | None
    """Spearman correlation of reward with the step count."""
    fitness_trend: float | None
    dominant_term: str | None
    """The term with the largest share of all terms' magnitude."""
    dominant_share: float | None
    suspicions: tuple[Suspicion, ...]
    """What speaks for hacking; a weak one alone is a remark."""
    cleared: str = ""
    """What speaks against it and outweighs the curve, in words; empty when nothing does."""

    @property
    def hacked(self) -> bool:
        """Whether any suspicion is strong."""
        return any(suspicion.strong for suspicion in self.suspicions)

    @property
    def numbers(self) -> dict[str, float]:
        """Plain floats for a verdict: `hacking` (1 or 0) and every suspicion's number by its rule."""
        return {"hacking": float(self.hacked), **{s.rule: float(s.number) for s in self.suspicions}}

    @property
    def words(self) -> tuple[str, ...]:
        """The suspicions in words, the strong ones first."""
        return tuple(s.words for s in sorted(self.suspicions, key=lambda s: not s.strong))


def audit_curve(points: Sequence[CurvePoint]) -> Audit:
    """Audit a learning curve alone."""
    return audit_run(AuditInput(family="", horizon=1, curve=tuple(points)))


def audit_run(evidence: AuditInput, thresholds: Thresholds = DEFAULT) -> Audit:
    """Audit a training run by all that is known of it; less evidence makes it less sure, never an error."""
    t, facts = thresholds, read_curve(evidence.curve)
    if evidence.reward_is_fitness:
        return _conclude(facts, [], "the reward is the fitness itself")
    standing = stand(evidence, t)
    strong = _present(rules.inversion(standing, t), rules.worse_than_random(standing, t))
    cleared = "" if strong else rules.clear(standing, facts, t)
    weak = _present(
        rules.native(facts, standing, t),
        rules.indifference(standing, t),
        rules.dominance(facts, t),
        rules.stress(evidence, standing, t),
        rules.exploit(evidence, standing, t),
        rules.judges(evidence),
    )
    curve = rules.divergence(facts, standing, t, witnesses=len(weak), cleared=bool(cleared))
    return _conclude(facts, [*strong, *_present(curve), *weak], cleared)


def _present(*suspicions: Suspicion | None) -> list[Suspicion]:
    return [suspicion for suspicion in suspicions if suspicion is not None]


def _conclude(facts: CurveFacts, suspicions: list[Suspicion], cleared: str) -> Audit:
    return Audit(
        correlation=facts.correlation,
        reward_trend=facts.reward_trend,
        fitness_trend=facts.fitness_trend,
        dominant_term=facts.dominant_term,
        dominant_share=facts.dominant_share,
        suspicions=tuple(suspicions),
        cleared=cleared,
    )
