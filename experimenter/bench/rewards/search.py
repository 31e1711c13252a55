"""The search of one task: one ordinary session of the product, in the bench's own home, read back from its rows.

The session's words, family and parameters are the task's; it goes through all generations even when a skill could be certified
sooner, trains the task as it is (no subgoals), and is stopped should it turn to another task.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlmodel import col, select

from experimenter.bench.rewards.arms import Candidate, Finished
from experimenter.bench.rewards.options import BenchOptions
from experimenter.bench.rewards.screens import ScreenVerdict, read_verdicts
from experimenter.bench.rewards.state import locked
from experimenter.bench.rewards.tasks import BenchTask
from experimenter.config import SessionConfig
from experimenter.execution.base import JobUpdate
from experimenter.graph.build import GRAPH_VERSION, run_session
from experimenter.journal import Event, Journal, start_session
from experimenter.llm.recorded import AnswerLog
from experimenter.records import Budget, JobResult, Record, RewardProgram, Spent, TrainJob
from experimenter.services import Services, open_memory, open_services
from memory.tables import EventRow

EventListener = Callable[[Event], None]
UpdateListener = Callable[[JobUpdate], None]
_NO_DATABASE: Mapping[str, str] = {}
"""The bench's rows stay in its own home, whatever EXPERIMENTER_DATABASE says."""


class Found(Record):
    """What a finished search left behind."""

    session: str
    outcome: str
    model: str
    """The model that answered, and why, as the session wrote it down."""
    candidates: tuple[Candidate, ...]
    finished: tuple[Finished, ...]
    screens: tuple[ScreenVerdict, ...]
    spent: Spent
    cpu_s: float
    """CPU-seconds of its training runs."""


def make_config(task: BenchTask, options: BenchOptions, workers: int | None) -> SessionConfig:
    """The session's configuration: no time limit (the steps are the limit), nothing recalled from earlier sessions."""
    return SessionConfig(
        family=task.family,
        params=task.spec().params,  # all of them: the goal's reader must not move one
        budget=Budget(),
        model=options.model_for(task.name),
        base_url=options.base_url,
        candidates=options.candidates_for(task),
        generations=options.generations,
        seeds=options.search_seeds_for(task),
        final_steps=options.search_steps(task),
        trainer=options.trainer,
        trainer_settings=options.trainer_settings,
        workers=workers,
        eval_episodes=options.search_episodes,
        certificate_episodes=20,
        fresh=True,
        exhaust=True,
        extensions=0,
        from_native=options.from_native,
        audit_screens=options.audit_screens,
        allow_unconfined=options.allow_unconfined,
    )


def begin_search(task: BenchTask, options: BenchOptions, home: Path, workers: int | None) -> str:
    """Write the session's row; returns its id."""
    store = open_memory(home, _NO_DATABASE)
    try:
        session_id = start_session(store, task.goal, make_config(task, options, workers), GRAPH_VERSION)
        text = "the bench trains the task as it is"
        Journal(store, session_id).event(f"split:{task.spec().digest}", "subgoals", text, {"subgoals": []})
        return session_id
    finally:
        store.close()


def run_search(
    session_id: str,
    task: BenchTask,
    home: Path,
    *,
    record: Path | None = None,
    listen: EventListener | None = None,
    on_update: UpdateListener | None = None,
) -> str:
    """Run the session, or go on where it stopped, to its end; returns its state. Raises as a session does."""
    from langgraph.runtime import RunControl

    control, digest = RunControl(), task.spec().digest
    opened: list[Services] = []

    def hear(event: Event) -> None:
        if event.kind == "task" and opened and _on_another_task(opened[0].journal, digest):
            control.request_drain("the bench's task is done")
        if listen is not None:
            listen(event)

    store = open_memory(home, _NO_DATABASE)
    services = open_services(
        home=home, store=store, session_id=session_id, environment=os.environ, listen=hear, on_update=on_update
    )
    opened.append(services)
    try:
        if services.gateway.remote:
            # a dead server or a wrong key is said now, not bridged by the rules for an hour; one lane asks, the others read its answer
            with locked(home / "probe.lock"):
                _ = services.gateway.capabilities
        if record is not None:
            services.gateway.record(AnswerLog(record, task.name))
        return run_session(services, control)
    finally:
        services.close()


def read_search(session_id: str, task: BenchTask, home: Path) -> Found:
    """Read what the session's rows say."""
    store = open_memory(home, _NO_DATABASE)
    try:
        journal, digest = Journal(store, session_id), task.spec().digest
        row = journal.session()
        jobs = [job for job in journal.jobs(digest) if job.result]
        results = [(job, JobResult.model_validate(job.result)) for job in jobs]
        with store.read() as reading:
            query = select(EventRow).where(EventRow.session_id == session_id).order_by(col(EventRow.id))
            events = list(reading.exec(query))
        return Found(
            session=session_id,
            outcome=row.outcome,
            model=next((event.text for event in events if event.kind == "model"), ""),
            candidates=tuple(
                Candidate(
                    program=RewardProgram.model_validate(reward.payload), generation=reward.generation, fate=reward.fate
                )
                for reward in journal.rewards(digest)
            ),
            finished=tuple(
                Finished(job=TrainJob.model_validate(job.payload), result=result, generation=job.generation)
                for job, result in results
            ),
            screens=tuple(read_verdicts(task.name, [event.data for event in events if event.kind == "screen"])),
            spent=journal.spent(),
            cpu_s=sum(result.cpu_s for _, result in results),
        )
    finally:
        store.close()


def _on_another_task(journal: Journal, digest: str) -> bool:
    return any(row.task_digest != digest and row.state == "running" for row in journal.tasks())
