"""Lessons and feedback: keyed writes and reads of what was learnt and what a person said. Functions of an open session.

Writes are repeatable: a key that is there already keeps its row, and a grading that carries `once` counts once.
"""

from __future__ import annotations

from sqlalchemy import case
from sqlmodel import Session, col, or_, select

from memory.tables import EventRow, FeedbackRow, LessonRow, now

GRADES = ("firm", "likely", "tentative", "withdrawn")
"""Grades of a lesson, best first."""


def put_lesson(session: Session, row: LessonRow) -> bool:
    """Write a lesson once a key; returns False (and changes nothing) when it was there already."""
    _check_grade(row.grade)
    if session.exec(select(LessonRow.id).where(LessonRow.key == row.key)).first() is not None:
        return False
    session.add(row)
    return True


def grade_lesson(
    session: Session,
    key: str,
    *,
    support: int = 0,
    against: int = 0,
    grade: str | None = None,
    once: tuple[str, str] | None = None,
) -> bool:
    """Add to a lesson's counts and set its grade; with `once` (session, step) only if that step did not do so before.

    Returns whether anything changed. Raises `ValueError` for an unknown lesson or grade.
    """
    row = session.exec(select(LessonRow).where(LessonRow.key == key)).first()
    if row is None:
        raise ValueError(f"there is no lesson with key {key!r}: put it first")
    if once is not None and not _first_time(session, *once, row, f"{support} for, {against} against"):
        return False
    row.support += support
    row.against += against
    row.grade = _check_grade(grade or row.grade)
    row.updated_at = now()
    session.add(row)
    return True


def find_lessons(
    session: Session, *, task_digest: str | None = None, family: str | None = None, withdrawn: bool = False
) -> list[LessonRow]:
    """Lessons of a task or of a family over all sessions: best grade first, then most support, then newest."""
    rank = case({grade: i for i, grade in enumerate(GRADES)}, value=col(LessonRow.grade), else_=len(GRADES))
    query = select(LessonRow).order_by(
        rank, (col(LessonRow.support) - col(LessonRow.against)).desc(), col(LessonRow.id).desc()
    )
    if task_digest is not None:
        query = query.where(LessonRow.task_digest == task_digest)
    if family is not None:
        query = query.where(LessonRow.family == family)
    return list(session.exec(query if withdrawn else query.where(LessonRow.grade != "withdrawn")))


def add_feedback(session: Session, row: FeedbackRow) -> bool:
    """Write feedback once a key; returns False when it was there already."""
    if session.exec(select(FeedbackRow.id).where(FeedbackRow.key == row.key)).first() is not None:
        return False
    session.add(row)
    return True


def find_feedback(session: Session, session_id: str, task_digest: str | None = None) -> list[FeedbackRow]:
    """A session's feedback, oldest first; with a task only what is for that task or for all of them."""
    query = select(FeedbackRow).where(FeedbackRow.session_id == session_id).order_by(col(FeedbackRow.id))
    if task_digest is not None:
        query = query.where(or_(FeedbackRow.task_digest == task_digest, FeedbackRow.task_digest == ""))
    return list(session.exec(query))


def _first_time(session: Session, session_id: str, step: str, lesson: LessonRow, weighed: str) -> bool:
    key = f"lesson:{lesson.key}:{step}"
    known = select(EventRow.id).where(EventRow.session_id == session_id, EventRow.key == key)
    if session.exec(known).first() is not None:
        return False
    session.add(
        EventRow(session_id=session_id, key=key, kind="lesson", text=f"lesson weighed ({weighed}): {lesson.text}")
    )
    return True


def _check_grade(grade: str) -> str:
    if grade not in GRADES:
        raise ValueError(f"no grade {grade!r}: a lesson is {', '.join(GRADES)}")
    return grade
