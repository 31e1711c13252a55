"""What a race may take: nominal on a fresh home, measured where there is a past."""

from __future__ import annotations

from experimenter.execution.pace import affordable_steps, known_pace
from experimenter.records import Evaluation, JobResult, JobStatus

PLAYED = Evaluation(seeds=(1,), fitness=(1.0,), success=(True,), native_return=(1.0,), length=(1,))


def make_result(new_steps: int, wall_s: float) -> JobResult:
    return JobResult(job_digest="a", status=JobStatus.DONE, evaluation=PLAYED, new_steps=new_steps, wall_s=wall_s)


def test_a_fresh_home_has_a_nominal_pace() -> None:
    assert known_pace("walker") == known_pace("walker", [])
    assert known_pace("gym:Nobody-v0").steps_per_s > 0


def test_the_slower_quarter_of_long_past_jobs_sets_the_pace() -> None:
    past = [make_result(100_000, 100.0), make_result(200_000, 100.0), make_result(300_000, 100.0), make_result(9, 1.0)]
    assert known_pace("walker", past).steps_per_s == 1000.0  # rates 1000, 2000, 3000: the short job says nothing
    assert known_pace("walker", past[:2]) == known_pace("walker")  # two are too few


def test_affordable_steps_pay_for_starting_the_workers() -> None:
    pace = known_pace("walker", [make_result(100_000, 100.0)] * 3)
    assert (
        affordable_steps(pace, seconds=100.0, workers=2, jobs=10) == 90 * 1000
    )  # 200 s of workers less 10 starts of 11 s
    assert affordable_steps(pace, seconds=0.0, workers=2, jobs=10) == 1000
    assert affordable_steps(pace, seconds=float("inf"), workers=2, jobs=1) > 10**15
