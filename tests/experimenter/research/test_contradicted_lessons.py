"""A lesson that the reflector finds contradicted is told no more, however often the step is done."""

from __future__ import annotations

from pathlib import Path

from envs.catalog import get_family
from experimenter.research.population import contradict_lessons, lesson_lines
from tests.experimenter.research.search_rows import CART, open_session

TASK, OTHER = "t" * 16, "o" * 16


def test_a_contradicted_lesson_is_withdrawn_and_one_that_held_up_is_not(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        journal = services.journal
        for key, task, grade in (("new", TASK, "tentative"), ("proved", TASK, "likely"), ("far", OTHER, "likely")):
            journal.put_lesson(key, f"lesson {key}", task_digest=task, family=CART, grade=grade)
        journal.grade_lesson("proved", support=3)
        for _ in range(2):  # a step that was killed is done again
            contradict_lessons(services, TASK, ["new", "proved", "far"], 0)
        held = {row.key: (row.support, row.against, row.grade) for row in journal.lessons(TASK, withdrawn=True)}
        assert held == {"new": (0, 2, "withdrawn"), "proved": (3, 2, "likely")}
        (far,) = journal.lessons(OTHER)
        assert (far.against, far.grade) == (1, "likely")


def test_the_lines_told_leave_withdrawn_lessons_out(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        task = get_family(CART).resolve_task()
        services.journal.put_lesson("new", "swing first", task_digest=task.digest, family=CART, grade="tentative")
        assert lesson_lines(services, task) == {"new": "(tentative) swing first"}
        contradict_lessons(services, task.digest, ["new"], 1)
        assert lesson_lines(services, task) == {}
