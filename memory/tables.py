"""The tables. One row a thing that happened; unique keys make every write repeatable after a kill.

SQLModel's table classes do not validate on construction: records are validated before they come here. JSON columns hold
plain JSON. Times are UTC, seconds are floats. Every `*_digest` is the canonical digest of the record in `payload`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, Column, DateTime, Dialect, LargeBinary, Text, TypeDecorator, UniqueConstraint
from sqlmodel import Field, SQLModel


def now() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A time that comes back aware and in UTC from every database (SQLite itself drops the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"the time {value} has no zone: expected an aware time, such as memory.tables.now()")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _json() -> Any:
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def _time() -> Any:
    return Field(default_factory=now, sa_column=Column(UtcDateTime(), nullable=False))


class SessionRow(SQLModel, table=True):
    """One autonomous run of the agent."""

    __tablename__ = "session"
    id: str = Field(default_factory=lambda: uuid4().hex[:12], primary_key=True)
    goal_text: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(default="running", index=True)
    """running, waiting (for a person's answer), drained, done, failed, stopped."""
    config: dict[str, Any] = _json()
    """The resolved SessionConfig."""
    goal: dict[str, Any] = _json()
    spent: dict[str, Any] = _json()
    """Last written Spent; wall seconds are added up over resumes."""
    graph_version: str = ""
    outcome: str = ""
    """One sentence for people when it ended."""
    pid: int | None = None
    heartbeat_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime()))
    created_at: datetime = _time()
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime()))


