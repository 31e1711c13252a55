"""Intervals and means against values worked out by hand or published; regions by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from skills.evidence import Evidence, Probe, bootstrap_interval, find_region, interquartile_mean, wilson_interval


def make_evidence(successes: int = 18, episodes: int = 20, **overrides: Any) -> Evidence:
    plain: dict[str, object] = {
        "seeds": tuple(range(10**6, 10**6 + episodes)),
        "fitness": tuple(float(i < successes) for i in range(episodes)),
        "success": tuple(i < successes for i in range(episodes)),
        "native_return": (2.0,) * episodes,
        "length": (100,) * episodes,
    }
    return Evidence.model_validate({**plain, **overrides})


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),  # (0.8 + 0.19207 -+ 1.95996 * sqrt(0.016 + 0.0096036)) / 1.38415
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),  # Newcombe 1998
        (0, 20, 0.0, 0.1611),  # Newcombe 1998
        (1, 29, 0.0061, 0.1718),  # Newcombe 1998
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_matches_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=6e-5)


def test_wilson_without_episodes_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_wilson_narrows_with_less_confidence() -> None:
    # 68.27% is one standard deviation: (0.5 -+ sqrt(0.25/100 + 1/40000)) / 1.01 with centre 0.505
    assert wilson_interval(50, 100, confidence=0.6826895) == pytest.approx((0.45025, 0.54975), abs=1e-5)


@pytest.mark.parametrize(("successes", "n"), [(-1, 10), (11, 10), (0, -1)])
def test_wilson_refuses_counts_that_cannot_be(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        wilson_interval(successes, n)


def test_a_confidence_outside_of_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.95"):
        wilson_interval(1, 2, confidence=95)


def test_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, 7]) == 4.5  # 3, 4, 5, 6
    assert interquartile_mean([1.0, 2.0, 6.0]) == 3.0  # 3 // 4 = 0: nothing left out
    assert interquartile_mean([9, 0, 5, 1, 4]) == pytest.approx(10 / 3)  # 1, 4, 5
    assert interquartile_mean([7.5]) == 7.5


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], [1.0, float("nan")], [float("inf")]])
def test_numbers_that_are_none_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        interquartile_mean(values)


def test_the_bootstrap_is_seeded_and_contains_the_statistic() -> None:
    values = np.random.default_rng(0).normal(size=40)
    low, high = bootstrap_interval(values)
    assert (low, high) == bootstrap_interval(values)
    assert (low, high) != bootstrap_interval(values, rng_seed=1)
    assert low < interquartile_mean(values) < high


def test_the_bootstrap_of_a_mean_matches_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(loc=3.0, size=400)
    half = 1.96 * values.std() / 20
    expected = (values.mean() - half, values.mean() + half)
    assert bootstrap_interval(values, np.mean, resamples=5000) == pytest.approx(expected, abs=0.01)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(size=50), resamples=400)
        hits += low <= 0.0 <= high  # the interquartile mean of a symmetric distribution is its centre
    assert 178 <= hits <= 200


def test_any_statistic_can_be_bootstrapped() -> None:
    low, high = bootstrap_interval([0.0, 0.0, 1.0, 1.0], lambda row: float(row.max()), resamples=500)
    assert (low, high) == (0.0, 1.0)  # all four draws are 0 in 1 of 16 resamples: more than 2.5%


def test_whole_clusters_are_resampled() -> None:
    # two trainings that differ, each with episodes that do not: a quarter of all draws takes the same training twice
    values, seeds = [0.0] * 20 + [10.0] * 20, ["a"] * 20 + ["b"] * 20
    assert bootstrap_interval(values, np.mean, clusters=seeds) == (0.0, 10.0)
    low, high = bootstrap_interval(values, np.mean)
    assert 2.0 < low < 5.0 < high < 8.0


def test_episodes_are_resampled_within_their_cluster() -> None:
    low, high = bootstrap_interval([0.0, 1.0, 2.0, 3.0], np.mean, clusters=["a"] * 4)
    assert 0.0 < low < 1.5 < high < 3.0
    one, other = bootstrap_interval([1.0, 1.0, 4.0], np.mean, clusters=["a", "a", "b"])
    assert (one, other) == (1.0, 4.0)
    with pytest.raises(ValueError, match="2 clusters for 3 values"):
        bootstrap_interval([1.0, 2.0, 3.0], clusters=["a", "b"])


def test_a_constant_sample_has_a_point_interval() -> None:
    assert bootstrap_interval([3.0] * 20) == (3.0, 3.0)


def test_evidence_adds_up() -> None:
    evidence = make_evidence(18, 20)
    assert (evidence.episodes, evidence.successes, evidence.success_rate) == (20, 18, 0.9)
    assert evidence.success_interval == pytest.approx((0.6990, 0.9721), abs=1e-4)
    assert evidence.fitness_iqm == 1.0
    assert evidence.native_return_mean == 2.0
    assert evidence.fitness_interval[0] <= 1.0 == evidence.fitness_interval[1]


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"fitness": (1.0,)}, "entries in fitness"),
        ({"seeds": (1,) * 20}, "used twice"),
        ({"native_return": (float("nan"),) * 20}, "finite"),
        ({"seeds": (), "fitness": (), "success": (), "native_return": (), "length": ()}, "at least 1"),
        ({"hidden": 1}, "not permitted"),
    ],
)
def test_evidence_that_does_not_add_up_is_refused(overrides: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        make_evidence(**overrides)


def make_probe(successes: int, **params: float | str) -> Probe:
    return Probe(params=dict(params), evidence=make_evidence(successes, 20))


def test_a_region_without_probes_is_the_point_itself() -> None:
    assert find_region({"height": 0.2, "kind": "flat", "on": True}, [], 0.6) == {"height": (0.2, 0.2)}


def test_a_region_reaches_to_probes_that_hold_and_stops_before_one_that_fails() -> None:
    probes = [
        make_probe(20, height=0.1),
        make_probe(20, height=0.4),
        make_probe(5, height=0.5),
        make_probe(20, height=0.6),
    ]
    assert find_region({"height": 0.2}, probes, 0.6) == {"height": (0.1, 0.4)}


def test_a_region_of_two_parameters_keeps_failing_points_out() -> None:
    # (0,0) is certified, (1,0) and (0,1) hold, their corner (1,1) fails: the nearer in the list's order is taken, not both
    probes = [make_probe(20, a=1.0, b=0.0), make_probe(20, a=0.0, b=1.0), make_probe(0, a=1.0, b=1.0)]
    assert find_region({"a": 0.0, "b": 0.0}, probes, 0.6) == {"a": (0.0, 1.0), "b": (0.0, 0.0)}


def test_axes_of_different_size_weigh_alike() -> None:
    # In shares of the measured range, b=50 (0.5) is nearer than a=1 (1.0); taken first, it is kept and the corner blocks a.
    probes = [
        make_probe(20, a=1.0, b=0.0),
        make_probe(20, a=0.0, b=50.0),
        make_probe(0, a=1.0, b=50.0),
        make_probe(0, a=0.0, b=100.0),
    ]
    assert find_region({"a": 0.0, "b": 0.0}, probes, 0.6) == {"a": (0.0, 0.0), "b": (0.0, 50.0)}


def test_probes_of_another_kind_do_not_count() -> None:
    probes = [
        make_probe(20, height=0.9, kind="stairs"),
        make_probe(20, height=0.3, kind="flat"),
        make_probe(20, width=1.0),
    ]
    assert find_region({"height": 0.2, "kind": "flat"}, probes, 0.6) == {"height": (0.2, 0.3)}
