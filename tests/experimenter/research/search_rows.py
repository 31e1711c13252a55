"""A session with hand-made results: real store, journal and library; no model, no training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.config import SessionConfig
from experimenter.journal import start_session
from experimenter.records import (
    CurvePoint,
    Evaluation,
    Goal,
    JobResult,
    JobStatus,
    RewardKind,
    RewardProgram,
    TrainJob,
)
from experimenter.services import Services, open_memory, open_services
from skills.embedder import HashEmbedder
from skills.library import Library

CART = "gym:CartPole-v1"
NATIVE = RewardProgram(kind=RewardKind.NATIVE)


@contextmanager
def open_session(
    home: Path, goal: str = "balance the pole", family: str = CART, config: SessionConfig | None = None
) -> Iterator[Services]:
    """A new session in `home` with its goal read; embeds by hashed words."""
    store = open_memory(home)
    chosen = config or SessionConfig(model="none", executor="inline")
    services = open_services(home=home, store=store, session_id=start_session(store, goal, chosen, "2"), environment={})
    services = dataclasses.replace(services, library=Library(store, home / "skills", HashEmbedder()))
    services.journal.write_goal(Goal(text=goal, family=family, horizon=500))
    try:
        yield services
    finally:
        services.close()


def make_task(family: str = CART, **params: float) -> TaskSpec:
    return get_family(family).resolve_task(params)


def make_program(name: str, *, parents: tuple[str, ...] = (), rationale: str = "keep it upright") -> RewardProgram:
    source = f"def compute_reward(state, action, next_state):\n    return {name}\n"
    return RewardProgram(kind=RewardKind.CODE, source=source, rationale=rationale, model="strong", parents=parents)


def add_task(services: Services, task: TaskSpec, programs: Sequence[RewardProgram], generation: int = 0) -> None:
    services.journal.add_task(task, text="a task", state="running")
    births = {program.digest: (1, "mutate" if program.parents else "fresh", i) for i, program in enumerate(programs)}
    services.journal.add_rewards(task.digest, programs, generation, "racing", births=births)


def add_result(
    services: Services,
    task: TaskSpec,
    program: RewardProgram,
    fitness: Sequence[float],
    *,
    seed: int = 0,
    steps: int = 1000,
    curve: Sequence[CurvePoint] = (),
) -> None:
    """One finished training run with held-out `fitness` on worlds 1, 2, ...; success from 0.5 up; measure `push` = fitness / 2."""
    job = TrainJob(task=task, reward=program, trainer="ppo", seed=seed, budget_steps=steps, schedule_steps=steps)
    evaluation = Evaluation(
        seeds=tuple(range(1, len(fitness) + 1)),
        fitness=tuple(fitness),
        success=tuple(value >= 0.5 for value in fitness),
        native_return=tuple(fitness),
        length=(10,) * len(fitness),
        extras={"push": sum(fitness) / len(fitness) / 2},
        extras_by_episode={"push": tuple(value / 2 for value in fitness)},
    )
    services.journal.plan_jobs([job], 0, 0)
    services.journal.finish_job(
        JobResult(
            job_digest=job.digest,
            status=JobStatus.DONE,
            curve=tuple(curve),
            evaluation=evaluation,
            steps=steps,
            new_steps=steps,
            wall_s=1.0,
        )
    )
