"""Two scale-free questions about a learning curve: does reward rise while fitness does not, and does one term do all the work?

Pure functions over curve points. They give numbers and suspicions; the judge decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experimenter.records import CurvePoint
from skills.evidence import rank_correlation

MIN_POINTS = 8
"""Fewer points say too little: with 7 points chance alone gives |rho| > 0.71 in one curve of ten."""
SOLVED = 0.9
"""Mean success over the last quarter of a curve from which fitness has no reason left to rise."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What the two rules found."""

    correlation: float | None
    """Spearman rank correlation of reward and fitness over the curve; None when it cannot be told."""
    reward_trend: float | None
    """Spearman correlation of reward with the step count."""
    fitness_trend: float | None
    dominant_term: str | None
    """The term with the largest share of all terms' magnitude."""
    dominant_share: float | None
    suspicions: tuple[str, ...]


def audit_curve(
    points: Sequence[CurvePoint],
    *,
    rise: float = 0.5,
    divergence: float = 0.3,
    flat: float = 0.1,
    dominance: float = 0.9,
) -> Audit:
    """Audit a curve. Suspicious: reward rises with the steps (trend >= `rise`) while fitness does not (trend <= `flat`)
    and the two do not go together (correlation <= `divergence`) and the task is not already solved; or one term of several
    has a share above `dominance`.
    """
    both = [(p.step, p.reward, p.fitness) for p in points if p.reward is not None and p.fitness is not None]
    steps, rewards, fitness = ([row[column] for row in both] for column in range(3))
    enough = len(both) >= MIN_POINTS
    correlation = spearman(rewards, fitness) if enough else None
    reward_trend = spearman(steps, rewards) if enough else None
    fitness_trend = _trend(steps, fitness) if enough else None
    term, share = dominant_term(points)
    suspicions = []
    together = 0.0 if correlation is None else correlation  # a constant fitness goes with nothing
    if reward_trend is None or fitness_trend is None or _is_solved(points):
        pass
    elif reward_trend >= rise and fitness_trend <= flat and together <= divergence:
        suspicions.append(
            f"reward rises (trend {reward_trend:.2f}) while fitness does not ({fitness_trend:.2f}); "
            f"their rank correlation is {together:.2f}"
        )
    if share is not None and share > dominance:
        suspicions.append(f"the term {term!r} makes up {share:.0%} of all terms' magnitude")
    return Audit(
        correlation=correlation,
        reward_trend=reward_trend,
        fitness_trend=fitness_trend,
        dominant_term=term,
        dominant_share=share,
        suspicions=tuple(suspicions),
    )


def _is_solved(points: Sequence[CurvePoint]) -> bool:
    last = [point.success for point in points[-max(1, len(points) // 4) :] if point.success is not None]
    return bool(last) and sum(last) / len(last) >= SOLVED


def _trend(steps: Sequence[float | None], values: Sequence[float | None]) -> float | None:
    """Like `spearman`, but values that never change have trend 0."""
    return 0.0 if len(set(values)) == 1 else spearman(steps, values)


def spearman(first: Sequence[float | None], second: Sequence[float | None]) -> float | None:
    """Spearman's rank correlation with average ranks for ties; None when it is undefined (a constant side, under 2 pairs).

    Pairs with a missing value are left out.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return rank_correlation([a for a, _ in pairs], [b for _, b in pairs])


def dominant_term(points: Sequence[CurvePoint]) -> tuple[str | None, float | None]:
    """The term with the largest share of sum |mean value| over the curve, and that share; (None, None) under two terms."""
    totals: dict[str, float] = {}
    for point in points:
        for name, value in point.terms.items():
            totals[name] = totals.get(name, 0.0) + abs(value)
    whole = sum(totals.values())
    if len(totals) < 2 or whole == 0:
        return None, None
    name = max(totals, key=lambda key: totals[key])
    return name, totals[name] / whole
