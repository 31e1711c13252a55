"""The final training: every arm again, on fresh seeds, at equal env steps, played on worlds that nothing before has seen.

Training seeds begin at 1000 (a search begins at 0); the worlds are a block of the certificates' range that no certificate takes.
Equal programs are one set of jobs, found by digest; a job that failed counts as the worst mean fitness of its task.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.bench.rewards.arms import Arms
from experimenter.bench.rewards.options import BenchOptions
from experimenter.bench.rewards.tasks import BenchTask
from experimenter.evaluation.rollout import evaluate
from experimenter.evaluation.seeds import admission_seeds
from experimenter.execution.base import Executor, Listener
from experimenter.execution.folder import read_record, write_record
from experimenter.records import Evaluation, JobResult, Record, TrainJob
from skills.artifact import load_policy

FIRST_SEED = 1000
_WORLDS = 60_000
"""Attempt number of the block of admission worlds; certificates count from 0, probes take 50,000."""
_WALL_LIMIT_S = 86_400.0
_MAX_BYTES = 64_000_000


class ArmRuns(Record):
    """The final training of one arm."""

    arm: str
    program: str
    """Digest of its reward program."""
    fitness: tuple[float, ...]
    """Mean fitness over the held-out episodes, one number a training seed; a failed run has the task's worst."""
    success: tuple[float, ...]
    native_return: tuple[float, ...]
    failed: int = 0


class FinalRuns(Record):
    """The final training of one task."""

    arms: tuple[ArmRuns, ...]
    steps: int
    """Env steps of each training run."""
    env_steps: int
    """Env steps of all of them, equal programs once."""
    cpu_s: float
    failures: tuple[str, ...] = ()


def make_jobs(task: BenchTask, arms: Arms, options: BenchOptions) -> list[TrainJob]:
    """One job a program and seed, seed by seed."""
    steps = options.final_steps(task)
    return [
        TrainJob(
            task=task.spec(),
            reward=program,
            trainer=options.trainer,
            settings=options.trainer_settings,
            seed=FIRST_SEED + place,
            budget_steps=steps,
            schedule_steps=steps,
            eval_episodes=1,
            wall_limit_s=_WALL_LIMIT_S,
        )
        for place in range(options.seeds)
        for program in arms.distinct
    ]


def train_finals(executor: Executor, jobs: Sequence[TrainJob], on_update: Listener | None = None) -> list[JobResult]:
    """Run what has not run yet and return all results; fewer come back only when the executor was stopped."""
    return list(executor.run(jobs, on_update))


@contextmanager
def open_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that play policies; they never run generated code."""
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def play_finals(
    pool: ProcessPoolExecutor, home: Path, folder: Path, jobs: Sequence[TrainJob], episodes: int
) -> dict[str, Evaluation]:
    """Play the policies of `jobs` for `episodes` each; what was played before is read from `folder`. By job digest."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {job.digest: folder / f"{job.digest}-{episodes}.json" for job in jobs}
    known = {digest: read_record(path, Evaluation, _MAX_BYTES) for digest, path in paths.items()}
    waiting = {
        job.digest: pool.submit(_play, str(home / "jobs" / job.digest / "policy"), job.task.model_dump_json(), episodes)
        for job in jobs
        if known[job.digest] is None
    }
    played = {digest: value for digest, value in known.items() if value is not None}
    for digest, future in waiting.items():
        played[digest] = Evaluation.model_validate_json(future.result())
        write_record(paths[digest], played[digest])
    return played


def run_finals(
    executor: Executor,
    pool: ProcessPoolExecutor,
    folder: Path,
    arms: Arms,
    jobs: Sequence[TrainJob],
    episodes: int,
    on_update: Listener | None = None,
) -> FinalRuns:
    """Train `jobs`, play their policies and gather both; `folder` holds the `home` of the jobs. Raises `ValueError` as `gather` does."""
    results = train_finals(executor, jobs, on_update)
    good = {result.job_digest for result in results if result.ok}
    kept = [job for job in jobs if job.digest in good]
    return gather(arms, jobs, results, play_finals(pool, folder / "home", folder / "evaluations", kept, episodes))


def gather(
    arms: Arms, jobs: Sequence[TrainJob], results: Sequence[JobResult], played: Mapping[str, Evaluation]
) -> FinalRuns:
    """Put results and evaluations together by arm. Raises `ValueError` when no run of the task gave a policy."""
    by_digest = {result.job_digest: result for result in results}
    means = {digest: fmean(evaluation.fitness) for digest, evaluation in played.items()}
    if not means:
        reasons = sorted({result.failure.message for result in results if result.failure is not None})
        raise ValueError(f"every final training run failed: {'; '.join(reasons)[:300]}")
    worst = min(means.values())
    gathered = []
    for arm, program in arms.programs.items():
        mine = [job.digest for job in jobs if job.reward.digest == program.digest]
        good = [played[digest] for digest in mine if digest in played]
        gathered.append(
            ArmRuns(
                arm=arm,
                program=program.digest,
                fitness=tuple(means.get(digest, worst) for digest in mine),
                success=tuple(fmean(evaluation.success) for evaluation in good),
                native_return=tuple(fmean(evaluation.native_return) for evaluation in good),
                failed=len(mine) - len(good),
            )
        )
    failures = [
        f"{result.job_digest}: {result.failure.stage}: {result.failure.message}"
        for result in by_digest.values()
        if result.failure is not None
    ]
    return FinalRuns(
        arms=tuple(gathered),
        steps=jobs[0].budget_steps,
        env_steps=sum(result.new_steps for result in by_digest.values()),
        cpu_s=sum(result.cpu_s for result in by_digest.values()),
        failures=tuple(failures),
    )


def _play(policy: str, task: str, episodes: int) -> str:
    """In a child process: JSON in, JSON out."""
    spec = TaskSpec.model_validate_json(task)
    evaluation = evaluate(
        get_family(spec.family), spec, load_policy(Path(policy)), admission_seeds(episodes, attempt=_WORLDS)
    )
    return evaluation.model_dump_json()
