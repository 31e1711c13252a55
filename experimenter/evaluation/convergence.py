"""The statistical floor of the judge: converged, improving, stuck or hacking, and what to do about it. Pure.

All tests are scale-free: a curve is measured in units of its own spread. Curves are the winner's training seeds; success is
counted on held-out episodes only. A model may look at the same curves and raise suspicion, it can never lift this floor.

- *trend*: least-squares gain over the last `_WINDOW` of training in units of the curve's spread, with a moving-block
  bootstrap interval (learning curves are autocorrelated); rising when its lower end is above 0 and the gain is not tiny.
- *rise*: level of the last quarter against that of the first tenth, same units, same bootstrap.
- *hacking*: the reward being trained on rose while fitness fell or stayed, and the two do not go together (Spearman).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from experimenter.records import CurvePoint, CurveState, Decision, Evaluation, Floor, SuccessRule
from skills.evidence import interquartile_mean, rank_correlation, wilson_interval

Vector = NDArray[np.float64]
_BINS = 40
_WINDOW = 0.4
_TINY_GAIN = 0.08
"""A gain over the last window below this part of the curve's spread is a plateau even when it is significant."""
_CLEAR_RISE = 0.35
"""Pure noise spans about 3.3 of its standard deviations, so a chance rise rarely exceeds a third of the spread."""
_LOW_AGREEMENT = 0.2
"""Spearman correlation of reward and fitness below which the two do not go together."""
_RESAMPLES = 400
_MIN_POINTS = 6


@dataclass(frozen=True, kw_only=True)
class Trend:
    """One quantity over training, in units of its own spread; averages over the seeds."""

    gain: float = 0.0
    """Gain over the last window."""
    gain_low: float = 0.0
    gain_high: float = 0.0
    rise: float = 0.0
    """Last quarter minus first tenth."""
    rise_low: float = 0.0
    rise_high: float = 0.0
    points: int = 0

    @property
    def rising(self) -> bool:
        return self.gain_low > 0.0 and self.gain >= _TINY_GAIN and self.rise >= _CLEAR_RISE

    @property
    def risen(self) -> bool:
        return self.rise_low > 0.0 and self.rise >= _CLEAR_RISE


def judge_curves(
    curves: Sequence[Sequence[CurvePoint]],
    evaluations: Sequence[Evaluation],
    rule: SuccessRule,
    *,
    audit: Mapping[str, float] | None = None,
    reward_is_fitness: bool = False,
    can_extend: bool = True,
    can_revise: bool = True,
    winner: str | None = None,
    best_job: str | None = None,
    rng_seed: int = 0,
) -> Floor:
    """Judge the winner's curves (one a training seed) and held-out evaluations against the success rule.

    `audit` is the reward audit's plain numbers, copied into the numbers as `audit_<name>`; its `hacking` (above 0.5), when
    there, is a second witness. `reward_is_fitness` (baseline arm) turns the hacking test off. `can_extend` and `can_revise`
    say what the budget still allows; `winner` and `best_job` are passed through.
    """
    fitness = measure_trend([_series(curve, "fitness") for curve in curves], rng_seed)
    reward = measure_trend([_series(curve, "reward") for curve in curves], rng_seed)
    agreement = _agreement(curves)
    successes, episodes, rate, low, high = count_success(evaluations)
    met = episodes > 0 and rate >= rule.min_success_rate and low >= rule.min_lower_bound
    suspicion = dict(audit or {}).get("hacking", 0.0)
    # preference inversion needs no curve: the program pays this policy more than a clearly fitter one
    inverted = suspicion > 0.5 and "inversion" in (audit or {})
    hacked = not reward_is_fitness and not met and (inverted or _is_hacked(fitness, reward, agreement, suspicion))
    state = _state(fitness, met, hacked)
    decision = _decide(state, met, bool(evaluations), can_extend, can_revise)
    numbers = {
        **{f"fitness_{name}": value for name, value in _numbers(fitness).items()},
        **{f"reward_{name}": value for name, value in _numbers(reward).items()},
        **{f"audit_{name}": float(value) for name, value in (audit or {}).items() if isfinite(value)},
        "reward_fitness_spearman": agreement,
        "success_rate": rate,
        "success_low": low,
        "success_high": high,
        "successes": float(successes),
        "episodes": float(episodes),
    }
    if evaluations:
        numbers["fitness_iqm"] = interquartile_mean([value for e in evaluations for value in e.fitness])
    reasons = _reasons(state, fitness, reward, agreement, met, numbers, rule)
    return Floor(state=state, decision=decision, reasons=reasons, numbers=numbers, winner=winner, best_job=best_job)


