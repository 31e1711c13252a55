"""The race: costs and rankings worked out by hand."""

from __future__ import annotations

import pytest

from envs.task import TaskSpec
from experimenter.evaluation.race import (
    RacePlan,
    Rung,
    extend_jobs,
    fit_race,
    next_rung,
    plan_race,
    race_cost,
    rung_jobs,
    select_best_job,
)
from experimenter.records import Evaluation, Failure, JobResult, JobStatus, RewardKind, RewardProgram, TrainJob

NATIVE = RewardProgram(kind=RewardKind.NATIVE)
FITNESS = RewardProgram(kind=RewardKind.FITNESS)
CODE = [RewardProgram(kind=RewardKind.CODE, source=f"# {i}", model="m") for i in range(4)]
TEMPLATE = TrainJob(
    task=TaskSpec(family="toy", horizon=10),
    reward=NATIVE,
    trainer="ppo",
    seed=0,
    budget_steps=1,
    schedule_steps=1,
    eval_episodes=4,
)
RUNGS = (
    Rung(budget_steps=100, seeds=(0,), keep=2),
    Rung(budget_steps=300, seeds=(0, 1), keep=2),
    Rung(budget_steps=900, seeds=(0, 1, 2), keep=1),
)


def make_plan(*arms: RewardProgram) -> RacePlan:
    return plan_race(arms or (NATIVE, FITNESS, *CODE), RUNGS)


def make_result(job: TrainJob, fitness: list[float] | None) -> JobResult:
    if fitness is None:
        failure = Failure(stage="train", kind="nan", message="weights")
        return JobResult(job_digest=job.digest, status=JobStatus.FAILED, failure=failure)
    n = len(fitness)
    evaluation = Evaluation(
        seeds=tuple(range(10**6, 10**6 + n)),
        fitness=tuple(fitness),
        success=(True,) * n,
        native_return=(0.0,) * n,
        length=(1,) * n,
    )
    return JobResult(job_digest=job.digest, status=JobStatus.DONE, evaluation=evaluation, steps=job.budget_steps)


def test_cost_by_hand() -> None:
    # rung 0: 6 arms x 1 seed x 100; rung 1: 2 arms x (200 continued + 300 new); rung 2: 2 arms x (2 x 600 + 900)
    assert race_cost(RUNGS, 6) == 600 + 2 * 500 + 2 * 2100
    assert make_plan().total_steps == 5800


def test_jobs_of_later_rungs_continue_their_own_seed() -> None:
    plan = make_plan()
    first = rung_jobs(plan, 0, [arm.digest for arm in plan.arms], TEMPLATE)
    assert [(j.reward.label, j.seed, j.budget_steps, j.continues) for j in first[:2]] == [
        ("native", 0, 100, None),
        ("fitness", 0, 100, None),
    ]
    assert {j.schedule_steps for j in first} == {900}
    second = rung_jobs(plan, 1, [FITNESS.digest, NATIVE.digest], TEMPLATE)
    assert [(j.reward.label, j.seed) for j in second] == [("native", 0), ("fitness", 0), ("native", 1), ("fitness", 1)]
    assert [j.continues for j in second] == [first[0].digest, first[1].digest, None, None]
    third = rung_jobs(plan, 2, [NATIVE.digest], TEMPLATE)
    assert [j.continues for j in third] == [second[0].digest, second[2].digest, None]
    assert len({j.digest for j in (*first, *second, *third)}) == 6 + 4 + 3


def test_ranking_keeps_the_best_and_says_why_the_others_go() -> None:
    plan = make_plan(NATIVE, FITNESS, CODE[0])
    jobs = rung_jobs(plan, 0, [a.digest for a in plan.arms], TEMPLATE)
    fitness = {NATIVE.digest: [1.0, 2, 3, 100], FITNESS.digest: [0.0, 0, 0, 0], CODE[0].digest: [5.0, 5, 5, 5]}
    results = {j.digest: make_result(j, fitness[j.reward.digest]) for j in jobs}
    standing = next_rung(plan, 0, jobs, results)
    # IQM of (1, 2, 3, 100) is the mean of 2 and 3: the lucky 100 counts for nothing
    assert [(s.label[:4], s.iqm) for s in standing.ranking] == [("code", 5.0), ("nati", 2.5), ("fitn", 0.0)]
    assert standing.survivors == (CODE[0].digest, NATIVE.digest) and standing.winner == CODE[0].digest
    assert set(standing.eliminated) == {FITNESS.digest}
    assert "fitness IQM 0 [0, 0] after 100 steps, below native with 2.5" in standing.eliminated[FITNESS.digest]


