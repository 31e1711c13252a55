"""The journal's births, lessons and feedback: written once, read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from experimenter.config import SessionConfig
from experimenter.journal import Journal, start_session
from experimenter.records import RewardKind, RewardProgram
from memory.store import Store, open_store

NATIVE, FITNESS = RewardProgram(kind=RewardKind.NATIVE), RewardProgram(kind=RewardKind.FITNESS)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "experimenter.db")
    yield opened
    opened.close()


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store, start_session(store, "walk", SessionConfig(), "2"))


def test_a_program_keeps_where_it_was_born(journal: Journal) -> None:
    journal.add_rewards("t", [NATIVE, FITNESS], 0, births={NATIVE.digest: (1, "crossover", 3)})
    journal.add_rewards("t", [NATIVE], 1, births={NATIVE.digest: (0, "fresh", 0)})
    assert [(row.island, row.operator, row.slot) for row in journal.rewards("t")] == [(1, "crossover", 3), (0, "", 0)]


def test_lessons_are_put_graded_and_read_over_sessions(store: Store, journal: Journal) -> None:
    assert journal.put_lesson(
        "k", "falls dominate", task_digest="t", family="walker", grade="tentative", reward_digest="r"
    )
    assert not journal.put_lesson("k", "other", task_digest="t", family="walker", grade="firm")
    later = Journal(store, start_session(store, "walk on", SessionConfig(), "2"))
    assert later.grade_lesson("k", support=2, grade="likely", once="generation 1")
    assert not later.grade_lesson("k", support=2, grade="likely", once="generation 1")
    (row,) = later.lessons(family="walker")
    assert (row.support, row.grade, row.reward_digest, row.session_id) == (2, "likely", "r", journal.session_id)
    assert [event.kind for event in later.events("lesson")] == ["lesson"]
    later.grade_lesson("k", grade="withdrawn")
    assert later.lessons("t") == []
    assert len(later.lessons("t", withdrawn=True)) == 1


def test_feedback_is_written_once_a_key_of_the_session(store: Store, journal: Journal) -> None:
    assert journal.add_feedback("flag", "less energy", fitness_weights={"effort": -0.1})
    assert not journal.add_feedback("flag", "said again")
    other = Journal(store, start_session(store, "fly", SessionConfig(), "2"))
    assert other.add_feedback("flag", "slower", task_digest="t", generation=2, source="answer")
    (row,) = journal.feedback("any task")
    assert (row.text, row.fitness_weights, row.generation, row.source) == ("less energy", {"effort": -0.1}, 0, "flag")
    assert [row.text for row in other.feedback()] == ["slower"]
    assert other.feedback("another task") == []
