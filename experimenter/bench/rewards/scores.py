"""The statistics of the bench. Pure functions of fitness by task, arm and training seed; no row, no file, no clock.

Human-normalised score, as Eureka defines it (Ma et al. 2024): (method - sparse) / |human - sparse|, human being the native reward.
Here `method` is one training seed's mean fitness over its held-out episodes, `human` and `sparse` are means over their seeds.
Where human and sparse are nearly equal the quotient says nothing about the method and may be of any size, so two things are done and
reported: the denominator is at least `FLOOR` of the task's span of fitness (`floored` names such tasks), and scores are clipped to
[-CLIP, CLIP] before they are averaged. The raw quotient stands beside them.

Interquartile means run over all tasks x seeds (Agarwal et al. 2021). Intervals are 95% percentile bootstraps that draw, within each
task, training seeds of the method, of human and of sparse anew, so that the uncertainty of the denominator counts too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb, isfinite

import numpy as np
from numpy.typing import NDArray

from experimenter.records import Record
from skills.evidence import interquartile_mean

FLOOR = 0.02
CLIP = 3.0
_RESAMPLES = 2000
Seeds = Sequence[float]
"""Mean held-out fitness of one arm on one task, one number a training seed."""
Table = Mapping[str, Mapping[str, Seeds]]
"""Task -> arm -> fitness by seed."""
Floats = NDArray[np.float64]


class Interval(Record):
    value: float
    low: float
    high: float


class TaskScore(Record):
    """One arm on one task."""

    task: str
    arm: str
    fitness: Interval
    """Mean over seeds of the mean held-out fitness."""
    raw: float | None
    """(method - sparse) / |human - sparse| of the means, nothing floored or clipped; None when human equals sparse."""
    score: float
    """The same with the floored denominator, clipped."""
    floored: bool


class Duel(Record):
    """One arm against the native reward on one task."""

    task: str
    arm: str
    better: float
    """Difference of mean fitness."""
    improvement: Interval
    """Probability that a seed of the arm beats a seed of the native reward (ties count half)."""
    outcome: str
    """`win`, `loss`, or `tie` (the same reward program, or equal means)."""
    clear: bool
    """True when the interval of the probability leaves out one half."""


class Overall(Record):
    """One arm over all tasks that have it."""

    arm: str
    tasks: int
    iqm: Interval
    """Interquartile mean of the clipped human-normalised scores over tasks x seeds."""
    mean: float
    raw_iqm: float | None
    """Interquartile mean of the raw quotients; None when there is none."""
    wins: int
    losses: int
    ties: int
    clear_wins: int
    clear_losses: int
    sign_p: float
    """Two-sided sign test of wins against losses, ties left out."""
    improvement: Interval
    """Probability of improvement over the native reward, mean over tasks."""


def score_task(task: str, arms: Mapping[str, Seeds], scale: float, *, rng_seed: int = 0) -> list[TaskScore]:
    """Score every arm of one task; `arms` must hold `native` and `sparse`."""
    human, sparse = _mean(arms["native"]), _mean(arms["sparse"])
    gap = abs(human - sparse)
    scores = []
    for arm, values in arms.items():
        above = _mean(values) - sparse
        scores.append(
            TaskScore(
                task=task,
                arm=arm,
                fitness=_interval(_mean(values), _redraw(values, np.random.default_rng(rng_seed)).mean(axis=1)),
                raw=above / gap if gap > 0 else None,
                score=float(np.clip(above / max(gap, FLOOR * scale), -CLIP, CLIP)),
                floored=gap < FLOOR * scale,
            )
        )
    return scores


def duel(task: str, arm: str, arms: Mapping[str, Seeds], *, same: bool, rng_seed: int = 0) -> Duel:
    """Set an arm against the native reward; `same` says that it is the native reward's own program."""
    ours, theirs = np.asarray(arms[arm], float), np.asarray(arms["native"], float)
    better = float(ours.mean() - theirs.mean())
    rng = np.random.default_rng(rng_seed)
    chance = _interval(float(_improvement(ours, theirs)), _improvement(_redraw(ours, rng), _redraw(theirs, rng)))
    outcome = "tie" if same or better == 0 else ("win" if better > 0 else "loss")
    clear = outcome != "tie" and not chance.low <= 0.5 <= chance.high
    return Duel(task=task, arm=arm, better=better, improvement=chance, outcome=outcome, clear=clear)


