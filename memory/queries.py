"""Named read queries for the command line and the report: plain functions of a session, rows out.

Whatever a person names (a session, a skill) may be an id, a unique beginning of one or, for skills, a name; a miss is a
`StoreProblem` with one line that lists what there is.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Integer, case, cast, func
from sqlmodel import Session, col, select

from memory.problems import StoreProblem
from memory.tables import (
    CallRow,
    EventRow,
    FeedbackRow,
    JobRow,
    LessonRow,
    RewardMemoryRow,
    RewardRow,
    SessionRow,
    SkillRow,
    TaskRow,
    VerdictRow,
)

_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class TaskNode:
    """A task with the subgoals below it, in the order in which they are to be learnt."""

    row: TaskRow
    children: tuple[TaskNode, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class CallTotals:
    """What one role's model calls came to."""

    role: str
    calls: int
    cached: int
    """Answered from our own cache."""
    invalid: int
    """Answered, but not in the schema."""
    failed: int
    in_flight: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    """Sum of the known prices."""
    unpriced: int
    """Finished calls, not from the cache, whose price is unknown."""
    latency_s: float
    """Summed seconds."""


def list_sessions(session: Session, *, state: str | None = None, limit: int = 100) -> list[SessionRow]:
    """Sessions, newest first; what each spent stands in its `spent`."""
    query = select(SessionRow).order_by(col(SessionRow.created_at).desc(), SessionRow.id).limit(limit)
    return list(session.exec(query if state is None else query.where(SessionRow.state == state)))


def get_session(session: Session, id_or_prefix: str) -> SessionRow:
    """The session of that id, or the only one whose id begins so; raises `StoreProblem`."""
    if row := session.get(SessionRow, id_or_prefix):
        return row
    newest = select(SessionRow).order_by(col(SessionRow.created_at).desc())
    begins = col(SessionRow.id).startswith(id_or_prefix, autoescape=True)
    found = list(session.exec(newest.where(begins).limit(_LISTED + 1))) if id_or_prefix else []
    if len(found) == 1:
        return found[0]
    if found:
        raise StoreProblem(
            f"{id_or_prefix!r} fits several sessions: {_names([row.id for row in found])}. Give more of the id."
        )
    known = [row.id for row in session.exec(newest.limit(_LISTED + 1))]
    raise StoreProblem(
        f"no session {id_or_prefix!r}. " + (f"Newest: {_names(known)}." if known else "There is none yet.")
    )


def list_tasks(session: Session, session_id: str) -> list[TaskRow]:
    """A session's tasks and subgoals in the order in which they were admitted."""
    query = select(TaskRow).where(TaskRow.session_id == session_id)
    return list(session.exec(query.order_by(col(TaskRow.position), col(TaskRow.id))))


def task_tree(session: Session, session_id: str) -> tuple[TaskNode, ...]:
    """A session's tasks as trees of subgoals."""
    rows = list_tasks(session, session_id)
    below: dict[int | None, list[TaskRow]] = {}
    for row in rows:
        below.setdefault(row.parent_id, []).append(row)

    def build(parent: int | None) -> tuple[TaskNode, ...]:
        return tuple(TaskNode(row=row, children=build(row.id)) for row in below.get(parent, []))

    return build(None)


def list_rewards(session: Session, session_id: str, task_digest: str | None = None) -> list[RewardRow]:
    """Every candidate and baseline arm with its fate, oldest first."""
    query = select(RewardRow).where(RewardRow.session_id == session_id)
    if task_digest is not None:
        query = query.where(RewardRow.task_digest == task_digest)
    return list(session.exec(query.order_by(col(RewardRow.generation), col(RewardRow.id))))


def list_jobs(
    session: Session, session_id: str, task_digest: str | None = None, *, state: str | None = None
) -> list[JobRow]:
    """Training jobs with their results, in the order of the race."""
    query = select(JobRow).where(JobRow.session_id == session_id)
    if task_digest is not None:
        query = query.where(JobRow.task_digest == task_digest)
    if state is not None:
        query = query.where(JobRow.state == state)
    return list(session.exec(query.order_by(col(JobRow.generation), col(JobRow.rung), col(JobRow.id))))


def list_verdicts(session: Session, session_id: str, task_digest: str | None = None) -> list[VerdictRow]:
    """The judge's verdicts, oldest first."""
    query = select(VerdictRow).where(VerdictRow.session_id == session_id)
    if task_digest is not None:
        query = query.where(VerdictRow.task_digest == task_digest)
    return list(session.exec(query.order_by(col(VerdictRow.id))))


