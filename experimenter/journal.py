"""The journal: the one writer between records and rows.

Every write is keyed by what happened, so doing a step again after a kill changes nothing. Reads give records back.
LLM calls are written by the gateway's ledger, skills by the library; everything else of a session goes through here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import col, func, select

from envs.task import TaskSpec, canonical_digest
from experimenter.config import SessionConfig
from experimenter.errors import UsageError
from experimenter.records import Goal, JobResult, Proposal, Reflection, RewardProgram, Spent, TrainJob, Verdict
from memory import notes, queries
from memory.store import Store
from memory.tables import (
    EventRow,
    FeedbackRow,
    JobRow,
    LessonRow,
    RewardRow,
    SessionRow,
    TaskRow,
    VerdictRow,
    now,
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the session's diary, as listeners see it."""

    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


EventListener = Callable[[Event], None]


def start_session(store: Store, text: str, config: SessionConfig, graph_version: str) -> str:
    """Create the session's row and return its id."""
    with store.transaction() as session:
        row = SessionRow(goal_text=text, config=config.model_dump(mode="json"), graph_version=graph_version)
        session.add(row)
        session.flush()
        return row.id


class Journal:
    """Reads and writes of one session."""

    def __init__(self, store: Store, session_id: str, listen: EventListener | None = None) -> None:
        self.store = store
        self.session_id = session_id
        self._listen = listen
        self._lock = threading.Lock()

    # --- the session -------------------------------------------------------------------------------------------------

    def session(self) -> SessionRow:
        with self.store.read() as session:
            row = session.get(SessionRow, self.session_id)
        if row is None:
            raise UsageError(f"there is no session {self.session_id!r}; `experimenter session list` shows them.")
        return row

    def config(self) -> SessionConfig:
        return SessionConfig.model_validate(self.session().config)

    def write_goal(self, goal: Goal) -> None:
        self._set_session(goal=goal.model_dump(mode="json"))

    def goal(self) -> Goal:
        return Goal.model_validate(self.session().goal)

    def set_state(self, state: str, outcome: str = "") -> None:
        ended = now() if state in ("done", "failed", "stopped") else None
        self._set_session(state=state, outcome=outcome, ended_at=ended)

    def write_wall(self, wall_s: float, pid: int | None) -> None:
        """Heartbeat: wall seconds spent so far over all resumes."""
        self._set_session(spent={"wall_s": wall_s}, pid=pid, heartbeat_at=now())

    def spent(self) -> Spent:
        """What the session has spent, from the rows that are the truth."""
        with self.store.read() as session:
            return Spent.model_validate(queries.sum_spent(session, self.session_id))

    def mean_latency_s(self) -> float | None:
        """Mean seconds of this session's finished model calls; None before the first."""
        with self.store.read() as session:
            return queries.mean_latency_s(session, self.session_id)

    def _set_session(self, **values: Any) -> None:
        with self.store.transaction() as session:
            row = session.get(SessionRow, self.session_id)
            if row is None:
                raise UsageError(f"there is no session {self.session_id!r}; `experimenter session list` shows them.")
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)

    # --- the diary ---------------------------------------------------------------------------------------------------

    def event(self, key: str, kind: str, text: str, data: Mapping[str, Any] | None = None) -> bool:
        """Write one line once per `key`; returns False when it was already there."""
        row = EventRow(session_id=self.session_id, key=key, kind=kind, text=text, data=dict(data or {}))
        with self._lock, self.store.transaction() as session:
            known = session.exec(
                select(EventRow.id).where(EventRow.session_id == self.session_id, EventRow.key == key)
            ).first()
            if known is None:
                session.add(row)
        if known is None and self._listen is not None:
            self._listen(Event(kind=kind, text=text, data=dict(data or {})))
        return known is None

    def events(self, kind: str) -> list[EventRow]:
        """Events of one kind, oldest first."""
        with self.store.read() as session:
            query = select(EventRow).where(EventRow.session_id == self.session_id, EventRow.kind == kind)
            return list(session.exec(query.order_by(col(EventRow.id))))

    def event_data(self, key: str) -> dict[str, Any] | None:
        with self.store.read() as session:
            row = session.exec(
                select(EventRow).where(EventRow.session_id == self.session_id, EventRow.key == key)
            ).first()
        return row.data if row else None

    # --- tasks -------------------------------------------------------------------------------------------------------

    def add_task(
        self,
        task: TaskSpec,
        *,
        kind: str = "task",
        text: str = "",
        proposal: Proposal | None = None,
        parent: str | None = None,
        state: str = "queued",
        reason: str = "",
        skill_id: str | None = None,
    ) -> bool:
        """Put a task (or a refused proposal) on the session's list; returns False when it was there already."""
        with self.store.transaction() as session:
            if self._task_row(session, task.digest, kind) is not None:
                return False
            count = session.exec(
                select(func.count()).select_from(TaskRow).where(TaskRow.session_id == self.session_id)
            ).one()
            mother = self._task_row(session, parent) if parent else None
            session.add(
                TaskRow(
                    session_id=self.session_id,
                    task_digest=task.digest,
                    kind=kind,
                    position=count,
                    parent_id=mother.id if mother else None,
                    text=text,
                    payload=task.model_dump(mode="json"),
                    proposal=proposal.model_dump(mode="json") if proposal else {},
                    state=state,
                    reason=reason,
                    skill_id=skill_id,
                )
            )
        return True

    def set_task(self, digest: str, state: str, reason: str = "", skill_id: str | None = None) -> None:
        with self.store.transaction() as session:
            for row in session.exec(
                select(TaskRow).where(TaskRow.session_id == self.session_id, TaskRow.task_digest == digest)
            ):
                row.state, row.reason = state, reason or row.reason
                row.skill_id = skill_id or row.skill_id
                session.add(row)

    def tasks(self) -> list[TaskRow]:
        """All tasks and subgoals of the session, in the order in which they came."""
        with self.store.read() as session:
            return list(
                session.exec(
                    select(TaskRow).where(TaskRow.session_id == self.session_id).order_by(col(TaskRow.position))
                )
            )

    def task(self, digest: str) -> TaskSpec:
        with self.store.read() as session:
            row = self._task_row(session, digest)
        if row is None:
            raise UsageError(f"session {self.session_id} has no task {digest!r}.")
        return TaskSpec.model_validate(row.payload)

    def _task_row(self, session: Any, digest: str, kind: str | None = None) -> TaskRow | None:
        query = select(TaskRow).where(TaskRow.session_id == self.session_id, TaskRow.task_digest == digest)
        row: TaskRow | None = session.exec(query.where(TaskRow.kind == kind) if kind else query).first()
        return row

    # --- reward programs -----------------------------------------------------------------------------------------------

    def add_rewards(
        self,
        task: str,
        programs: Sequence[RewardProgram],
        generation: int,
        fate: str = "written",
        reason: str = "",
        births: Mapping[str, tuple[int, str, int]] | None = None,
    ) -> None:
        """Store programs; one that is there already keeps its first row. `births`: digest -> island, operator, slot."""
        with self.store.transaction() as session:
            for program in programs:
                if self._reward_row(session, task, program.digest) is None:
                    island, operator, slot = (births or {}).get(program.digest, (0, "", 0))
                    session.add(
                        RewardRow(
                            session_id=self.session_id,
                            task_digest=task,
                            reward_digest=program.digest,
                            generation=generation,
                            island=island,
                            operator=operator,
                            slot=slot,
                            payload=program.model_dump(mode="json"),
                            fate=fate,
                            reason=reason,
                        )
                    )

    def set_fates(self, task: str, fates: Mapping[str, tuple[str, str]]) -> None:
        """Set `reward digest -> (fate, reason)`."""
        with self.store.transaction() as session:
            for digest, (fate, reason) in fates.items():
                if row := self._reward_row(session, task, digest):
                    row.fate, row.reason = fate, reason
                    session.add(row)

    def rewards(self, task: str) -> list[RewardRow]:
        with self.store.read() as session:
            query = select(RewardRow).where(RewardRow.session_id == self.session_id, RewardRow.task_digest == task)
            return list(session.exec(query.order_by(col(RewardRow.id))))

    def _reward_row(self, session: Any, task: str, digest: str) -> RewardRow | None:
        row: RewardRow | None = session.exec(
            select(RewardRow).where(
                RewardRow.session_id == self.session_id,
                RewardRow.task_digest == task,
                RewardRow.reward_digest == digest,
            )
        ).first()
        return row

    # --- jobs and results ------------------------------------------------------------------------------------------------

    def plan_jobs(self, jobs: Sequence[TrainJob], generation: int, rung: int) -> None:
        with self.store.transaction() as session:
            for job in jobs:
                if self._job_row(session, job.digest) is None:
                    session.add(
                        JobRow(
                            session_id=self.session_id,
                            job_digest=job.digest,
                            task_digest=job.task.digest,
                            reward_digest=job.reward.digest,
                            generation=generation,
                            rung=rung,
                            seed=job.seed,
                            payload=job.model_dump(mode="json"),
                        )
                    )

    def finish_job(self, result: JobResult) -> None:
        """Store a result once; a second result of the same job changes nothing."""
        with self.store.transaction() as session:
            row = self._job_row(session, result.job_digest)
            if row is None or row.state != "planned":
                return
            row.state, row.result = result.status.value, result.model_dump(mode="json")
            row.new_steps, row.wall_s, row.ended_at = result.new_steps, result.wall_s, now()
            session.add(row)

    def jobs(self, task: str | None = None) -> list[JobRow]:
        with self.store.read() as session:
            query = select(JobRow).where(JobRow.session_id == self.session_id)
            if task is not None:
                query = query.where(JobRow.task_digest == task)
            return list(session.exec(query.order_by(col(JobRow.id))))

    def _job_row(self, session: Any, digest: str) -> JobRow | None:
        query = select(JobRow).where(JobRow.session_id == self.session_id, JobRow.job_digest == digest)
        row: JobRow | None = session.exec(query).first()
        return row

    # --- verdicts and lessons ----------------------------------------------------------------------------------------------

    def add_verdict(self, task: str, generation: int, verdict: Verdict) -> None:
        with self.store.transaction() as session:
            if self._verdict_row(session, task, generation) is None:
                session.add(
                    VerdictRow(
                        session_id=self.session_id,
                        task_digest=task,
                        generation=generation,
                        decision=verdict.decision.value,
                        state=verdict.state.value,
                        payload=verdict.model_dump(mode="json"),
                    )
                )

    def add_reflection(self, task: str, generation: int, reflection: Reflection, family: str) -> None:
        with self.store.transaction() as session:
            row = self._verdict_row(session, task, generation)
            if row is not None:
                row.reflection = reflection.text
                session.add(row)
            for lesson in reflection.lessons:
                key = canonical_digest([self.session_id, task, lesson])
                told = LessonRow(session_id=self.session_id, task_digest=task, family=family, key=key, text=lesson)
                notes.put_lesson(session, told)

    def lessons(
        self, task_digest: str | None = None, *, family: str | None = None, withdrawn: bool = False
    ) -> list[LessonRow]:
        """Lessons of a task or a family, over all sessions: best grade first, then most support, then newest."""
        with self.store.read() as session:
            return notes.find_lessons(session, task_digest=task_digest, family=family, withdrawn=withdrawn)

    def put_lesson(
        self, key: str, text: str, *, task_digest: str, family: str, grade: str, reward_digest: str = ""
    ) -> bool:
        """Write a lesson once a key (a key is one lesson in all sessions); returns False when it was there already."""
        about: dict[str, Any] = {"task_digest": task_digest, "family": family, "reward_digest": reward_digest}
        with self.store.transaction() as session:
            row = LessonRow(session_id=self.session_id, key=key, text=text, grade=grade, **about)
            return notes.put_lesson(session, row)

    def grade_lesson(
        self, key: str, *, support: int = 0, against: int = 0, grade: str | None = None, once: str = ""
    ) -> bool:
        """Add to a lesson's counts and set its grade. `once` names the step that does: repeated after a kill, it counts once."""
        with self.store.transaction() as session:
            step = (self.session_id, once) if once else None
            return notes.grade_lesson(session, key, support=support, against=against, grade=grade, once=step)

    def feedback(self, task_digest: str | None = None) -> list[FeedbackRow]:
        """What the person said, oldest first; with a task what is for that task or for all of them."""
        with self.store.read() as session:
            return notes.find_feedback(session, self.session_id, task_digest)

    def add_feedback(
        self,
        key: str,
        text: str,
        *,
        task_digest: str = "",
        generation: int = 0,
        fitness_weights: Mapping[str, float] | None = None,
        source: str = "flag",
    ) -> bool:
        """Write feedback once a key (of this session); returns False when it was there already.

        `generation` is the first that is told of it; without a task it is for all tasks of the session.
        """
        told: dict[str, Any] = {"task_digest": task_digest, "generation": generation, "source": source}
        with self.store.transaction() as session:
            row = FeedbackRow(session_id=self.session_id, key=f"{self.session_id}:{key}", text=text, **told)
            row.fitness_weights = dict(fitness_weights or {})
            return notes.add_feedback(session, row)

    def verdicts(self, task: str | None = None) -> list[VerdictRow]:
        with self.store.read() as session:
            query = select(VerdictRow).where(VerdictRow.session_id == self.session_id)
            if task is not None:
                query = query.where(VerdictRow.task_digest == task)
            return list(session.exec(query.order_by(col(VerdictRow.id))))

    def _verdict_row(self, session: Any, task: str, generation: int) -> VerdictRow | None:
        query = select(VerdictRow).where(
            VerdictRow.session_id == self.session_id,
            VerdictRow.task_digest == task,
            VerdictRow.generation == generation,
        )
        row: VerdictRow | None = session.exec(query).first()
        return row