def measure_trend(series: Sequence[tuple[Vector, Vector]], rng_seed: int = 0) -> Trend:
    """Measure gain and rise over `series` (one a seed): steps [n] and values [n]; too short ones are left out."""
    binned = [_bin(steps, values) for steps, values in series if len(values) >= _MIN_POINTS]
    binned = [pair for pair in binned if len(pair[0]) >= _MIN_POINTS]
    if not binned:
        return Trend(points=sum(len(values) for _, values in series))
    rng = np.random.default_rng(rng_seed)
    samples = [_bootstrap(x, y, rng) for x, y in binned]
    gains = np.mean([gain for gain, _ in samples], axis=0)
    rises = np.mean([rise for _, rise in samples], axis=0)
    exact = [_measure(x, y) for x, y in binned]
    gain_low, gain_high = np.quantile(gains, [0.025, 0.975])
    rise_low, rise_high = np.quantile(rises, [0.025, 0.975])
    return Trend(
        gain=float(np.mean([gain for gain, _ in exact])),
        gain_low=float(gain_low),
        gain_high=float(gain_high),
        rise=float(np.mean([rise for _, rise in exact])),
        rise_low=float(rise_low),
        rise_high=float(rise_high),
        points=sum(len(values) for _, values in series),
    )


def count_success(evaluations: Sequence[Evaluation]) -> tuple[int, int, float, float, float]:
    """Return successes, episodes, rate and its 95% Wilson interval, pooled over the evaluations."""
    flags = [flag for evaluation in evaluations for flag in evaluation.success]
    low, high = wilson_interval(sum(flags), len(flags))
    return sum(flags), len(flags), (sum(flags) / len(flags) if flags else 0.0), low, high


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation; 0 when it is undefined or there are fewer than 3 pairs."""
    return (rank_correlation(a, b) or 0.0) if len(a) >= 3 else 0.0


def _series(curve: Sequence[CurvePoint], name: str) -> tuple[Vector, Vector]:
    found = [(point.step, value) for point in curve if (value := getattr(point, name)) is not None]
    pairs = np.array(found, dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _bin(steps: Vector, values: Vector) -> tuple[Vector, Vector]:
    # evenly spaced in steps, so that a burst of points early on does not outweigh the end
    span = steps[-1] - steps[0]
    if span <= 0:
        return steps[:0], values[:0]
    place = np.minimum(((steps - steps[0]) / span * _BINS).astype(int), _BINS - 1)
    full = np.unique(place)
    means = np.array([values[place == index].mean() for index in full])
    spread = np.quantile(means, 0.95) - np.quantile(means, 0.05)
    return (full + 0.5) / _BINS, means / spread if spread > 0 else means * 0.0


def _bootstrap(x: Vector, y: Vector, rng: np.random.Generator) -> tuple[Vector, Vector]:
    late = _late(x)
    gains = _gain(x[late], _resample_line(x[late], y[late], rng))
    tenth, quarter = max(2, len(x) // 10), max(2, len(x) // 4)
    ends = _resample_line(x[-quarter:], y[-quarter:], rng).mean(axis=1)
    starts = _resample_line(x[:tenth], y[:tenth], rng, noise=_noise(x, y)).mean(axis=1)
    return gains, ends - starts


def _measure(x: Vector, y: Vector) -> tuple[float, float]:
    """Gain over the last window and rise over all of training."""
    late = _late(x)
    tenth, quarter = max(2, len(x) // 10), max(2, len(x) // 4)
    return float(_gain(x[late], y[late][None, :])[0]), float(y[-quarter:].mean() - y[:tenth].mean())


def _late(x: Vector) -> NDArray[np.bool_]:
    late = x >= 1.0 - _WINDOW
    return late if np.count_nonzero(late) >= 4 else np.arange(len(x)) >= len(x) - 4


def _gain(x: Vector, rows: Vector) -> Vector:
    centred = x - x.mean()
    # least-squares slope times the window's width, for each row of values [k, n]
    gain: Vector = rows @ centred / (centred @ centred) * _WINDOW
    return gain


def _resample_line(x: Vector, y: Vector, rng: np.random.Generator, noise: Vector | None = None) -> Vector:
    """Moving-block bootstrap of the residuals around the least-squares line: rows [k, n]."""
    line, residual = _line(x, y)
    pool = residual if noise is None else noise
    n, size = len(y), len(pool)
    block = min(size, max(2, round(size ** (1 / 3))))
    starts = rng.integers(0, size - block + 1, size=(_RESAMPLES, -(-n // block)))
    index = (starts[:, :, None] + np.arange(block)).reshape(_RESAMPLES, -1)[:, :n]
    return line[None, :] + pool[index] * _inflation(pool)


def _line(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    centred = x - x.mean()
    line = y.mean() + centred * (centred @ (y - y.mean())) / (centred @ centred)
    return line, y - line


def _noise(x: Vector, y: Vector) -> Vector:
    # the first tenth is too short to tell its own noise: take that of the quarter around it
    quarter = max(4, len(x) // 4)
    return _line(x[:quarter], y[:quarter])[1]


def _inflation(residual: Vector) -> float:
    """Make up for the fitted line's two degrees of freedom and for correlation longer than a block (AR(1) estimate)."""
    n = len(residual)
    power = float(residual @ residual)
    rho = float(residual[1:] @ residual[:-1]) / power if power > 0 else 0.0
    rho = min(0.8, max(0.0, rho + 1.0 / n))
    return float(np.sqrt(n / max(1, n - 2) * (1 + rho) / (1 - rho)))