def test_the_control_runs_to_the_end_and_wins_when_it_learns_late() -> None:
    plan = plan_race((NATIVE, FITNESS, *CODE), RUNGS, control=True, dominated_share=0.25)
    alive = [arm.digest for arm in plan.arms]
    for rung in range(3):
        jobs = rung_jobs(plan, rung, alive, TEMPLATE)
        late = {NATIVE.digest: 9.0 if rung == 2 else 0.1, FITNESS.digest: 0.2}
        results = {job.digest: make_result(job, [late.get(job.reward.digest, 5.0)] * 4) for job in jobs}
        standing = next_rung(plan, rung, jobs, results)
        alive = list(standing.survivors)
        if rung == 0:  # it had more than the control, and fell short of the arms that were kept
            assert "fitness IQM 0.2 " in (why := standing.eliminated[FITNESS.digest])
            assert "below code" in why and "the last of 2 kept" in why
        assert NATIVE.digest in alive and FITNESS.digest not in alive
        assert len(alive) == (1 if rung == 2 else 3), "two arms are kept, and the control"
    assert alive == [NATIVE.digest]
    with_control, without = (race_cost(RUNGS, 6, control=control) for control in (True, False))
    # one arm more in the second and third rung: 200 + 300, and 2 x 600 + 900 steps
    assert with_control - without == 500 + 2100 and plan.total_steps == with_control


def test_a_failed_job_counts_as_the_worst_value_and_is_not_dropped() -> None:
    plan = make_plan(NATIVE, CODE[0])
    jobs = rung_jobs(plan, 1, [a.digest for a in plan.arms], TEMPLATE)
    value = {(NATIVE.digest, 0): [3.0] * 4, (NATIVE.digest, 1): [3.0] * 4, (CODE[0].digest, 0): [9.0] * 4}
    results = {j.digest: make_result(j, value.get((j.reward.digest, j.seed))) for j in jobs}
    standing = next_rung(plan, 1, jobs, results)
    scores = {s.arm: s for s in standing.ranking}
    # pooled (9 x 4, worst 3 x 4): the middle half is 3, 3, 9, 9
    assert (scores[CODE[0].digest].iqm, scores[CODE[0].digest].failed) == (6.0, 1)
    assert scores[NATIVE.digest].iqm == 3.0


def test_missing_results_count_like_failures_and_all_failed_arms_never_win() -> None:
    plan = make_plan(NATIVE, CODE[0], CODE[1])
    jobs = rung_jobs(plan, 0, [a.digest for a in plan.arms], TEMPLATE)
    results = {j.digest: make_result(j, [-5.0] * 4) for j in jobs if j.reward == CODE[1]}
    results |= {j.digest: make_result(j, None) for j in jobs if j.reward == CODE[0]}
    standing = next_rung(plan, 0, jobs, results)
    assert standing.survivors == (CODE[1].digest,)
    assert standing.eliminated == {NATIVE.digest: "all 1 jobs failed", CODE[0].digest: "all 1 jobs failed"}
    assert next_rung(plan, 0, jobs, {}).winner is None


def test_ties_go_to_the_narrower_then_to_the_simpler_arm() -> None:
    plan = make_plan(NATIVE, CODE[0], CODE[1])
    jobs = rung_jobs(plan, 0, [a.digest for a in plan.arms], TEMPLATE)
    equal = {j.digest: make_result(j, [2.0, 2, 2, 2]) for j in jobs}
    assert next_rung(plan, 0, jobs, equal).survivors == (NATIVE.digest, CODE[0].digest)
    spread = {j.digest: make_result(j, [2.0, 2, 2, 2] if j.reward == CODE[1] else [0.0, 2, 2, 2]) for j in jobs}
    assert next_rung(plan, 0, jobs, spread).winner == CODE[1].digest


