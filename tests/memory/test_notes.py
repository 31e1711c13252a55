"""Lessons and feedback: keyed writes that a repetition does not change, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from memory.notes import add_feedback, find_feedback, find_lessons, grade_lesson, put_lesson
from memory.store import Store
from memory.tables import FeedbackRow, LessonRow, SessionRow


@pytest.fixture(autouse=True)
def _sessions(store: Store) -> None:
    with store.transaction() as session:
        session.add_all([SessionRow(id=name, goal_text="walk") for name in ("s1", "s2")])


def put(store: Store, key: str, **values: Any) -> bool:
    with store.transaction() as session:
        plain = {"session_id": "s1", "task_digest": "t1", "family": "walker", "text": f"about {key}"}
        return put_lesson(session, LessonRow(key=key, **{**plain, **values}))


def keys(store: Store, **wanted: Any) -> list[str]:
    with store.read() as session:
        return [row.key for row in find_lessons(session, **wanted)]


def test_a_lesson_is_put_once(store: Store) -> None:
    assert put(store, "a")
    assert not put(store, "a", text="other words", grade="firm")
    with store.read() as session:
        (row,) = find_lessons(session, task_digest="t1")
    assert (row.text, row.grade) == ("about a", "tentative")


def test_lessons_come_best_grade_first_then_by_support_and_withdrawn_only_when_asked_for(store: Store) -> None:
    put(store, "tentative")
    put(store, "likely-weak", grade="likely", support=2, against=1)
    put(store, "likely-strong", grade="likely", support=3)
    put(store, "firm", grade="firm", session_id="s2", task_digest="t2")
    put(store, "withdrawn", grade="withdrawn")
    assert keys(store, family="walker") == ["firm", "likely-strong", "likely-weak", "tentative"]
    assert keys(store, task_digest="t1") == ["likely-strong", "likely-weak", "tentative"]
    assert keys(store, task_digest="t1", withdrawn=True)[-1] == "withdrawn"
    assert keys(store, family="quantum") == []


def test_a_step_that_is_done_again_weighs_once(store: Store) -> None:
    put(store, "a")
    for expected in (True, False):
        with store.transaction() as session:
            assert grade_lesson(session, "a", support=2, grade="likely", once=("s1", "generation 1")) is expected
    with store.transaction() as session:
        assert grade_lesson(session, "a", against=1, once=("s1", "generation 2"))
        assert grade_lesson(session, "a", against=1)
    with store.read() as session:
        (row,) = find_lessons(session)
    assert (row.support, row.against, row.grade) == (2, 2, "likely")
    assert row.updated_at > row.created_at


@pytest.mark.parametrize(
    ("key", "grade", "told"), [("b", "firm", "no lesson with key 'b'"), ("a", "sure", "no grade 'sure'")]
)
def test_an_unknown_lesson_or_grade_is_said(store: Store, key: str, grade: str, told: str) -> None:
    put(store, "a")
    with (
        pytest.raises(ValueError, match=told.replace("no lesson", "there is no lesson")),
        store.transaction() as session,
    ):
        grade_lesson(session, key, grade=grade)


def test_feedback_for_a_task_holds_what_is_for_all_tasks_too(store: Store) -> None:
    with store.transaction() as session:
        assert add_feedback(session, FeedbackRow(session_id="s1", key="1", text="for all"))
        assert add_feedback(session, FeedbackRow(session_id="s1", key="2", text="for t1", task_digest="t1"))
        assert add_feedback(session, FeedbackRow(session_id="s1", key="3", text="for t2", task_digest="t2"))
        assert add_feedback(session, FeedbackRow(session_id="s2", key="4", text="another session"))
        assert not add_feedback(session, FeedbackRow(session_id="s1", key="1", text="said again"))
    with store.read() as session:
        assert [row.text for row in find_feedback(session, "s1", "t1")] == ["for all", "for t1"]
        assert [row.text for row in find_feedback(session, "s1")] == ["for all", "for t1", "for t2"]