def list_calls(session: Session, session_id: str, *, role: str | None = None, limit: int = 1000) -> list[CallRow]:
    """The ledger's rows of one session, oldest first."""
    query = select(CallRow).where(CallRow.session_id == session_id)
    if role is not None:
        query = query.where(CallRow.role == role)
    return list(session.exec(query.order_by(col(CallRow.id)).limit(limit)))


def sum_calls(session: Session, session_id: str | None = None) -> list[CallTotals]:
    """Calls, tokens, cost and latency by role, of one session or of all."""
    unpriced = (col(CallRow.state) != "in_flight") & col(CallRow.cached).is_(False) & col(CallRow.cost_usd).is_(None)
    sums = (
        func.count(),
        func.sum(cast(col(CallRow.cached), Integer)),
        func.sum(case((col(CallRow.state) == "invalid", 1), else_=0)),
        func.sum(case((col(CallRow.state) == "failed", 1), else_=0)),
        func.sum(case((col(CallRow.state) == "in_flight", 1), else_=0)),
        func.sum(CallRow.prompt_tokens),
        func.sum(CallRow.completion_tokens),
        func.coalesce(func.sum(CallRow.cost_usd), 0.0),
        func.sum(case((unpriced, 1), else_=0)),
        func.sum(CallRow.latency_s),
    )
    query = select(CallRow.role, *sums).group_by(CallRow.role).order_by(CallRow.role)  # type: ignore[call-overload]
    if session_id is not None:
        query = query.where(CallRow.session_id == session_id)
    names = ("calls", "cached", "invalid", "failed", "in_flight", "prompt_tokens", "completion_tokens")
    rest = ("cost_usd", "unpriced", "latency_s")
    return [CallTotals(**dict(zip(("role", *names, *rest), row, strict=True))) for row in session.exec(query)]


def sum_spent(session: Session, session_id: str) -> dict[str, float]:
    """What a session has spent: wall_s, env_steps, calls, tokens, money_usd, unpriced_calls. Calls in flight do not count yet."""
    row = session.get(SessionRow, session_id)
    steps = session.exec(select(func.sum(JobRow.new_steps)).where(JobRow.session_id == session_id)).one()
    calls = select(CallRow).where(CallRow.session_id == session_id, col(CallRow.cached).is_(False))
    priced = [call for call in session.exec(calls) if call.state != "in_flight"]
    return {
        "wall_s": float(row.spent.get("wall_s", 0.0)) if row else 0.0,
        "env_steps": int(steps or 0),
        "calls": len(priced),
        "tokens": sum(call.prompt_tokens + call.completion_tokens for call in priced),
        "money_usd": sum(call.cost_usd or 0.0 for call in priced),
        "unpriced_calls": sum(call.cost_usd is None for call in priced),
    }


def mean_latency_s(session: Session, session_id: str) -> float | None:
    """Mean seconds of a session's finished model calls that the cache did not answer; None before the first."""
    query = select(func.avg(CallRow.latency_s)).where(CallRow.session_id == session_id, CallRow.state == "ok")
    mean = session.exec(query.where(col(CallRow.cached).is_(False))).one()
    return None if mean is None else float(mean)


def list_events(session: Session, session_id: str, after_id: int = 0, *, limit: int = 1000) -> list[EventRow]:
    """The diary after row `after_id`, oldest first: call again with the last id to follow a session."""
    query = select(EventRow).where(EventRow.session_id == session_id, col(EventRow.id) > after_id)
    return list(session.exec(query.order_by(col(EventRow.id)).limit(limit)))


def list_lessons(
    session: Session, *, family: str | None = None, session_id: str | None = None, withdrawn: bool = False
) -> list[LessonRow]:
    """Lessons, newest first, without withdrawn ones unless asked for."""
    query = select(LessonRow).order_by(col(LessonRow.id).desc())
    if family is not None:
        query = query.where(LessonRow.family == family)
    if session_id is not None:
        query = query.where(LessonRow.session_id == session_id)
    return list(session.exec(query if withdrawn else query.where(LessonRow.grade != "withdrawn")))


def list_feedback(session: Session, session_id: str) -> list[FeedbackRow]:
    """What a person said about a session's rewards, oldest first."""
    query = select(FeedbackRow).where(FeedbackRow.session_id == session_id)
    return list(session.exec(query.order_by(col(FeedbackRow.id))))


