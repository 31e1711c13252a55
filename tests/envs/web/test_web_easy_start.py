"""Where a curriculum for a page task may begin: at the end of a solution that is too long for chance. No browser."""

from __future__ import annotations

import pytest

from envs.catalog import get_family
from envs.family import easy_start
from envs.task import ParamValue
from envs.web.family import WebFamily
from envs.web.survey import solution_steps
from envs.web.tasks import ALL_TASKS

NUMBER = ALL_TASKS.index


@pytest.mark.parametrize(
    ("params", "start"),
    [
        ({"task": NUMBER("click-test")}, {}),  # chance finds one step
        ({"task": NUMBER("login-user")}, {"prefilled": 6}),
        ({"task": NUMBER("book-flight-nodelay")}, {"prefilled": 12}),  # as many as there may be
        ({"task": NUMBER("login-user"), "depth": 2, "second": NUMBER("email-inbox-delete")}, {"prefilled": 8}),
        ({"task": NUMBER("login-user"), "prefilled": 1}, {}),  # someone has chosen
        ({"task": NUMBER("bisect-angle")}, {}),  # no oracle
        ({"task": NUMBER("login-user"), "depth": 2, "second": NUMBER("bisect-angle")}, {}),
    ],
)
def test_long_solutions_begin_at_their_end(params: dict[str, ParamValue], start: dict[str, ParamValue]) -> None:
    family = WebFamily()
    assert easy_start(family, family.resolve_task(params)) == start


def test_steps_of_several_tasks_add_up() -> None:
    assert solution_steps(["login-user", "email-inbox-delete"]) == 4
    assert solution_steps(["login-user", "bisect-angle"]) == 0


def test_a_family_that_knows_of_no_easy_start_has_none() -> None:
    family = get_family("walker")
    assert easy_start(family, family.resolve_task()) == {}
