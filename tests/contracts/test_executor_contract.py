"""The contract suite of executors: runs over everything in the registry, with a real family, trainer and rewards."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.errors import EnvironmentNotReady, UsageError
from experimenter.execution.base import Executor, JobState, JobUpdate, make_executor
from experimenter.records import JobResult, JobStatus, RewardKind, RewardProgram, TrainJob
from experimenter.registry import list_names

MakeExecutor = Callable[[Path], Executor]
_EXTRAS = {"ray": "ray"}
"""Executors that need an optional package."""


def make_job(*, seed: int = 0, steps: int = 600, settings: dict[str, ParamValue] | None = None) -> TrainJob:
    return TrainJob(
        task=get_family("gym:CartPole-v1").resolve_task(horizon=100),
        reward=RewardProgram(kind=RewardKind.NATIVE),
        trainer="ppo",
        settings=settings or {},
        seed=seed,
        budget_steps=steps,
        schedule_steps=steps,
        eval_episodes=5,
        wall_limit_s=120.0,
    )


@pytest.fixture(params=list_names("executors"))
def make(request: pytest.FixtureRequest) -> MakeExecutor:
    name: str = request.param
    if name in _EXTRAS and importlib.util.find_spec(_EXTRAS[name]) is None:
        with pytest.raises(EnvironmentNotReady, match=rf"rl-experimenter\[{name}\]"):
            make_executor(Path("nowhere"), name)
        pytest.skip(f"the executor {name} is not installed; its refusal is as it should be")
    return lambda home: make_executor(home, name)


def test_executor_contract(make: MakeExecutor, tmp_path: Path) -> None:
    executor = make(tmp_path)
    assert isinstance(executor, Executor)
    good, bad = make_job(), make_job(settings={"no_such_setting": 1})
    updates: list[JobUpdate] = []
    results = {result.job_digest: result for result in executor.run([good, bad, good], updates.append)}
    assert set(results) == {good.digest, bad.digest}
    _check_good(results[good.digest], tmp_path)
    failed = results[bad.digest]
    assert failed.status is JobStatus.FAILED and failed.failure is not None and not failed.ok
    assert (failed.failure.stage, failed.failure.kind) == ("train", "UsageError")
    assert "no_such_setting" in failed.failure.message
    ended = {update.job_digest for update in updates if update.state is JobState.ENDED}
    assert ended == {good.digest, bad.digest}
    _check_found_again(make, tmp_path, good, bad, results)
    _check_stopped(make, tmp_path, good)


def _check_good(result: JobResult, home: Path) -> None:
    assert result.failure is None and result.status is JobStatus.DONE and result.ok
    assert result.steps == result.new_steps == 600
    assert result.evaluation is not None and len(result.evaluation.fitness) == 5
    assert min(result.evaluation.seeds) >= 10**6
    steps = [point.step for point in result.curve]
    assert steps and steps == sorted(set(steps)) and steps[-1] <= 600
    assert (home / "jobs" / result.artifact / "policy" / "policy.json").is_file()


def _check_found_again(
    make: MakeExecutor, home: Path, good: TrainJob, bad: TrainJob, results: dict[str, JobResult]
) -> None:
    started = time.monotonic()
    again = {result.job_digest: result for result in make(home).run([good, bad])}
    assert again == results
    assert time.monotonic() - started < 10.0


def _check_stopped(make: MakeExecutor, home: Path, good: TrainJob) -> None:
    executor = make(home)
    executor.stop("the test says so")
    new = make_job(seed=5)
    # a finished job is still found, a new one is not begun
    assert [result.job_digest for result in executor.run([new, good])] == [good.digest]
    assert not (home / "jobs" / new.digest / "result.json").exists()


def test_unknown_executor_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'local'"):
        make_executor(Path("nowhere"), "locl")