def _agreement(curves: Sequence[Sequence[CurvePoint]]) -> float:
    values = []
    for curve in curves:
        both = [(p.reward, p.fitness) for p in curve if p.reward is not None and p.fitness is not None]
        if len(both) >= _MIN_POINTS:
            values.append(spearman([float(r) for r, _ in both], [float(f) for _, f in both]))
    return float(np.mean(values)) if values else 0.0


def _is_hacked(fitness: Trend, reward: Trend, agreement: float, suspicion: float) -> bool:
    if fitness.points < _MIN_POINTS or reward.points < _MIN_POINTS:
        return suspicion > 0.5
    climbed = reward.risen or reward.rising
    fell = fitness.rise_high < 0.0
    return (
        climbed and not fitness.risen and not fitness.rising and (fell or agreement < _LOW_AGREEMENT or suspicion > 0.5)
    )


def _state(fitness: Trend, met: bool, hacked: bool) -> CurveState:
    if hacked:
        return CurveState.HACKING
    if fitness.rising:
        return CurveState.IMPROVING
    return CurveState.CONVERGED if fitness.risen or met else CurveState.STUCK


def _decide(state: CurveState, met: bool, evaluated: bool, can_extend: bool, can_revise: bool) -> Decision:
    if met:
        return Decision.PROMOTE
    if state is CurveState.IMPROVING and can_extend and evaluated:
        return Decision.EXTEND
    return Decision.REVISE if can_revise else Decision.DROP


def _numbers(trend: Trend) -> dict[str, float]:
    names = ("gain", "gain_low", "gain_high", "rise", "rise_low", "rise_high")
    return {name: float(getattr(trend, name)) for name in names} | {"points": float(trend.points)}


def _reasons(
    state: CurveState,
    fitness: Trend,
    reward: Trend,
    agreement: float,
    met: bool,
    numbers: Mapping[str, float],
    rule: SuccessRule,
) -> tuple[str, ...]:
    window = f"the last {_WINDOW:.0%} of training"
    trend = (
        f"fitness gained {fitness.gain:+.2f} of its spread over {window}, "
        f"95% interval [{fitness.gain_low:+.2f}, {fitness.gain_high:+.2f}], "
        f"and {fitness.rise:+.2f} since the start [{fitness.rise_low:+.2f}, {fitness.rise_high:+.2f}]: {state.value}"
    )
    success = (
        f"success on {numbers['successes']:.0f} of {numbers['episodes']:.0f} held-out episodes "
        f"({numbers['success_rate']:.0%}, Wilson [{numbers['success_low']:.2f}, {numbers['success_high']:.2f}]): "
        f"the rule asks {rule.min_success_rate:.0%} with a lower end of {rule.min_lower_bound:.2f}, {'met' if met else 'not met'}"
    )
    reasons = [
        trend if fitness.points >= _MIN_POINTS else f"only {fitness.points} points of fitness: no trend can be told",
        success,
    ]
    if state is CurveState.HACKING:
        reasons.append(
            f"the trained reward rose by {reward.rise:+.2f} of its spread while fitness did not; "
            f"their rank correlation is {agreement:+.2f}"
        )
    return tuple(reasons)