def find_rewards(
    session: Session,
    *,
    digest: str | None = None,
    session_id: str | None = None,
    task_digest: str | None = None,
    family: str | None = None,
    limit: int = 1000,
) -> list[tuple[RewardRow, TaskRow]]:
    """Reward programs with their tasks over all sessions, newest first. `digest` and `task_digest` may be beginnings."""
    same = (col(TaskRow.session_id) == col(RewardRow.session_id)) & (
        col(TaskRow.task_digest) == col(RewardRow.task_digest)
    )
    query = select(RewardRow, TaskRow).join(TaskRow, same).order_by(col(RewardRow.id).desc(), col(TaskRow.id))
    if digest is not None:
        query = query.where(col(RewardRow.reward_digest).startswith(digest, autoescape=True))
    if session_id is not None:
        query = query.where(RewardRow.session_id == session_id)
    if task_digest is not None:
        query = query.where(col(RewardRow.task_digest).startswith(task_digest, autoescape=True))
    found: dict[int | None, tuple[RewardRow, TaskRow]] = {}
    for reward, task in session.exec(query):  # a task may stand there twice: as itself and as a subgoal
        if family is None or task.payload.get("family") == family:
            found.setdefault(reward.id, (reward, task))
        if len(found) == limit:
            break
    return list(found.values())


def resolve_reward(session: Session, wanted: str) -> str:
    """The digest of the only reward program whose digest, or label's digest (`code-3f2a1c`), begins so; raises `StoreProblem`."""
    prefix = wanted.rpartition("-")[2]
    column = col(RewardRow.reward_digest)
    query = select(column).distinct().order_by(column).limit(_LISTED + 1)
    found = list(session.exec(query.where(column.startswith(prefix, autoescape=True)))) if prefix else []
    if len(found) == 1 or prefix in found:
        return found[0]
    if found:
        raise StoreProblem(f"{wanted!r} fits several reward programs: {_names(found)}. Give more of the digest.")
    known = session.exec(select(RewardRow.id)).first()
    raise StoreProblem(
        f"no reward program {wanted!r}: "
        + (
            "experimenter reward list shows them."
            if known
            else "there is none yet, a session with --candidates writes them."
        )
    )


def list_remembered(
    session: Session,
    *,
    family: str | None = None,
    digest: str | None = None,
    kind: str | None = None,
    limit: int = 2000,
) -> list[RewardMemoryRow]:
    """Remembered reward programs, newest first."""
    query = select(RewardMemoryRow).order_by(col(RewardMemoryRow.id).desc()).limit(limit)
    if family is not None:
        query = query.where(RewardMemoryRow.family == family)
    if digest is not None:
        query = query.where(RewardMemoryRow.reward_digest == digest)
    return list(session.exec(query if kind is None else query.where(RewardMemoryRow.kind == kind)))


def list_skills(
    session: Session, *, family: str | None = None, state: str | None = "certified", limit: int = 1000
) -> list[SkillRow]:
    """Skills, newest first; `state=None` gives revoked ones too."""
    query = select(SkillRow).order_by(col(SkillRow.created_at).desc(), SkillRow.id).limit(limit)
    if family is not None:
        query = query.where(SkillRow.family == family)
    return list(session.exec(query if state is None else query.where(SkillRow.state == state)))


def get_skill(session: Session, wanted: str) -> SkillRow:
    """The skill of that id, name (its newest version), `name@version`, or unique beginning of an id or a name.

    Raises `StoreProblem` with the nearest names when there is none, or all that fit when there are several.
    """
    if wanted and (row := session.get(SkillRow, wanted) or _by_name(session, wanted)):
        return row
    ids = _skill_column(session, wanted, by_name=False) if wanted else []
    names = _skill_column(session, wanted, by_name=True) if wanted else []
    if len(ids) + len(names) == 1:
        row = session.get(SkillRow, ids[0]) if ids else _by_name(session, names[0])
        if row is not None:
            return row
    if ids or names:
        raise StoreProblem(f"{wanted!r} fits several skills: {_names([*names, *ids])}. Give more of the name or id.")
    known = list(session.exec(select(SkillRow.name).distinct().order_by(SkillRow.name)))
    if not known:
        raise StoreProblem(f"no skill {wanted!r}: the library is empty.")
    near = difflib.get_close_matches(wanted, known, n=_LISTED, cutoff=0.4)
    raise StoreProblem(
        f"no skill {wanted!r}. " + (f"Did you mean {_names(near)}?" if near else f"There are: {_names(known)}.")
    )


def _by_name(session: Session, wanted: str) -> SkillRow | None:
    name, at, version = wanted.rpartition("@")
    query = select(SkillRow).where(SkillRow.name == wanted)
    if at and version.isdecimal():
        query = select(SkillRow).where(SkillRow.name == name, SkillRow.version == int(version))
    return session.exec(query.order_by(col(SkillRow.version).desc())).first()


def _skill_column(session: Session, prefix: str, *, by_name: bool) -> list[str]:
    column = col(SkillRow.name) if by_name else col(SkillRow.id)
    query = select(column).where(column.startswith(prefix, autoescape=True)).distinct()
    return list(session.exec(query.order_by(column).limit(_LISTED + 1)))


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return f"{shown}, ..." if len(names) > _LISTED else shown
