"""Evidence: what a policy did on held-out episodes, with the intervals that a certificate rests on.

Read `wilson_interval`, `interquartile_mean` and `bootstrap_interval`, then the `Evidence` record, then `find_region`.
Pure functions of plain numbers: nothing here runs a policy or reads a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import sqrt
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Statistic = Callable[[NDArray[np.float64]], float]


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a success rate (Wilson 1927); (0, 1) when there are no episodes.

    Raises `ValueError` for counts that cannot be.
    """
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} episodes cannot be: expected 0 <= successes <= episodes")
    _check_confidence(confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / n
    # (p + z^2/2n  -+  z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    scale = 1.0 + z * z / n
    middle = (rate + z * z / (2 * n)) / scale
    half = z / scale * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def interquartile_mean(values: ArrayLike) -> float:
    """Return the mean of the middle half of `values` [n]: the lowest and highest n // 4 are left out.

    Agarwal et al. 2021 (deep RL at the edge of the statistical precipice). Raises `ValueError` when empty or not finite.
    """
    return float(_iqm_rows(_as_vector(values)[None, :])[0])


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic = interquartile_mean,
    *,
    rng_seed: int = 0,
    resamples: int = 2000,
    confidence: float = 0.95,
    clusters: Sequence[Any] | None = None,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of `statistic` over `values` [n].

    With `clusters` [n] (for example the training seed of each episode) whole clusters are drawn first, then values within each of those drawn:
    episodes of one training are not independent, and an interval that forgets it is too narrow. Each drawn cluster gives as many values as the largest has.
    The interquartile mean and `numpy.mean` run vectorised; another `statistic` is called once a resample on a vector [n].
    """
    sample = _as_vector(values)
    _check_confidence(confidence)
    if resamples < 1:
        raise ValueError(f"{resamples} resamples cannot be: expected at least 1")
    draws = sample[_resample(len(sample), resamples, np.random.default_rng(rng_seed), clusters)]
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(_apply(statistic, draws), [tail, 1.0 - tail])
    return float(low), float(high)


def _resample(n: int, resamples: int, rng: np.random.Generator, clusters: Sequence[Any] | None) -> NDArray[np.int64]:
    """Indices of the values of each resample, [resamples, m]."""
    if clusters is None:
        return rng.integers(0, n, size=(resamples, n))
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters for {n} values: expected one a value")
    groups: dict[Any, list[int]] = {}
    for index, cluster in enumerate(clusters):
        groups.setdefault(cluster, []).append(index)
    sizes = np.array([len(group) for group in groups.values()])
    members = np.zeros((len(groups), sizes.max()), np.int64)
    for row, group in zip(members, groups.values(), strict=True):
        row[: len(group)] = group
    drawn = rng.integers(0, len(groups), size=(resamples, len(groups)))
    within = rng.integers(0, sizes[drawn][:, :, None], size=(*drawn.shape, members.shape[1]))
    return members[drawn[:, :, None], within].reshape(resamples, -1)


def _apply(statistic: Statistic, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    if statistic is interquartile_mean:
        return _iqm_rows(draws)
    if statistic is np.mean:
        mean: NDArray[np.float64] = draws.mean(axis=1)
        return mean
    return np.array([statistic(row) for row in draws], dtype=np.float64)


def _iqm_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    n = rows.shape[1]
    cut = n // 4
    middle: NDArray[np.float64] = np.sort(rows, axis=1)[:, cut : n - cut].mean(axis=1)
    return middle


def _as_vector(values: ArrayLike) -> NDArray[np.float64]:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"expected a non-empty list of numbers, got shape {vector.shape}")
    if not np.all(np.isfinite(vector)):
        raise ValueError("expected finite numbers, got nan or infinity")
    return vector


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence} cannot be: expected more than 0 and less than 1, such as 0.95")


class Evidence(BaseModel):
    """Held-out episodes of one policy at one setting of the task parameters; episode i has entry i of every list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: tuple[int, ...] = Field(min_length=1)
    fitness: tuple[FiniteFloat, ...]
    success: tuple[bool, ...]
    native_return: tuple[FiniteFloat, ...]
    length: tuple[int, ...]
    """Control steps."""
    extras: dict[str, FiniteFloat] = Field(default_factory=dict)
    """Means of the family's further measures."""
    extras_interval: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    """95% bootstrap intervals of those means, over episodes."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        n = len(self.seeds)
        for name in ("fitness", "success", "native_return", "length"):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{len(getattr(self, name))} entries in {name} for {n} seeds: expected one an episode")
        if len(set(self.seeds)) != n:
            raise ValueError("a held-out seed is used twice: the episodes would not be independent")
        return self

    @property
    def episodes(self) -> int:
        return len(self.seeds)

    @property
    def successes(self) -> int:
        return sum(self.success)

    @property
    def success_rate(self) -> float:
        return self.successes / self.episodes

    @cached_property
    def success_interval(self) -> tuple[float, float]:
        """95% Wilson interval of the success rate."""
        return wilson_interval(self.successes, self.episodes)

    @cached_property
    def fitness_iqm(self) -> float:
        return interquartile_mean(self.fitness)

    @cached_property
    def fitness_interval(self) -> tuple[float, float]:
        """95% bootstrap interval of the interquartile mean, the same on every call."""
        return bootstrap_interval(self.fitness)

    @property
    def native_return_mean(self) -> float:
        return sum(self.native_return) / self.episodes


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties averaged; None when a side does not vary or there are fewer than two pairs."""
    x, y = average_ranks(first), average_ranks(second)
    if len(x) < 2:
        return None
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else None


def average_ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, where, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2.0)[where]
    return ranks