def test_at_the_ceiling_the_arm_without_a_failing_episode_wins() -> None:
    plan = plan_race((NATIVE, CODE[0]), (Rung(budget_steps=100, seeds=tuple(range(8)), keep=1),))
    jobs = rung_jobs(plan, 0, [arm.digest for arm in plan.arms], TEMPLATE)
    lame = [1.0] * 7 + [0.4] * 3
    results = {
        job.digest: make_result(job, lame if (job.reward, job.seed) == (NATIVE, 3) else [1.0] * 10) for job in jobs
    }
    standing = next_rung(plan, 0, jobs, results)
    assert {(score.iqm, score.low) for score in standing.ranking} == {(1.0, 1.0)}
    assert standing.winner == CODE[0].digest


@pytest.mark.parametrize(("good", "winner"), [(9.0, "native"), (40.0, "code")])
def test_a_seed_that_fails_costs_the_race_where_the_others_do_not_make_up_for_it(good: float, winner: str) -> None:
    plan = plan_race((NATIVE, CODE[0]), (Rung(budget_steps=100, seeds=(0, 1, 2, 3), keep=1),))
    jobs = rung_jobs(plan, 0, [arm.digest for arm in plan.arms], TEMPLATE)
    results = {
        job.digest: make_result(job, [8.9] * 10 if job.reward == NATIVE else [0.0 if job.seed == 3 else good] * 10)
        for job in jobs
    }
    standing = next_rung(plan, 0, jobs, results)
    scores = {score.label[:4]: score for score in standing.ranking}
    assert scores["code"].iqm == good > scores["nati"].iqm, "the middle half does not see the failed seed"
    assert standing.ranking[0].label.startswith(winner) and standing.winner == standing.ranking[0].arm
    if winner == "native":
        assert "with a lower plain mean than native" in standing.eliminated[CODE[0].digest]


def test_the_policy_to_certify_is_the_winners_best_seed() -> None:
    plan = make_plan(NATIVE, CODE[0])
    jobs = rung_jobs(plan, 1, [a.digest for a in plan.arms], TEMPLATE)
    value = {(NATIVE.digest, 0): 1.0, (NATIVE.digest, 1): 7.0, (CODE[0].digest, 0): 99.0}
    results = {
        j.digest: make_result(j, [value[(j.reward.digest, j.seed)]] * 4)
        for j in jobs
        if (j.reward.digest, j.seed) in value
    }
    best = next(j for j in jobs if j.reward == NATIVE and j.seed == 1)
    assert select_best_job(NATIVE.digest, jobs, results) == best.digest
    assert select_best_job(FITNESS.digest, jobs, results) is None


@pytest.mark.parametrize("total", [10_000, 100_000, 1_000_000, 10_000_000, 50_000_000])
@pytest.mark.parametrize("arms", [1, 2, 3, 6, 17])
def test_fitted_races_stay_within_their_budget(arms: int, total: int) -> None:
    rungs = fit_race(arms, total_steps=total, final_steps=2_000_000, seeds_final=3)
    assert race_cost(rungs, arms) <= total
    assert rungs[-1].keep == 1
    plan_race([RewardProgram(kind=RewardKind.CODE, source=str(i)) for i in range(arms)], rungs)


def test_a_generous_budget_gets_the_whole_race() -> None:
    rungs = fit_race(6, total_steps=10**9, final_steps=900_000, seeds_final=3, first_seed=5)
    assert [(r.budget_steps, r.seeds, r.keep) for r in rungs] == [
        (100_000, (5, 6), 4),  # 6 * (1/3)^(1/2) = 3.46
        (300_000, (5, 6), 2),
        (900_000, (5, 6, 7), 1),
    ]


def test_bad_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="in the race twice"):
        plan_race([NATIVE, NATIVE], RUNGS)
    with pytest.raises(ValueError, match="more steps or more seeds than the one before"):
        plan_race([NATIVE], RUNGS[::-1])
    with pytest.raises(ValueError, match="at least one step an arm"):
        fit_race(5, total_steps=4, final_steps=100)


def test_extension_continues_every_job() -> None:
    plan = make_plan(NATIVE)
    jobs = rung_jobs(plan, 2, [NATIVE.digest], TEMPLATE)
    longer = extend_jobs(jobs, 1800)
    assert [(j.continues, j.budget_steps, j.schedule_steps, j.seed) for j in longer] == [
        (j.digest, 1800, 1800, j.seed) for j in jobs
    ]
    assert extend_jobs(jobs, 900) == ()


