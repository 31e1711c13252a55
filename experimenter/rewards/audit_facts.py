"""What a learning curve, and the standing of a policy among others, say in plain scale-free numbers.

Measurements only: `audit_rules` turns them into suspicions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from experimenter.records import CurvePoint
from experimenter.rewards.audit_evidence import OWN, RANDOM, TASK, AuditInput, Sample
from skills.evidence import rank_correlation

MIN_POINTS = 5
"""Fewer points say nothing: with 5 points a rank correlation must be 0.82 or more before it counts (`least_trend`)."""
FEW_POINTS = 8
"""With fewer points fitness must clearly fall, not only fail to rise: with 7, chance alone gives |rho| > 0.71 one time in ten."""
SOLVED = 0.9
"""Mean success over the last quarter of a curve from which fitness has no reason left to rise."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What counts as much. Chances, rank correlations and parts: never units of a reward."""

    rise: float = 0.5
    """Rank correlation of a quantity with the steps from which it moves."""
    flat: float = 0.1
    """Rank correlation of fitness with the steps up to which it does not rise."""
    apart: float = 0.3
    """Rank correlation of reward and fitness up to which they do not go together."""
    jump: float = 0.9
    """Chance that a point of the second half is above one of the first twentieth, from which a quantity has jumped."""
    dominant: float = 0.9
    """Share of all terms' magnitude that one term makes up."""
    fitter: float = 0.75
    """Chance that an episode of one policy is fitter than one of another, from which that policy is fitter."""
    paid: float = 0.65
    """Chance that the program pays an episode of one policy more, from which it prefers that policy."""
    behind: float = 0.35
    """A policy is clearly behind when it lacks at least this part of the fitter arm's lead over the random policy."""
    kept: float = 0.8
    """Stress: part of its lead in reward over a random policy that a policy keeps."""
    lost: float = 0.5
    """Stress: part of its lead in fitness that it loses."""

    def least_trend(self, points: int) -> float:
        """`rise`, and more where chance alone would give it in one curve of twenty (normal approximation)."""
        return max(self.rise, 1.645 / math.sqrt(max(1, points - 1)))


@dataclass(frozen=True, kw_only=True)
class CurveFacts:
    """What a curve says by itself."""

    correlation: float | None
    """Spearman correlation of reward and fitness."""
    reward_trend: float | None
    """Spearman correlation of reward with the steps."""
    fitness_trend: float | None
    native_trend: float | None
    """The same of the native return; None where it is the trained reward itself."""
    reward_jump: float
    """Chance that a point of the second half lies above one of the first twentieth."""
    fitness_drop: float
    """Chance that a point of the second half lies below one of the first twentieth."""
    points: int
    succeeds: bool
    """Whether any episode of the last quarter succeeded."""
    solved: bool
    dominant_term: str | None
    dominant_share: float | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the trained policy stands among the others, by fitness and by what the program pays. None: no such policy."""

    over_random: tuple[float, float] | None
    """Chance that its episode is fitter, and that it is paid more, than a random policy's."""
    best: str | None
    """The fittest other arm that is clearly better than the random policy."""
    over_best: tuple[float, float] | None
    """Chance that its episode is fitter, and that it is paid more, than that arm's."""
    lack: float
    """Part of that arm's lead over the random policy that the trained policy lacks; 0 without such an arm."""

    def is_behind(self, t: Thresholds) -> bool:
        """Whether an arm that can do the task is clearly fitter, and by much."""
        return self.over_best is not None and self.over_best[0] <= 1 - t.fitter and self.lack >= t.behind


def read_curve(points: Sequence[CurvePoint]) -> CurveFacts:
    """Measure a curve."""
    both = [(p.step, p.reward, p.fitness) for p in points if p.reward is not None and p.fitness is not None]
    steps, rewards, fitness = ([row[column] for row in both] for column in range(3))
    native = [(p.step, p.native_return) for p in points if p.native_return is not None]
    is_native = all(p.native_return == p.reward for p in points if p.reward is not None)
    enough = len(both) >= MIN_POINTS
    term, share = dominant_term(points)
    late = [p.success for p in points[-max(1, len(points) // 4) :] if p.success is not None]
    return CurveFacts(
        correlation=spearman(rewards, fitness) if enough else None,
        reward_trend=spearman(steps, rewards) if enough else None,
        fitness_trend=_trend(steps, fitness) if enough else None,
        native_trend=_native_trend(native) if not is_native else None,
        reward_jump=_jump(rewards, 1) if enough else 0.0,
        fitness_drop=_jump(fitness, -1) if enough else 0.0,
        points=len(both),
        succeeds=any(late),
        solved=bool(late) and fmean(late) >= SOLVED,
        dominant_term=term,
        dominant_share=share,
    )


def stand(evidence: AuditInput, t: Thresholds) -> Standing:
    """Compare the trained policy with the random one and with the fittest other arm."""
    own, rand = evidence.paid(OWN), evidence.paid(RANDOM)
    if own is None or rand is None:
        return Standing(over_random=None, best=None, over_best=None, lack=0.0)
    others = [s for s in evidence.samples if s.world == TASK and s.policy not in (OWN, RANDOM) and s.returns]
    able = [s for s in others if superiority(s.fitness, rand.fitness) >= t.fitter and _mean(s) > _mean(rand)]
    best = max(able, key=_mean, default=None)
    if best is None:
        return Standing(over_random=_over(own, rand), best=None, over_best=None, lack=0.0)
    lack = (_mean(best) - _mean(own)) / (_mean(best) - _mean(rand))
    return Standing(over_random=_over(own, rand), best=best.policy, over_best=_over(own, best), lack=lack)


def superiority(first: Sequence[float], second: Sequence[float]) -> float:
    """Chance that a value of `first` exceeds one of `second`, ties counted half (the common-language effect size)."""
    a, b = np.asarray(first)[:, None], np.asarray(second)[None, :]
    return float(np.mean((a > b) + 0.5 * (a == b)))


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


def _native_trend(native: Sequence[tuple[int, float | None]]) -> float | None:
    return _trend([s for s, _ in native], [v for _, v in native]) if len(native) >= MIN_POINTS else None


def _trend(steps: Sequence[float | None], values: Sequence[float | None]) -> float | None:
    """Like `spearman`, but values that never change have trend 0."""
    return 0.0 if len(set(values)) == 1 else spearman(steps, values)


def _jump(values: Sequence[float | None], sign: int) -> float:
    known = [sign * value for value in values if value is not None]
    return superiority(known[len(known) // 2 :], known[: max(1, len(known) // 20)])


def _over(first: Sample, second: Sample) -> tuple[float, float]:
    return superiority(first.fitness, second.fitness), superiority(first.returns, second.returns)


def _mean(sample: Sample) -> float:
    return fmean(sample.fitness)
