"""The floor of the judge on synthetic curves whose right answer is known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from experimenter.evaluation.convergence import judge_curves, measure_trend, spearman
from experimenter.records import CurvePoint, CurveState, Decision, Evaluation, SuccessRule

RULE = SuccessRule(min_success_rate=0.8, min_lower_bound=0.6, episodes=50)
KINDS = ("converged", "improving", "stuck", "hacking")


def make_evaluation(successes: int = 0, episodes: int = 30) -> Evaluation:
    flags = [i < successes for i in range(episodes)]
    return Evaluation(
        seeds=tuple(range(10**6, 10**6 + episodes)),
        fitness=tuple(float(flag) for flag in flags),
        success=tuple(flags),
        native_return=(0.0,) * episodes,
        length=(10,) * episodes,
    )


def make_curve(kind: str, seed: int, *, noise: float, scale: float, offset: float, points: int) -> list[CurvePoint]:
    """Build one labelled curve: shapes over x in [0, 1], AR(1) noise in units of the climb, any scale and offset."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 1, points))
    climb = {
        "converged": 1 / (1 + np.exp(-(x - rng.uniform(0.15, 0.3)) * rng.uniform(20, 40))),
        "improving": (x ** rng.uniform(0.9, 2.0)) if rng.uniform() < 0.5 else 1 / (1 + np.exp(-(x - 0.75) * 8)),
        "stuck": np.zeros(points),
        "hacking": -rng.uniform(0.0, 0.6) * x,
    }[kind]
    reward = {"stuck": np.zeros(points), "hacking": x ** rng.uniform(0.5, 1.5)}.get(kind, climb)
    fitness = offset + scale * (climb + _ar_noise(rng, points, noise))
    paid = 7.0 * (reward + _ar_noise(rng, points, noise)) - 3.0
    return [
        CurvePoint(step=int(1e6 * x[i]) + i, fitness=float(fitness[i]), reward=float(paid[i])) for i in range(points)
    ]


def _ar_noise(rng: np.random.Generator, n: int, size: float) -> NDArray[np.float64]:
    white = rng.normal(0, size, n)
    out = white.copy()
    for i in range(1, n):
        out[i] = 0.4 * out[i - 1] + white[i]
    return out


def confusion(seeds_each: int) -> dict[tuple[str, str], int]:
    table = {(truth, said): 0 for truth in KINDS for said in KINDS}
    for number, kind in enumerate(KINDS):
        for trial in range(seeds_each):
            rng = np.random.default_rng([number, trial])
            noise, scale = float(rng.uniform(0.02, 0.15)), float(10 ** rng.uniform(-2, 4))
            offset, points = float(rng.uniform(-1e3, 1e3)), int(rng.integers(25, 200))
            curves = [
                make_curve(kind, 1000 * trial + 10 * number + s, noise=noise, scale=scale, offset=offset, points=points)
                for s in range(1 + trial % 3)
            ]
            floor = judge_curves(curves, [make_evaluation()], RULE)
            table[(kind, floor.state.value)] += 1
    return table


def test_confusion_matrix() -> None:
    table = confusion(40)
    rows = "\n".join(f"{truth:>10} " + " ".join(f"{table[(truth, said)]:4d}" for said in KINDS) for truth in KINDS)
    text = " " * 11 + " ".join(said[:4] for said in KINDS) + "\n" + rows
    print(text)
    right = {kind: table[(kind, kind)] / 40 for kind in KINDS}
    assert sum(right.values()) / 4 >= 0.93, text
    assert min(right.values()) >= 0.85, text
    # the costly mistake: calling a hacked or stuck run good
    assert table[("hacking", "converged")] + table[("hacking", "improving")] <= 1, text


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_verdict_does_not_depend_on_scale(scale: float) -> None:
    base = make_curve("improving", 5, noise=0.05, scale=1.0, offset=0.0, points=80)
    scaled = [point.evolve(fitness=float(point.fitness or 0.0) * scale + 17.0) for point in base]
    one, other = (judge_curves([curve], [make_evaluation()], RULE) for curve in (base, scaled))
    assert one.state == other.state == CurveState.IMPROVING
    assert other.numbers["fitness_gain"] == pytest.approx(one.numbers["fitness_gain"], rel=1e-6)


