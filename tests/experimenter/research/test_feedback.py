"""Human feedback: words for the model, weights only on the person's word, questions that are answered once."""

from __future__ import annotations

from pathlib import Path

import pytest

from experimenter.config import SessionConfig
from experimenter.errors import UsageError
from experimenter.research.agenda import understand_goal
from experimenter.research.feedback import (
    answer,
    feedback_text,
    fitness_weights,
    go_on,
    is_answered,
    open_question,
    open_question_of,
)
from tests.experimenter.research.search_rows import (
    CART,
    NATIVE,
    add_result,
    add_task,
    make_program,
    make_task,
    open_session,
)

TASK, OTHER = make_task(), make_task(pole_length=2.0)
ASK = SessionConfig(model="none", executor="inline", ask=True)
FLAGS = ASK.evolve(family=CART, feedback="do not shake", fitness_weights={"furthest_from_middle_m": -0.5})


def test_flags_hold_for_every_task_and_are_written_once(tmp_path: Path) -> None:
    with open_session(tmp_path, config=FLAGS) as services:
        understand_goal(services)
        understand_goal(services)
        assert len(services.journal.feedback()) == 1
        for task in (TASK, OTHER):
            assert fitness_weights(services, task.digest) == {"furthest_from_middle_m": -0.5}
            assert feedback_text(services, task.digest) == (
                "- from the start: do not shake (from now on the fitness also counts: furthest_from_middle_m x -0.5)"
            )


def test_a_question_shows_what_was_found_and_is_answered_once(tmp_path: Path) -> None:
    program = make_program("1.0")
    with open_session(tmp_path, config=ASK) as services:
        journal = services.journal
        add_task(services, TASK, [NATIVE, program])
        add_result(services, TASK, NATIVE, [0.2] * 4)
        add_result(services, TASK, program, [0.5] * 4)
        journal.set_fates(TASK.digest, {program.digest: ("won", "best")})
        open_question(services, TASK.digest, 1)
        assert open_question_of(journal) is None  # the session does not wait yet
        journal.set_state("waiting")
        question = open_question_of(journal)
        assert question is not None
        assert [(arm["label"], arm["fitness_iqm"], arm["lift"]) for arm in question["arms"]] == [
            (program.label, 0.5, 0.3), ("native", 0.2, None),
        ]  # fmt: skip
        assert question["measures"] == {"push": 0.25}
        assert not is_answered(services, TASK.digest, 1)
        for _ in range(2):  # the same answer again after a kill
            assert answer(journal, " less\n energy ", {"push": -0.1}) == 1
        assert len(journal.feedback()) == 1
        assert is_answered(services, TASK.digest, 1)
        assert not is_answered(services, TASK.digest, 2)
        assert feedback_text(services, TASK.digest, 0) == ""
        assert feedback_text(services, TASK.digest, 1).startswith("- before generation 1: less energy")
        assert feedback_text(services, OTHER.digest) == ""


def test_going_on_without_an_answer_closes_the_question(tmp_path: Path) -> None:
    with open_session(tmp_path, config=ASK) as services:
        add_task(services, TASK, [NATIVE])
        go_on(services.journal)  # nothing is open: nothing happens
        open_question(services, TASK.digest, 1)
        services.journal.set_state("waiting")
        go_on(services.journal)
        assert is_answered(services, TASK.digest, 1)
        assert services.journal.feedback() == []


def test_feedback_between_questions_is_for_the_next_generation(tmp_path: Path) -> None:
    with open_session(tmp_path, config=ASK) as services:
        assert answer(services.journal, "before any task", {}) == 0
        add_task(services, TASK, [NATIVE], generation=0)
        add_task(services, TASK, [make_program("1.0")], generation=2)
        assert answer(services.journal, "slower", {}) == 3
        assert is_answered(services, TASK.digest, 3)  # said already: no pause
        assert feedback_text(services, TASK.digest, 2) == "- from the start: before any task"


def test_the_newest_weight_counts_and_zero_takes_it_away_while_words_count_nothing(tmp_path: Path) -> None:
    with open_session(tmp_path, config=ASK) as services:
        add_task(services, TASK, [NATIVE])
        answer(services.journal, "much less energy, fitness push=-100", {})
        assert fitness_weights(services, TASK.digest) == {}
        answer(services.journal, "", {"push": -0.1, "speed": 1.0})
        answer(services.journal, "", {"push": -0.2})
        assert fitness_weights(services, TASK.digest) == {"push": -0.2, "speed": 1.0}
        answer(services.journal, "", {"push": 0.0})
        assert fitness_weights(services, TASK.digest) == {"speed": 1.0}


def test_long_feedback_loses_its_oldest_words_first(tmp_path: Path) -> None:
    with open_session(tmp_path, config=ASK) as services:
        add_task(services, TASK, [NATIVE])
        for word in ("first ", "second ", "third "):
            answer(services.journal, word * 100, {})
        text = feedback_text(services, TASK.digest)
    assert "first" not in text
    assert "third" in text
    assert len(text) <= 1500


@pytest.mark.parametrize(("text", "told"), [("  \n ", "the answer is empty"), ("x" * 1201, "at most 1200")])
def test_an_answer_that_says_nothing_or_too_much_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with open_session(tmp_path) as services, pytest.raises(UsageError, match=told):
        answer(services.journal, text, {})
