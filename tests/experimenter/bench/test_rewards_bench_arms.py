"""Which programs a search's rows name, what their final runs come to, and what the screens would have thrown away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experimenter.bench.rewards.arms import ARMS, Arms, Candidate, Finished, find_arms
from experimenter.bench.rewards.finals import FIRST_SEED, gather, make_jobs
from experimenter.bench.rewards.options import BenchOptions, choose_tasks, make_options
from experimenter.bench.rewards.screens import ScreenVerdict, read_verdicts, summarise_screens
from experimenter.bench.rewards.search import make_config
from experimenter.bench.rewards.state import TaskState, open_state, put_task
from experimenter.bench.rewards.tasks import TASKS, BenchTask
from experimenter.errors import UsageError
from experimenter.records import (
    Evaluation,
    Failure,
    JobResult,
    JobStatus,
    RewardKind,
    RewardProgram,
    TrainJob,
)

NATIVE = RewardProgram(kind=RewardKind.NATIVE)
SPARSE = RewardProgram(kind=RewardKind.FITNESS)
RULE = RewardProgram(kind=RewardKind.SPECIFICATION, source="{}", model="rule:card")
(PENDULUM,) = choose_tasks("pendulum")


def code(name: str) -> RewardProgram:
    return RewardProgram(kind=RewardKind.CODE, source=f"# {name}\n", model="openai/strong")


def row(program: RewardProgram, generation: int = 0, fate: str = "eliminated") -> Candidate:
    return Candidate(program=program, generation=generation, fate=fate)


def make_job(program: RewardProgram, seed: int = 0, steps: int = 100) -> TrainJob:
    return TrainJob(
        task=PENDULUM.spec(), reward=program, trainer="ppo", seed=seed, budget_steps=steps, schedule_steps=900
    )


def evaluation(*fitness: float) -> Evaluation:
    n = len(fitness)
    return Evaluation(
        seeds=tuple(range(n)), fitness=fitness, success=(True,) * n, native_return=(-100.0,) * n, length=(200,) * n
    )


def run(program: RewardProgram, steps: int, fitness: float, generation: int = 0, seed: int = 0) -> Finished:
    job = make_job(program, seed, steps)
    done = JobResult(
        job_digest=job.digest, status=JobStatus.DONE, evaluation=evaluation(fitness, fitness), new_steps=steps
    )
    return Finished(job=job, result=done, generation=generation)


A, B, C, D = (code(name) for name in "abcd")


def test_the_arms_are_what_the_rows_say() -> None:
    rows = [row(NATIVE), row(SPARSE), row(RULE), row(A, fate="refused"), row(B), row(C), row(D, 1, "won")]
    runs = [run(NATIVE, 900, 0.5), run(B, 100, 0.9), run(C, 900, 0.6), run(C, 900, 0.7, 1), run(D, 900, 0.8, 1)]
    arms = find_arms(rows, runs)
    assert arms.programs == {
        "native": NATIVE,
        "sparse": SPARSE,
        "one_shot": B,  # a was refused
        "best_of_k": C,  # got further in the first generation's race than b, whatever b showed early
        "best_model": D,
        "search": D,
    }
    assert arms.missing == {}
    assert len(arms.distinct) == 5


def test_a_later_screen_does_not_make_a_one_shot_reward_unusable() -> None:
    rows = [row(NATIVE, fate="won"), row(A, fate="refused"), row(B)]
    assert find_arms(rows, [], sound={A.digest}).programs["one_shot"] == A
    assert find_arms(rows, []).programs["one_shot"] == B


def test_without_a_model_the_model_arms_are_absent_and_it_is_said() -> None:
    arms = find_arms([row(NATIVE), row(SPARSE), row(RULE, fate="won")], [run(RULE, 900, 0.5)])
    assert set(arms.programs) == {"native", "sparse", "search"}
    assert arms.programs["search"] == RULE
    assert arms.missing["one_shot"] == "no model wrote a usable reward program"
    assert set(arms.programs) | set(arms.missing) == set(ARMS)


def test_failed_final_runs_count_as_the_tasks_worst() -> None:
    arms = Arms(programs={"native": NATIVE, "sparse": SPARSE, "search": NATIVE})
    options = make_options("quick", seeds=2)
    jobs = make_jobs(PENDULUM, arms, options)
    assert [(job.reward, job.seed) for job in jobs] == [
        (NATIVE, FIRST_SEED),
        (SPARSE, FIRST_SEED),
        (NATIVE, FIRST_SEED + 1),
        (SPARSE, FIRST_SEED + 1),
    ]  # the search's winner is the native reward here: trained once
    played = {
        jobs[0].digest: evaluation(0.8, 0.6),
        jobs[1].digest: evaluation(0.2, 0.0),
        jobs[2].digest: evaluation(0.5),
    }
    failure = Failure(stage="train", kind="nan", message="a NaN")
    results = [JobResult(job_digest=job.digest, status=JobStatus.DONE, new_steps=10, cpu_s=2.0) for job in jobs[:3]]
    results.append(JobResult(job_digest=jobs[3].digest, status=JobStatus.FAILED, failure=failure, new_steps=5))
    finals = gather(arms, jobs, results, played)
    by_arm = {runs.arm: runs for runs in finals.arms}
    assert by_arm["native"].fitness == pytest.approx((0.7, 0.5))
    assert by_arm["search"].fitness == by_arm["native"].fitness
    assert by_arm["sparse"].fitness == pytest.approx((0.1, 0.1))
    assert (by_arm["sparse"].failed, finals.env_steps, finals.cpu_s) == (1, 35, 6.0)
    assert finals.failures == (f"{jobs[3].digest}: train: a NaN",)
    with pytest.raises(ValueError, match="every final training run failed: a NaN"):
        gather(arms, jobs, results, {})


def test_a_screen_is_charged_with_the_winners_that_it_refused() -> None:
    def verdict(task: str, digest: str, screen: str, passed: bool) -> ScreenVerdict:
        return ScreenVerdict(task=task, digest=digest, screen=screen, passed=passed, cost_s=0.5)

    verdicts = [
        verdict("pendulum", "a", "static", True),
        verdict("pendulum", "b", "static", False),
        verdict("pendulum", "a", "preference", False),
        verdict("acrobot", "c", "preference", True),
        verdict("acrobot", "a", "preference", False),  # won on another task, not here
        verdict("walker", "d", "preference", True),
    ]
    static, preference = summarise_screens(verdicts, {"pendulum": {"a"}, "acrobot": {"c"}, "walker": {"native"}})
    assert (static.programs, static.refused, static.winners, static.winners_refused) == (2, 1, 1, 0)
    assert (preference.programs, preference.refused, preference.winners, preference.winners_refused) == (4, 2, 2, 1)
    assert preference.cost_s == pytest.approx(2.0)
    assert preference.mean_cost_s == pytest.approx(0.5)


def test_events_that_are_no_verdicts_are_left_out() -> None:
    data: list[dict[str, object]] = [
        {},
        {"digest": "a", "screen": "static", "passed": True, "cost_s": None, "value": 0.4},
        {"digest": "b"},
    ]
    assert read_verdicts("acrobot", data) == [ScreenVerdict(task="acrobot", digest="a", screen="static", passed=True)]


def test_options_are_presets_with_what_was_said() -> None:
    quick, full = make_options("quick"), make_options("full", seeds=7)
    assert (quick.seeds, full.seeds) == (3, 7)
    assert full.seeds >= 5 and make_options("full").seeds >= 5
    assert quick.final_steps(PENDULUM) == PENDULUM.quick_steps
    assert full.final_steps(PENDULUM) == PENDULUM.full_steps == 2 * full.search_steps(PENDULUM)
    assert make_options("quick", answers="a.jsonl").model_for("acrobot") == "answers/a.jsonl#acrobot"
    for wrong, told in (
        ({"seeds": 0}, "--seeds: "),
        ({"answers": "a", "model": "m"}, "leave out --model"),
        ({"steps_scale": -1.0}, "--steps-scale: "),
    ):
        with pytest.raises(UsageError, match=told):
            make_options("quick", **wrong)
    with pytest.raises(UsageError, match="Did you mean 'acrobot'"):
        choose_tasks("acrobat,lander")
    assert [task.name for task in choose_tasks("lander, acrobot")] == ["acrobot", "lander"]


def test_a_session_of_the_bench_goes_through_all_generations() -> None:
    config = make_config(PENDULUM, make_options("quick", model="none"), workers=2)
    assert config.exhaust and config.fresh and config.budget.wall_s is None
    assert (config.family, config.final_steps) == ("gym:Pendulum-v1", make_options("quick").search_steps(PENDULUM))


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    options = make_options("quick", model="none")
    state = put_task(tmp_path, open_state(tmp_path, options), "acrobot", TaskState(session="s1", searched=True))
    assert open_state(tmp_path, options) == state
    with pytest.raises(UsageError, match="other options \\(seeds 3, not 5\\)"):
        open_state(tmp_path, make_options("quick", model="none", seeds=5))
    (tmp_path / "bench.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(UsageError, match="not the state of this bench"):
        open_state(tmp_path, options)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_exists_and_cites_its_budget(task: BenchTask) -> None:
    spec = task.spec()
    assert (spec.family, spec.horizon > 0) == (task.family, True)
    assert task.quick_steps <= task.full_steps and len(task.source) > 20
    assert isinstance(make_options("full"), BenchOptions)


def test_there_are_twelve_tasks() -> None:
    assert len({task.name for task in TASKS}) == 12