class Probe(BaseModel):
    """Evidence at one point in the space of task parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    params: dict[str, float | int | str | bool]
    evidence: Evidence


def find_region(
    center: Mapping[str, Any], probes: Sequence[Probe], min_lower_bound: float
) -> dict[str, tuple[float, float]]:
    """Return the box of task parameters around `center` that the probes bear out: name -> (low, high).

    The box starts as the point `center` (whose own evidence the caller has judged), and grows to one probe after the
    other, nearest first, as long as no probe inside it has a success interval whose lower end is below `min_lower_bound`.
    It never reaches beyond a measured point; between measured points it interpolates. Only numbers span an axis.
    """
    low = {name: float(value) for name, value in center.items() if _is_number(value)}
    high = dict(low)
    fitting = [probe for probe in probes if _same_kind(center, probe.params)]
    failing = [p.params for p in fitting if p.evidence.success_interval[0] < min_lower_bound]
    holding = [p.params for p in fitting if p.evidence.success_interval[0] >= min_lower_bound]
    spans, start = _spans(low, fitting), dict(low)
    for params in sorted(holding, key=lambda params: _distance(start, params, spans)):
        new_low = {name: min(value, float(params[name])) for name, value in low.items()}
        new_high = {name: max(value, float(params[name])) for name, value in high.items()}
        if not any(_inside(new_low, new_high, bad) for bad in failing):
            low, high = new_low, new_high
    return {name: (low[name], high[name]) for name in low}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same_kind(center: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """True when a probe has the same parameters as `center` and equal values of those that are not numbers."""
    return center.keys() == params.keys() and all(_is_number(v) or params[k] == v for k, v in center.items())


def _spans(center: Mapping[str, float], probes: Sequence[Probe]) -> dict[str, float]:
    """Width of the measured range along each axis, so that metres and counts weigh alike."""
    return {name: max([abs(float(p.params[name]) - value) for p in probes] + [1e-12]) for name, value in center.items()}


def _distance(center: Mapping[str, float], params: Mapping[str, Any], spans: Mapping[str, float]) -> float:
    return sum(((float(params[name]) - value) / spans[name]) ** 2 for name, value in center.items())


def _inside(low: Mapping[str, float], high: Mapping[str, float], params: Mapping[str, Any]) -> bool:
    return all(low[name] <= float(params[name]) <= high[name] for name in low)
