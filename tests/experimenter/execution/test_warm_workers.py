"""Warm training workers: what they share, what they cost, and that a job ends the same when only a cold start can be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from envs.task import TaskSpec
from experimenter.bench.generation import schedule
from experimenter.execution import children
from experimenter.execution.base import JobState, JobUpdate, WarmExecutor, warm_up
from experimenter.execution.folder import JobFolder, read_outcome
from experimenter.execution.inline import InlineExecutor
from experimenter.execution.local import LocalExecutor
from experimenter.records import JobResult, JobStatus, RewardKind, RewardProgram, TrainJob
from experimenter.sandbox.confine import Level, describe_confinement

MakeJob = Callable[..., TrainJob]
GOOD = """
def compute_reward(state, action, next_state):
    near = np.exp(-np.abs(next_state["position"]))
    return near, {"near": near}
"""
needs_confinement = pytest.mark.skipif(
    sys.platform != "linux" or describe_confinement().level is Level.NONE, reason="this machine cannot confine"
)


def make_generated(make_job: MakeJob, seed: int = 0, **changes: object) -> TrainJob:
    return make_job(reward=RewardProgram(kind=RewardKind.CODE, source=GOOD, model="m"), seed=seed, **changes)


def stems(process: psutil.Process) -> list[psutil.Process]:
    """Children that warm workers are forked from."""
    found = [child for child in process.children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in found if "experimenter.sandbox.keeper" in child.cmdline()]


def parents_of_workers(executor: LocalExecutor, jobs: list[TrainJob]) -> tuple[list[JobResult], set[int]]:
    """Run the jobs and note the stem processes seen while they ran."""
    seen: set[int] = set()

    def on_update(update: JobUpdate) -> None:
        if update.state is JobState.EVALUATING:
            seen.update(stem.pid for stem in stems(psutil.Process()))

    return list(executor.run(jobs, on_update)), seen


@needs_confinement
def test_all_runs_of_an_executor_share_one_warm_process_which_ends_with_it(tmp_path: Path, make_job: MakeJob) -> None:
    before = {stem.pid for stem in stems(psutil.Process())}
    executor = LocalExecutor(tmp_path, workers=2)
    assert isinstance(executor, WarmExecutor) and executor.workers == 2
    warm_up(executor, make_job().task, "toy")
    first, seen = parents_of_workers(executor, [make_job(seed=0), make_generated(make_job, 1)])
    second, later = parents_of_workers(executor, [make_job(seed=2), make_generated(make_job, 3)])
    assert [result.status for result in (*first, *second)] == [JobStatus.DONE] * 4
    assert len(seen - before) == 1 and later - before == seen - before
    executor.close()
    assert {stem.pid for stem in stems(psutil.Process())} == before
    (cold,) = executor.run([make_job(seed=4)])
    assert cold.status is JobStatus.DONE


@needs_confinement
@pytest.mark.parametrize("generated", [False, True])
def test_a_job_ends_the_same_when_no_warm_start_can_be_had(
    tmp_path: Path, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, generated: bool
) -> None:
    job = make_generated(make_job) if generated else make_job()
    (warm,) = LocalExecutor(tmp_path / "warm", workers=1).run([job])
    monkeypatch.setattr(children, "_MODULES", ("no_such_module_anywhere",))
    (cold,) = LocalExecutor(tmp_path / "cold", workers=1).run([job])
    assert warm.status is cold.status is JobStatus.DONE
    assert warm.evaluation == cold.evaluation
    assert [point.terms for point in warm.curve] == [point.terms for point in cold.curve]
    # the toy trains for milliseconds, and a warm worker's time is told to the end
    assert 0.0 < warm.cpu_s < 1.0


def test_the_worker_says_how_long_it_trained(tmp_path: Path, make_job: MakeJob) -> None:
    job = make_job(settings={"pause_s": 0.05})  # ten rounds of 4 worlds x 40 steps
    (result,) = LocalExecutor(tmp_path, workers=1).run([job])
    outcome = read_outcome(JobFolder(tmp_path / "jobs" / job.digest))
    assert outcome is not None and result.ok
    assert 0.5 <= outcome.train_s <= result.wall_s and 0.0 < outcome.train_cpu_s <= outcome.train_s


def test_an_executor_that_cannot_warm_up_is_left_alone(tmp_path: Path) -> None:
    executor = InlineExecutor(tmp_path)
    assert not isinstance(executor, WarmExecutor)
    warm_up(executor, TaskSpec(family="toy", params={}, horizon=40), "toy")


@pytest.mark.parametrize(
    ("seconds", "workers", "expected"),
    [([3.0, 1.0, 2.0], 1, 6.0), ([3.0, 1.0, 2.0], 2, 3.0), ([1.0, 1.0, 5.0], 2, 6.0), ([2.0], 4, 2.0)],
)
def test_ideal_schedule(seconds: list[float], workers: int, expected: float) -> None:
    assert schedule(seconds, workers) == expected