def score_arm(
    arm: str, table: Table, scales: Mapping[str, float], duels: Sequence[Duel], *, rng_seed: int = 0
) -> Overall | None:
    """Sum an arm up over the tasks that have it; None when none has."""
    tasks = [task for task, arms in table.items() if arm in arms]
    if not tasks:
        return None
    mine = [duel for duel in duels if duel.arm == arm and duel.task in tasks]
    now = np.concatenate([_clip(table[task][arm], *_ends(table[task]), scales[task]) for task in tasks])
    draws = _draw_iqm(arm, table, tasks, scales, np.random.default_rng(rng_seed))
    raw = [value for task in tasks for value in _raw(table[task][arm], *_ends(table[task]))]
    wins, losses = (sum(duel.outcome == which for duel in mine) for which in ("win", "loss"))
    return Overall(
        arm=arm,
        tasks=len(tasks),
        iqm=_interval(interquartile_mean(now), draws),
        mean=float(now.mean()),
        raw_iqm=interquartile_mean(raw) if raw else None,
        wins=wins,
        losses=losses,
        ties=len(mine) - wins - losses,
        clear_wins=sum(duel.clear and duel.outcome == "win" for duel in mine),
        clear_losses=sum(duel.clear and duel.outcome == "loss" for duel in mine),
        sign_p=sign_test(wins, losses),
        improvement=_mean_improvement(arm, table, tasks, np.random.default_rng(rng_seed)),
    )


def sign_test(wins: int, losses: int) -> float:
    """Two-sided binomial test that wins and losses are equally likely; 1 without any."""
    n = wins + losses
    if n == 0:
        return 1.0
    tail = sum(comb(n, k) for k in range(max(wins, losses), n + 1)) / 2.0**n
    return min(1.0, 2.0 * tail)


def _clip(values: Seeds | Floats, human: float | Floats, sparse: float | Floats, scale: float) -> Floats:
    """Scores with the floored denominator, clipped; `values` [n] with plain ends, or [r, n] with ends [r, 1]."""
    gap = np.maximum(np.abs(np.asarray(human) - sparse), FLOOR * scale)
    clipped: Floats = np.clip((np.asarray(values, float) - sparse) / gap, -CLIP, CLIP)
    return clipped


def _raw(values: Seeds, human: float, sparse: float) -> list[float]:
    gap = abs(human - sparse)
    return [value for item in values if isfinite(value := (item - sparse) / gap)] if gap > 0 else []


def _ends(arms: Mapping[str, Seeds]) -> tuple[float, float]:
    return _mean(arms["native"]), _mean(arms["sparse"])


def _draw_iqm(
    arm: str, table: Table, tasks: Sequence[str], scales: Mapping[str, float], rng: np.random.Generator
) -> Floats:
    """Bootstrap draws [resamples] of the interquartile mean over tasks x seeds.

    The native and the sparse arm are drawn once a task, for the numerator too where the method is one of them.
    """
    parts = []
    for task in tasks:
        drawn = {name: _redraw(table[task][name], rng) for name in dict.fromkeys((arm, "native", "sparse"))}
        human, sparse = (drawn[name].mean(axis=1, keepdims=True) for name in ("native", "sparse"))
        parts.append(_clip(drawn[arm], human, sparse, scales[task]))
    rows = np.sort(np.concatenate(parts, axis=1), axis=1)
    cut = rows.shape[1] // 4
    middle: Floats = rows[:, cut : rows.shape[1] - cut].mean(axis=1)
    return middle


def _mean_improvement(arm: str, table: Table, tasks: Sequence[str], rng: np.random.Generator) -> Interval:
    pairs = [(np.asarray(table[task][arm], float), np.asarray(table[task]["native"], float)) for task in tasks]
    draws: Floats = np.mean([_improvement(_redraw(a, rng), _redraw(b, rng)) for a, b in pairs], axis=0)
    return _interval(float(np.mean([_improvement(a, b) for a, b in pairs])), draws)


def _improvement(ours: Floats, theirs: Floats) -> Floats:
    """P(ours > theirs) + P(equal) / 2 over all pairs of the last axis: Mann and Whitney's U over its number of pairs."""
    one, other = ours[..., :, None], theirs[..., None, :]
    chance: Floats = ((one > other) + 0.5 * (one == other)).mean(axis=(-2, -1))
    return chance


def _redraw(values: Seeds | Floats, rng: np.random.Generator) -> Floats:
    """Draw seeds with replacement: [resamples, n]."""
    array = np.asarray(values, float)
    drawn: Floats = array[rng.integers(0, len(array), (_RESAMPLES, len(array)))]
    return drawn


def _interval(value: float, draws: Floats) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(value=float(value), low=float(low), high=float(high))


def _mean(values: Seeds) -> float:
    return float(np.mean(values))
