"""What the race needs on top of `skills.evidence`: pooled estimates, paired comparisons, and what the naive rule would pick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experimenter.records import CurvePoint, Evaluation, JobResult
from skills.evidence import bootstrap_interval, interquartile_mean


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An interquartile mean with its 95% bootstrap interval."""

    value: float
    low: float
    high: float
    n: int
    """Values behind it."""


def pooled_iqm(groups: Mapping[int, Sequence[float]], *, rng_seed: int = 0) -> Estimate:
    """Interquartile mean over all episodes of all training seeds; the bootstrap draws training seeds, then episodes within those drawn.

    `groups` maps a training seed to its held-out episodes' fitness. Raises `ValueError` when there is no episode.
    """
    pairs = [(seed, float(value)) for seed, values in sorted(groups.items()) for value in values]
    values = [value for _, value in pairs]
    low, high = bootstrap_interval(values, clusters=[seed for seed, _ in pairs], rng_seed=rng_seed)
    return Estimate(value=interquartile_mean(values), low=low, high=high, n=len(values))


def paired_lift(
    ours: Mapping[int, Evaluation], theirs: Mapping[int, Evaluation], *, rng_seed: int = 0
) -> Estimate | None:
    """Interquartile mean of `ours - theirs` in fitness over pairs of (training seed, world seed) that both ran.

    The interval draws training seeds, then pairs within those drawn. None when there is no pair.
    """
    groups: dict[int, list[float]] = {}
    for seed in sorted(ours.keys() & theirs.keys()):
        other = dict(zip(theirs[seed].seeds, theirs[seed].fitness, strict=True))
        mine = zip(ours[seed].seeds, ours[seed].fitness, strict=True)
        if found := [value - other[world] for world, value in mine if world in other]:
            groups[seed] = found
    return pooled_iqm(groups, rng_seed=rng_seed) if groups else None


def argmax_of_maximum(results: Mapping[str, Sequence[JobResult]]) -> str | None:
    """Arm that the naive rule would have picked: the largest training fitness that any one seed ever showed.

    For the report only. `results` maps an arm to the results of its seeds; None when no curve has a fitness.
    """
    best: dict[str, float] = {}
    for arm, jobs in results.items():
        peaks = [peak for job in jobs if (peak := _peak(job.curve)) is not None]
        if peaks:
            best[arm] = max(peaks)
    return max(best, key=lambda arm: best[arm]) if best else None


def summarise(evaluation: Evaluation) -> dict[str, float]:
    """Plain numbers of one evaluation: fitness IQM, mean and spread, success rate, mean native return and length."""
    fitness = np.asarray(evaluation.fitness, dtype=np.float64)
    return {
        "fitness_iqm": interquartile_mean(fitness),
        "fitness_mean": float(fitness.mean()),
        "fitness_std": float(fitness.std()),
        "success_rate": float(np.mean(evaluation.success)),
        "native_return_mean": float(np.mean(evaluation.native_return)),
        "length_mean": float(np.mean(evaluation.length)),
        "episodes": float(len(fitness)),
    }


def _peak(curve: Sequence[CurvePoint]) -> float | None:
    values = [point.fitness for point in curve if point.fitness is not None]
    return max(values) if values else None
