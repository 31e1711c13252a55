"""A race, run: rung after rung through an executor, with a standing after each. The rules are `evaluation/race.py`'s.

Running it again after a kill costs nothing: finished jobs are found by their digest, begun ones go on from a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from experimenter.evaluation.race import RacePlan, Standing, extend_jobs, next_rung, rung_jobs
from experimenter.execution.base import Executor, JobUpdate
from experimenter.records import JobResult, TrainJob


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What the caller wants to hear of a race."""

    on_rung: Callable[[int, Sequence[TrainJob]], None]
    on_result: Callable[[JobResult], None]
    on_standing: Callable[[Standing], None]
    on_update: Callable[[JobUpdate], None] | None = None
    known: Callable[[Sequence[TrainJob]], dict[str, JobResult]] = lambda jobs: {}
    """Results that the caller has already, by job digest: they are not asked for again, however they ended."""
    skip: Callable[[int], bool] = lambda rung: False
    """Asked before each rung but the first: True ends the race there (no time for it)."""


@dataclass(frozen=True, kw_only=True)
class RaceEnd:
    """Where a race got to."""

    standing: Standing | None
    """After the last rung that ended whole; None when not even the first did and nothing can be ranked."""
    jobs: tuple[TrainJob, ...]
    """Jobs of that rung."""
    results: dict[str, JobResult] = field(default_factory=dict)
    complete: bool = True
    """False when the executor was stopped before the last rung ended."""


def run_race(executor: Executor, plan: RacePlan, template: TrainJob, hooks: Hooks) -> RaceEnd:
    """Run all rungs of `plan`, or as far as the executor lets us."""
    alive: tuple[str, ...] = tuple(arm.digest for arm in plan.arms)
    results: dict[str, JobResult] = {}
    end = RaceEnd(standing=None, jobs=(), complete=False)
    for number in range(len(plan.rungs)):
        if number and (not alive or hooks.skip(number)):
            return RaceEnd(standing=end.standing, jobs=end.jobs, results=results, complete=not alive)
        jobs = rung_jobs(plan, number, alive, template)
        hooks.on_rung(number, jobs)
        results |= collect(executor, jobs, hooks)
        missing = [job for job in jobs if job.digest not in results]
        if missing and end.standing is not None:
            return RaceEnd(standing=end.standing, jobs=end.jobs, results=results, complete=False)
        if missing and not any(results[job.digest].ok for job in jobs if job.digest in results):
            return RaceEnd(standing=None, jobs=(), results=results, complete=False)
        standing = next_rung(plan, number, jobs, results)
        hooks.on_standing(standing)
        end, alive = RaceEnd(standing=standing, jobs=jobs, results=results, complete=not missing), standing.survivors
        if missing:
            return end
    return end


def run_extension(executor: Executor, jobs: Sequence[TrainJob], budget_steps: int, hooks: Hooks) -> RaceEnd:
    """Train the winner's jobs on to `budget_steps`."""
    longer = extend_jobs(jobs, budget_steps)
    hooks.on_rung(-1, longer)
    results = collect(executor, longer, hooks)
    complete = all(job.digest in results for job in longer)
    return RaceEnd(standing=None, jobs=longer, results=results, complete=complete)


def collect(executor: Executor, jobs: Sequence[TrainJob], hooks: Hooks) -> dict[str, JobResult]:
    """Run what is not known yet; returns the results by job digest."""
    results = hooks.known(jobs)
    for result in executor.run([job for job in jobs if job.digest not in results], hooks.on_update):
        hooks.on_result(result)
        results[result.job_digest] = result
    return results
