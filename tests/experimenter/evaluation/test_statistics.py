"""Pooled estimates, paired lifts and the naive rule, by hand."""

from __future__ import annotations

import pytest

from experimenter.evaluation.seeds import admission_seeds, race_seeds
from experimenter.evaluation.statistics import argmax_of_maximum, paired_lift, pooled_iqm, summarise
from experimenter.records import CurvePoint, Evaluation, JobResult, JobStatus


def make_evaluation(fitness: list[float], first: int = 10**6) -> Evaluation:
    n = len(fitness)
    return Evaluation(
        seeds=tuple(range(first, first + n)),
        fitness=tuple(fitness),
        success=tuple(value > 0 for value in fitness),
        native_return=(2.0,) * n,
        length=(3,) * n,
    )


def test_pooled_iqm_mixes_the_seeds() -> None:
    estimate = pooled_iqm({0: [0.0, 1.0, 2.0, 3.0], 1: [4.0, 5.0, 6.0, 700.0]})
    # of 8 values the middle 4 are 2, 3, 4, 5
    assert (estimate.value, estimate.n) == (3.5, 8)
    assert estimate.low < 3.5 < estimate.high < 700
    assert pooled_iqm({0: [1.0, 1.0], 1: [1.0]}).low == 1.0
    with pytest.raises(ValueError):
        pooled_iqm({})


def test_paired_lift_uses_common_worlds_of_common_seeds() -> None:
    ours = {0: make_evaluation([5.0, 6.0, 7.0, 8.0]), 1: make_evaluation([1.0]), 7: make_evaluation([99.0])}
    theirs = {0: make_evaluation([4.0, 4.0, 4.0], first=10**6 + 1), 1: make_evaluation([0.5])}
    lift = paired_lift(ours, theirs)
    # pairs: 6-4, 7-4, 8-4 and 1-0.5; of the 4 values the middle 2 are 2 and 3
    assert lift is not None and (lift.value, lift.n) == (2.5, 4)
    assert paired_lift(ours, {9: make_evaluation([1.0])}) is None


def test_naive_rule_follows_the_luckiest_moment() -> None:
    def make_job(*fitness: float | None) -> JobResult:
        curve = tuple(CurvePoint(step=i + 1, fitness=value) for i, value in enumerate(fitness))
        return JobResult(job_digest="x", status=JobStatus.DONE, curve=curve)

    results = {"steady": [make_job(5.0, 6.0), make_job(5.5, 6.2)], "lucky": [make_job(None, 9.0, 0.0), make_job(0.0)]}
    assert argmax_of_maximum(results) == "lucky"
    assert argmax_of_maximum({"none": [make_job(None)], "empty": []}) is None


def test_summary_by_hand() -> None:
    found = summarise(make_evaluation([0.0, 1.0, 2.0, 9.0]))
    assert (found["fitness_iqm"], found["fitness_mean"], found["success_rate"]) == (1.5, 3.0, 0.75)
    assert (found["native_return_mean"], found["length_mean"], found["episodes"]) == (2.0, 3.0, 4.0)


def test_race_and_admission_worlds_never_meet() -> None:
    race = set(race_seeds(10_000))
    attempts = [set(admission_seeds(10_000, attempt)) for attempt in range(3)]
    assert min(race) == 10**6
    assert not race & set().union(*attempts)
    assert len(set().union(*attempts)) == 30_000
    with pytest.raises(ValueError, match="0 held-out episodes"):
        race_seeds(0)
    with pytest.raises(ValueError, match="attempt -1"):
        admission_seeds(5, -1)