def test_decisions() -> None:
    def decide(kind: str, successes: int, can_extend: bool = True, can_revise: bool = True) -> Decision:
        curve = make_curve(kind, 3, noise=0.05, scale=1.0, offset=0.0, points=80)
        return judge_curves(
            [curve], [make_evaluation(successes)], RULE, can_extend=can_extend, can_revise=can_revise
        ).decision

    assert decide("converged", 30) is Decision.PROMOTE
    assert decide("improving", 30) is Decision.PROMOTE
    assert decide("improving", 10) is Decision.EXTEND
    assert decide("improving", 10, can_extend=False) is Decision.REVISE
    assert decide("converged", 10) is Decision.REVISE
    assert decide("stuck", 0) is Decision.REVISE
    assert decide("stuck", 0, can_revise=False) is Decision.DROP
    assert decide("hacking", 0) is Decision.REVISE
    # 24 of 30 reach the rate of 0.8, and Wilson's lower end is 0.627: met; 23 of 30 do not
    assert decide("converged", 24) is Decision.PROMOTE
    assert decide("converged", 23) is Decision.REVISE


def test_the_lower_end_of_the_interval_must_be_reached_too() -> None:
    curve = make_curve("converged", 3, noise=0.05, scale=1.0, offset=0.0, points=80)
    # 5 of 5 is a rate of 1, but Wilson's lower end is 5 / (5 + 3.84) = 0.566
    floor = judge_curves([curve], [make_evaluation(5, 5)], RULE)
    assert floor.decision is Decision.REVISE
    assert floor.numbers["success_low"] == pytest.approx(0.5655, abs=1e-3)


def test_a_fitness_baseline_cannot_hack() -> None:
    curve = make_curve("hacking", 1, noise=0.05, scale=1.0, offset=0.0, points=80)
    assert judge_curves([curve], [make_evaluation()], RULE).state is CurveState.HACKING
    assert judge_curves([curve], [make_evaluation()], RULE, reward_is_fitness=True).state is CurveState.STUCK


def test_audit_is_a_second_witness() -> None:
    short = [CurvePoint(step=i, fitness=0.0, reward=float(i)) for i in range(3)]
    clean = judge_curves([short], [make_evaluation()], RULE, audit={"hacking": 0.2})
    accused = judge_curves([short], [make_evaluation()], RULE, audit={"hacking": 0.9})
    assert (clean.state, accused.state) == (CurveState.STUCK, CurveState.HACKING)
    assert accused.numbers["audit_hacking"] == 0.9


def test_a_preference_inversion_is_enough_even_while_fitness_rises() -> None:
    curve = make_curve("improving", 3, noise=0.05, scale=1.0, offset=0.0, points=80)
    weak = judge_curves([curve], [make_evaluation()], RULE, audit={"hacking": 1.0, "divergence": 0.1})
    strong = judge_curves([curve], [make_evaluation()], RULE, audit={"hacking": 1.0, "inversion": 0.95})
    solved = judge_curves([curve], [make_evaluation(30)], RULE, audit={"hacking": 1.0, "inversion": 0.95})
    assert weak.state is CurveState.IMPROVING
    assert strong.state is CurveState.HACKING
    assert solved.state is not CurveState.HACKING, "a policy that does the task hacks nothing"


@pytest.mark.parametrize("curve", [[], [CurvePoint(step=5)], [CurvePoint(step=9, fitness=1.0)] * 8])
def test_degenerate_curves_are_stuck_not_crashes(curve: list[CurvePoint]) -> None:
    floor = judge_curves([curve], [], RULE)
    assert floor.state is CurveState.STUCK
    assert floor.decision is Decision.REVISE


def test_trend_of_a_straight_line_by_hand() -> None:
    steps = np.arange(400, dtype=np.float64)
    trend = measure_trend([(steps, 3.0 * steps)])
    # 40 bin means evenly spaced over 39 gaps; the 5% and 95% quantiles span 0.9 of that range; the last 40% is 16 gaps of 35.1
    assert trend.gain == pytest.approx(16 / 35.1, rel=0.02)
    # last quarter (10 bins, centre 34.5) minus first tenth (4 bins, centre 1.5) = 33 gaps of 35.1
    assert trend.rise == pytest.approx(33 / 35.1, rel=0.02)
    assert trend.rising and trend.risen


def test_spearman_by_hand() -> None:
    assert spearman([1, 2, 3], [10, 100, 1000]) == pytest.approx(1.0)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    # ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4): cov 4.5/4, deviations sqrt(4.5/4) and sqrt(5/4)
    assert spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5.0) ** 0.5)
    assert spearman([1, 1, 1], [1, 2, 3]) == 0.0
