"""The reward search of a task: how writing and racing overlap, so that neither cores nor the model wait for the other.

While the model writes the first generation, the baseline arms train. While the last rung of a race runs, the next generation is reflected
on and written from what the rungs before it showed - unless the race looks won, a person is to be asked in between, or time is short.
"""

from __future__ import annotations

from experimenter.evaluation.race import Standing
from experimenter.execution.base import warm_up
from experimenter.records import JobResult
from experimenter.registry import default_trainer
from experimenter.research.judging import reflect_ahead
from experimenter.research.racing import SessionDrained, head_start, run_task_race
from experimenter.research.rewards import Ahead, baseline_arms, write_generation
from experimenter.research.rewards import write_rewards as write_arms
from experimenter.services import Services

_MIN_TIME_S = 30.0
"""Less training time than this is not enough for another generation."""


def write_rewards(services: Services, task_digest: str, generation: int) -> None:
    """Put a generation's arms on the task's list; the baselines of the first one train meanwhile."""
    task = services.journal.task(task_digest)

    warm_up(services.executor, task, services.config.trainer or default_trainer(task.family))

    def meanwhile() -> None:
        has_model = services.gateway.provider != "none" and services.config.candidates > 0
        if generation == 0 and services.config.overlap and has_model and not services.clock.training_over:
            head_start(services, task_digest, baseline_arms(task))

    write_arms(services, task_digest, generation, meanwhile)
    if services.drain.is_set():
        raise SessionDrained


def race(services: Services, task_digest: str, generation: int, extension: int) -> bool:
    """Race the arms, writing the next generation ahead; returns True when the budget ended it."""
    ahead: list[Ahead] = []

    def before_last() -> None:
        if _may_write_ahead(services, task_digest, generation):
            ahead.append(Ahead(lambda: _write_ahead(services, task_digest, generation)))

    try:
        return run_task_race(services, task_digest, generation, extension, before_last)
    finally:
        for thread in ahead:
            thread.join()


def _write_ahead(services: Services, task_digest: str, generation: int) -> None:
    reflect_ahead(services, task_digest, generation)
    write_generation(services, services.journal.task(task_digest), generation + 1)


def _may_write_ahead(services: Services, task_digest: str, generation: int) -> bool:
    config = services.config
    wanted = config.overlap and config.candidates > 0 and generation + 1 < config.generations and not config.ask
    if not wanted or services.gateway.provider == "none" or services.clock.training_s() < _MIN_TIME_S:
        return False
    return config.exhaust or not _looks_won(services, task_digest)


def _looks_won(services: Services, task_digest: str) -> bool:
    """True when the leader's policies already succeed as often as the goal asks: its verdict will need no next generation."""
    standings = [event for event in services.journal.events("standing") if f":{task_digest}:" in event.key]
    if not standings:
        return False
    leader = Standing.model_validate(standings[-1].data).winner
    rows = [row for row in services.journal.jobs(task_digest) if row.reward_digest == leader and row.result]
    results = [JobResult.model_validate(row.result) for row in rows]
    rates = [
        sum(r.evaluation.success) / len(r.evaluation.success) for r in results if r.ok and r.evaluation is not None
    ]
    return max(rates, default=0.0) >= services.journal.goal().rule.min_success_rate
