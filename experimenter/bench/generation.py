"""What a generation of reward programs costs beyond its training: a race of short jobs on the local executor.

Every job trains under generated code, confined, and is evaluated. The trainer's own wall and CPU seconds are measured inside the
workers; the ideal is those seconds laid out on the same number of workers in the same order. Both share whatever else runs on
the machine, so their ratio is robust where the seconds are not. Two generations run on one executor: the first starts it.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.errors import ExperimenterError
from experimenter.execution.base import JobState, JobUpdate
from experimenter.execution.local import LocalExecutor
from experimenter.records import RewardKind, RewardProgram, TeacherSpec, TrainJob
from experimenter.rewards.specification import parse_specification, rule_specification, to_code

TARGET_PERCENT = 5.0
"""Wall time that a generation may take beyond its training."""


def measure(
    family: str = "gym:CartPole-v1", steps: int = 60_000, jobs: int = 8, workers: int = 2, generations: int = 2
) -> dict[str, Any]:
    """Run `generations` races of `jobs` jobs of `steps` env steps on `workers` workers; returns the figures of each."""
    with tempfile.TemporaryDirectory(prefix="generation-") as home:
        executor = LocalExecutor(Path(home), workers=workers)
        rows = [
            _run_generation(executor, Path(home), make_jobs(family, steps, range(jobs * number, jobs * (number + 1))))
            for number in range(generations)
        ]
        executor.close()
    return {
        "family": family, "steps": steps, "jobs": jobs, "workers": workers, "target_percent": TARGET_PERCENT,
        "generations": rows,
    }  # fmt: skip


def make_jobs(family: str, steps: int, seeds: Sequence[int]) -> list[TrainJob]:
    """Jobs under our own rule's reward, written out as the code that a model would have written."""
    made = get_family(family)
    card = made.card()
    source = to_code(parse_specification(rule_specification(card).source, card), card)
    return [
        TrainJob(
            task=TaskSpec(family=family, params={}, horizon=card.horizon),
            reward=RewardProgram(kind=RewardKind.CODE, source=source),
            trainer="ppo", settings={}, teacher=TeacherSpec(name="fixed"), seed=seed,
            budget_steps=steps, schedule_steps=steps, eval_episodes=20, wall_limit_s=3600.0,
        )
        for seed in seeds
    ]  # fmt: skip


def schedule(seconds: Sequence[float], workers: int) -> float:
    """Wall seconds of jobs taken in order by whichever worker is free first."""
    free = [0.0] * workers
    for length in seconds:
        free.sort()
        free[0] += length
    return max(free)


def _run_generation(executor: LocalExecutor, home: Path, jobs: Sequence[TrainJob]) -> dict[str, float]:
    """Run the jobs and compare with what they say of their training."""
    evaluating: dict[str, float] = {}
    spent: dict[str, float] = {}

    def on_update(update: JobUpdate) -> None:
        if update.state is JobState.EVALUATING:
            evaluating[update.job_digest] = time.monotonic()
        elif update.state is JobState.ENDED:
            spent[update.job_digest] = time.monotonic() - evaluating.get(update.job_digest, time.monotonic())

    started, own = time.monotonic(), _own_cpu_s()
    results = list(executor.run(jobs, on_update))
    wall_s, own_s = time.monotonic() - started, _own_cpu_s() - own
    for result in results:
        if not result.ok:
            raise ExperimenterError(f"a job of the bench failed: {result.failure or result.status.value}")
    said = [json.loads((home / "jobs" / job.digest / "work" / "outcome.json").read_text()) for job in jobs]
    train_s = [float(outcome["train_s"]) for outcome in said]
    train_cpu_s = sum(float(outcome["train_cpu_s"]) for outcome in said)
    ideal_s = schedule(train_s, executor.workers)
    count = len(jobs)
    return {
        "wall_s": round(wall_s, 3),
        "ideal_s": round(ideal_s, 3),
        "overhead_percent": round(100.0 * (wall_s / ideal_s - 1.0), 2),
        "train_s_per_job": round(sum(train_s) / count, 3),
        "train_cpu_s_per_job": round(train_cpu_s / count, 3),
        "worker_cpu_s_per_job": round(sum(result.cpu_s for result in results) / count, 3),
        "evaluate_s_per_job": round(sum(spent.values()) / count, 3),
        "supervisor_cpu_s_per_job": round(own_s / count, 4),
        "load": round(os.getloadavg()[0], 2),
    }


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def table(figures: dict[str, Any]) -> str:
    """Lay the figures out as lines of text."""
    head = (
        f"a generation of {figures['jobs']} confined jobs of {figures['steps']} env steps of {figures['family']} on "
        f"{figures['workers']} workers (target: at most {figures['target_percent']:g} % above training)"
    )
    rows = [
        f"  {number + 1}: wall {row['wall_s']:.2f} s, training alone {row['ideal_s']:.2f} s, overhead "
        f"{row['overhead_percent']:.1f} %; a job: training {row['train_s_per_job']:.2f} s ({row['train_cpu_s_per_job']:.2f} "
        f"CPU-s of the worker's {row['worker_cpu_s_per_job']:.2f}), evaluation {row['evaluate_s_per_job']:.2f} s, supervisor "
        f"{row['supervisor_cpu_s_per_job']:.3f} CPU-s; load {row['load']:.1f}"
        for number, row in enumerate(figures["generations"])
    ]
    return "\n".join([head, *rows])