def test_a_persons_weights_change_the_ranking_and_nothing_else() -> None:
    arms = [NATIVE, CODE[0]]
    effort = {NATIVE.digest: 0.1, CODE[0].digest: 5.0}

    def rank_with(weights: dict[str, float]) -> tuple[list[str], list[float]]:
        plan = plan_race(arms, RUNGS[:1], weights)
        jobs = rung_jobs(plan, 0, [arm.digest for arm in arms], TEMPLATE)
        results = {}
        for job, fitness in zip(jobs, ([0.5] * 4, [0.6] * 4), strict=True):
            result = make_result(job, fitness)
            assert result.evaluation is not None
            spent = {"effort": (effort[job.reward.digest],) * 4}
            results[job.digest] = result.evolve(
                evaluation=result.evaluation.evolve(extras_by_episode=spent).model_dump()
            )
        standing = next_rung(plan, 0, jobs, results)
        return [score.label for score in standing.ranking], [score.iqm for score in standing.ranking]

    assert rank_with({}) == ([CODE[0].label, "native"], [0.6, 0.5])
    # 0.5 - 0.1 x 0.1 = 0.49 against 0.6 - 0.1 x 5 = 0.1
    labels, values = rank_with({"effort": -0.1})
    assert labels == ["native", CODE[0].label] and values == pytest.approx([0.49, 0.1])


def test_rungs_that_would_rank_by_noise_are_left_out() -> None:
    def budgets(least: int) -> list[int]:
        return [rung.budget_steps for rung in fit_race(6, total_steps=10**9, final_steps=90_000, least_steps=least)]

    assert budgets(0) == [10_000, 30_000, 90_000]
    assert budgets(10_001) == [30_000, 90_000]
    assert budgets(50_000) == [90_000, 90_000] and budgets(10**7) == [90_000, 90_000]


def test_a_race_without_shorter_rungs_has_one_of_fewer_seeds() -> None:
    """Six arms on two seeds, then the best two on two more: 16 trainings in place of 24."""
    rungs = fit_race(6, total_steps=10**9, final_steps=90_000, seeds_final=4, least_steps=50_000)
    assert [(r.budget_steps, r.seeds, r.keep) for r in rungs] == [
        (90_000, (0, 1), 2),
        (90_000, (0, 1, 2, 3), 1),
    ]
    assert race_cost(rungs, 6) == 16 * 90_000
    plan = plan_race([NATIVE, *CODE[:2]], rungs)
    first = rung_jobs(plan, 0, [arm.digest for arm in plan.arms], TEMPLATE)
    last = rung_jobs(plan, 1, [NATIVE.digest, CODE[0].digest], TEMPLATE)
    assert len(first) == 6 and len(last) == 8
    assert {job.digest for job in last if job.seed < 2} == {job.digest for job in first if job.reward != CODE[1]}
    assert all(job.continues is None and job.budget_steps == 90_000 for job in last)
    assert len(fit_race(2, total_steps=10**9, final_steps=90_000, seeds_final=4, least_steps=50_000)) == 1


def test_an_arm_far_below_the_leader_goes_no_further_late_in_the_race() -> None:
    plan = plan_race((NATIVE, FITNESS), RUNGS, dominated_share=0.5)

    def survivors(rung: int, native: float, other: float) -> set[str]:
        jobs = rung_jobs(plan, rung, [NATIVE.digest, FITNESS.digest], TEMPLATE)
        results = {job.digest: make_result(job, [native if job.reward == NATIVE else other] * 4) for job in jobs}
        return set(next_rung(plan, rung, jobs, results).survivors)

    both = {NATIVE.digest, FITNESS.digest}
    # rung 0 has a ninth of the steps, rung 1 a third: only there 0.3 is too far below 0.8, and 0.4 is just not
    assert survivors(0, 0.8, 0.3) == both
    assert survivors(1, 0.8, 0.3) == {NATIVE.digest}
    assert survivors(1, 0.8, 0.4) == both
    assert survivors(1, 0.3, 0.8) == both  # the native reward stays for comparison
    assert survivors(1, -0.1, -5.0) == both  # a share of a negative fitness says nothing
    # without a share nobody goes early
    plan = plan_race((NATIVE, FITNESS), RUNGS)
    assert survivors(1, 0.8, 0.0) == both
