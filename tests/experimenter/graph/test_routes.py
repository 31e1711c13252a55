"""The loop's rules, case by case."""

from __future__ import annotations

import pytest

from experimenter.graph import routes
from experimenter.records import Decision, GoalKind


@pytest.mark.parametrize(
    ("decision", "generation", "extension", "over", "expected"),
    [
        (Decision.PROMOTE, 0, 0, False, "certify"),
        (Decision.EXTEND, 0, 0, False, "extend"),
        (Decision.EXTEND, 0, 2, False, "reflect"),
        (Decision.REVISE, 0, 0, False, "reflect"),
        (Decision.REVISE, 2, 0, False, "certify"),  # the third of three generations: what there is goes to the test
        (Decision.DROP, 0, 0, False, "drop"),
        (Decision.DROP, 0, 0, True, "certify"),  # a spent budget puts what it left to the admission test
        (Decision.EXTEND, 0, 0, True, "certify"),
    ],
)
def test_after_judge(decision: Decision, generation: int, extension: int, over: bool, expected: str) -> None:
    found = routes.after_judge(
        decision, generation=generation, generations=3, extension=extension, extensions=2, over=over
    )
    assert found == expected


def test_a_failed_certificate_is_learnt_from_while_there_is_time() -> None:
    assert routes.after_certify(False, generation=0, generations=3, over=False) == "reflect"
    assert routes.after_certify(False, generation=2, generations=3, over=False) == "next"
    assert routes.after_certify(False, generation=0, generations=3, over=True) == "next"
    assert routes.after_certify(True, generation=0, generations=3, over=False) == "next"


def test_a_target_session_stops_when_certified_and_an_open_one_goes_on() -> None:
    assert routes.after_task(GoalKind.TARGET, target_certified=True, queued=3, rounds=1, over=False) == "finish"
    assert routes.after_task(GoalKind.TARGET, target_certified=False, queued=0, rounds=1, over=False) == "propose"
    assert routes.after_task(GoalKind.TARGET, target_certified=False, queued=0, rounds=3, over=False) == "finish"
    assert routes.after_task(GoalKind.OPEN, target_certified=True, queued=0, rounds=9, over=False) == "propose"
    assert routes.after_task(GoalKind.OPEN, target_certified=False, queued=2, rounds=1, over=True) == "finish"


def test_proposals_that_lead_nowhere_end_the_session() -> None:
    assert routes.after_propose(queued=0, fruitless=1, over=False) == "propose"
    assert routes.after_propose(queued=0, fruitless=routes.MAX_FRUITLESS_PROPOSALS, over=False) == "finish"
    assert routes.after_propose(queued=1, fruitless=0, over=False) == "take_task"
    assert routes.after_propose(queued=1, fruitless=0, over=True) == "finish"