class TaskRow(SQLModel, table=True):
    """A task that a session admitted or refused; `parent_id` makes the tree of tasks and subgoals."""

    __tablename__ = "task"
    __table_args__ = (UniqueConstraint("session_id", "task_digest", "kind"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    task_digest: str = Field(index=True)
    kind: str = "task"
    """task or subgoal."""
    position: int = 0
    parent_id: int | None = Field(default=None, foreign_key="task.id")
    text: str = ""
    payload: dict[str, Any] = _json()
    """TaskSpec."""
    proposal: dict[str, Any] = _json()
    state: str = "queued"
    """queued, running, certified, dropped, refused, matched (a skill already does it)."""
    reason: str = ""
    skill_id: str | None = None
    created_at: datetime = _time()


class RewardRow(SQLModel, table=True):
    """A reward program (candidate or baseline arm) and its fate in one session's task."""

    __tablename__ = "reward"
    __table_args__ = (UniqueConstraint("session_id", "task_digest", "reward_digest"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    task_digest: str = Field(index=True)
    reward_digest: str = Field(index=True)
    generation: int = 0
    island: int = 0
    """Population in which the search bred it."""
    operator: str = ""
    """fresh, mutate, crossover, baseline, native; empty where nobody said."""
    slot: int = 0
    """Place among the programs that its generation asked for."""
    payload: dict[str, Any] = _json()
    """RewardProgram."""
    fate: str = "written"
    """written, refused, racing, eliminated, won."""
    reason: str = ""
    created_at: datetime = _time()


class RewardMemoryRow(SQLModel, table=True):
    """A reward program worth remembering after its search ended, with what training showed of it."""

    __tablename__ = "reward_memory"
    __table_args__ = (UniqueConstraint("session_id", "task_digest", "reward_digest"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    task_digest: str = Field(index=True)
    reward_digest: str = Field(index=True)
    family: str = Field(index=True)
    task: dict[str, Any] = _json()
    """TaskSpec."""
    goal_text: str = Field(default="", sa_column=Column(Text, nullable=False))
    kind: str = Field(default="winner", index=True)
    """winner, instructive (far above or below the native reward), failure (flagged by the audit)."""
    text: str = Field(default="", sa_column=Column(Text, nullable=False))
    """What was embedded: goal, family, task parameters and the program's rationale."""
    evidence: dict[str, Any] = _json()
    """Fitness IQM with interval, the native reward's, lift over it, success rate, env steps, seeds, the audit's suspicions."""
    program: dict[str, Any] = _json()
    """RewardProgram."""
    created_at: datetime = _time()


class RewardVectorRow(SQLModel, table=True):
    """Embedding of a remembered program's text, written in the same transaction as the program."""

    __tablename__ = "reward_vector"
    reward_memory_id: int = Field(primary_key=True, foreign_key="reward_memory.id")
    embedder: str = Field(primary_key=True)
    """Name and version of the embedder; vectors of different embedders are never compared."""
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """float32, little endian, unit length."""


class JobRow(SQLModel, table=True):
    """One training job and, once it ended, its result."""

    __tablename__ = "job"
    __table_args__ = (UniqueConstraint("session_id", "job_digest"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    job_digest: str = Field(index=True)
    task_digest: str = Field(index=True)
    reward_digest: str = Field(index=True)
    generation: int = 0
    rung: int = 0
    seed: int = 0
    state: str = "planned"
    """planned, done, stopped, failed, killed."""
    payload: dict[str, Any] = _json()
    """TrainJob."""
    result: dict[str, Any] = _json()
    """JobResult, empty until it ended."""
    new_steps: int = 0
    wall_s: float = 0.0
    created_at: datetime = _time()
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime()))


class VerdictRow(SQLModel, table=True):
    __tablename__ = "verdict"
    __table_args__ = (UniqueConstraint("session_id", "task_digest", "generation"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    task_digest: str = Field(index=True)
    generation: int = 0
    decision: str = ""
    state: str = ""
    payload: dict[str, Any] = _json()
    """Verdict."""
    reflection: str = Field(default="", sa_column=Column(Text, nullable=False))
    created_at: datetime = _time()


class CallRow(SQLModel, table=True):
    """The ledger: one row a model call. `key` makes a call that is repeated after a kill the same row."""

    __tablename__ = "call"
    __table_args__ = (UniqueConstraint("session_id", "key"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(index=True)
    """Session id, or a name such as `cli` for calls outside a session."""
    key: str
    """Digest of (role, step of the session, prompt digest, sample index, attempt)."""
    role: str = Field(index=True)
    model: str = ""
    provider: str = ""
    prompt_digest: str = Field(default="", index=True)
    """Digest of (model, messages, schema, sampling, sample index): the cache key."""
    messages: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    answer: str = Field(default="", sa_column=Column(Text, nullable=False))
    """Raw text of the answer."""
    state: str = Field(default="in_flight", index=True)
    """in_flight, ok, invalid (not in the schema), failed (no answer)."""
    error: str = Field(default="", sa_column=Column(Text, nullable=False))
    attempt: int = 0
    """0 for the first try, 1 for the repair."""
    tries: int = 0
    """HTTP tries, retries included."""
    cached: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reserved_tokens: int = 0
    """What the budget counts while the call is in flight."""
    cost_usd: float | None = None
    """None: price unknown (embedded and local servers cost 0)."""
    latency_s: float = 0.0
    created_at: datetime = _time()


class SkillRow(SQLModel, table=True):
    """A certified skill."""

    __tablename__ = "skill"
    __table_args__ = (UniqueConstraint("name", "version"), UniqueConstraint("admission_key"))
    id: str = Field(default_factory=lambda: uuid4().hex[:12], primary_key=True)
    name: str = Field(index=True)
    version: int = 1
    description: str = Field(sa_column=Column(Text, nullable=False))
    """What it does, in words; what retrieval by meaning reads."""
    family: str = Field(index=True)
    task_digest: str = Field(index=True)
    task: dict[str, Any] = _json()
    region: dict[str, Any] = _json()
    """Task parameter -> [low, high] in which the evidence holds."""
    episodes: int = 0
    successes: int = 0
    success_rate: float = Field(default=0.0, index=True)
    success_low: float = 0.0
    """95% Wilson interval."""
    success_high: float = 0.0
    fitness_iqm: float = 0.0
    fitness_low: float = 0.0
    fitness_high: float = 0.0
    native_return_mean: float = 0.0
    evidence: dict[str, Any] = _json()
    """Per-episode seeds, fitness, success, returns and lengths of the certifying evaluation; further measures."""
    reward: dict[str, Any] = _json()
    provenance: dict[str, Any] = _json()
    """Session, job, task, parents, versions of packages, training seeds, trainer and settings, env steps."""
    artifact: str = ""
    """Folder name under the skills folder."""
    artifact_digest: str = ""
    """SHA-256 over the artifact's files; a changed artifact is refused."""
    admission_key: str = ""
    """Digest of (session, task, job): admitting twice after a kill gives one row."""
    state: str = Field(default="certified", index=True)
    """certified or revoked."""
    created_at: datetime = _time()


class SkillVectorRow(SQLModel, table=True):
    """Embedding of a skill's description, written in the same transaction as the skill."""

    __tablename__ = "skill_vector"
    skill_id: str = Field(primary_key=True, foreign_key="skill.id")
    embedder: str = Field(primary_key=True)
    """Name and version of the embedder; vectors of different embedders are never compared."""
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """float32, little endian, unit length."""


class LessonRow(SQLModel, table=True):
    """What was learnt in words, graded by evidence."""

    __tablename__ = "lesson"
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    task_digest: str = Field(default="", index=True)
    family: str = Field(default="", index=True)
    key: str = Field(unique=True)
    text: str = Field(sa_column=Column(Text, nullable=False))
    grade: str = "tentative"
    """firm, likely, tentative, withdrawn."""
    support: int = 0
    """How often later evidence spoke for it."""
    against: int = 0
    reward_digest: str = ""
    """Reward program from which it was learnt; empty when it is about the task."""
    created_at: datetime = _time()
    updated_at: datetime = _time()
    """When it was last graded."""


class FeedbackRow(SQLModel, table=True):
    """What a person said about a session's rewards: words for the model and, only if they say so, weights for the fitness."""

    __tablename__ = "feedback"
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(foreign_key="session.id", index=True)
    task_digest: str = Field(default="", index=True)
    """Empty: for every task of the session."""
    generation: int = 0
    """First generation of reward programs that is told of it; 0: from the start."""
    key: str = Field(unique=True)
    text: str = Field(sa_column=Column(Text, nullable=False))
    fitness_weights: dict[str, Any] = _json()
    """Further true measure of the family -> weight with which it is added to the fitness; empty leaves the fitness alone."""
    source: str = "flag"
    """flag (given with `run`) or answer (given with `session answer`)."""
    created_at: datetime = _time()


class EventRow(SQLModel, table=True):
    """The session's diary: what happened, in one line each, for `session watch` and the report."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("session_id", "key"),)
    id: int | None = Field(default=None, primary_key=True)
    session_id: str = Field(index=True)
    key: str
    kind: str = Field(index=True)
    text: str = Field(sa_column=Column(Text, nullable=False))
    data: dict[str, Any] = _json()
    created_at: datetime = _time()


class CapabilityRow(SQLModel, table=True):
    """What a model can do, found by a probe."""

    __tablename__ = "capability"
    model: str = Field(primary_key=True)
    base_url: str = Field(default="", primary_key=True)
    payload: dict[str, Any] = _json()
    probed_at: datetime = _time()
