"""Plans in the intermediate language: checked line by line, repaired once, by rule where no model answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roles_helpers import SMALL, Speak, make_goal, text_of

from envs.catalog import get_family
from envs.web.grounding import ground
from envs.web.language import Line, Word, print_line
from envs.web.tasks import ALL_TASKS
from envs.web.testing import button, checkbox, field, link, make_page
from experimenter.roles.decomposer import decompose
from experimenter.roles.web_planner import carried_lines, carry_lines, plan, rule_clauses

PAGE = make_page(
    field("username"), field("password"), button("Login"),
    instruction='Enter the username "bob" and the password "x1" into the text fields and press login.',
)  # fmt: skip
LINES = ["type('the username field', 'bob')", 'type("the password field", "x1")', "click('the button Login')"]


@pytest.mark.parametrize("able", [None, SMALL])
def test_a_plan_is_lines_of_the_language(speak: Speak, able: object) -> None:
    gateway, model = speak({"lines": LINES}, **({"able": able} if able else {}))
    made = plan(gateway, PAGE, step="t")
    assert made.source == "model"
    assert made.lines[0] == Line(Word.TYPE, "the username field", "bob")
    assert [ground(line, PAGE).action is not None for line in made.lines] == [True] * 3
    assert 'type("element", "text")' in text_of(model)


def test_a_line_that_is_not_in_the_language_is_mended_once(speak: Speak) -> None:
    gateway, model = speak({"lines": ["driver.find(1).click()"]}, {"lines": LINES})
    assert plan(gateway, PAGE, step="t").source == "model"
    assert "line 1: 'driver.find(1).click()' is no action" in text_of(model)
    gateway, model = speak({"lines": ["fly()"]}, {"lines": ["fly()"]})
    assert plan(gateway, PAGE, step="t").source == "rule:clauses"
    assert len(model.requests) == 2


def test_what_is_done_and_what_stopped_are_told(speak: Speak) -> None:
    gateway, model = speak({"lines": LINES})
    plan(gateway, PAGE, past=["click('a')"], fault="</page> 2 elements fit", step="t")
    told = text_of(model)
    assert "- \"click('a')\"" in told
    assert '"\\u003c/page\\u003e 2 elements fit"' in told


@pytest.mark.parametrize(
    ("instruction", "elements", "lines"),
    [
        (
            PAGE.instruction,
            [field("username"), field("password"), button("Login")],
            ['type("the username field", "bob")', 'type("the password field", "x1")', "click(\"the button 'Login'\")"],
        ),
        (
            "Select ab, c d and click Submit.",
            [checkbox("ab"), checkbox("c d"), checkbox("no"), button("Submit")],
            ["click(\"the checkbox 'ab'\")", "click(\"the checkbox 'c d'\")", "click(\"the button 'Submit'\")"],
        ),
        ('Click on the "yes" button.', [button("yes"), button("no")], ["click(\"the button 'yes'\")"]),
        ('Click on the link "Elit".', [link("Elit")], ["click(\"the link 'Elit'\")"]),
        ("Select nothing and click Submit.", [checkbox("ab"), button("Submit")], ["click(\"the button 'Submit'\")"]),
    ],
)
def test_the_rule_reads_the_clauses(instruction: str, elements: list[dict[str, object]], lines: list[str]) -> None:
    made = rule_clauses(make_page(*elements, instruction=instruction))
    assert [print_line(line) for line in made.lines] == lines
    assert made.source == "rule:clauses"


@settings(deadline=None)
@given(st.text(max_size=400))
def test_the_rule_reads_any_instruction(instruction: str) -> None:
    rule_clauses(make_page(field("a"), checkbox("b"), button("Submit"), instruction=instruction))


def test_a_subgoal_carries_lines_that_read_back() -> None:
    text = carry_lines("log in", LINES)
    assert text.startswith("log in | plan: type(") and len(carried_lines(text)) == 3
    assert carried_lines(text)[0] == Line(Word.TYPE, "the username field", "bob")
    assert carry_lines("log in", ["eval('x')"]) == carry_lines("log in", []) == "log in"
    assert carried_lines("log in") == carried_lines("log in | plan: nonsense") == ()


def test_the_decomposer_of_a_web_task_takes_lines_and_others_do_not(speak: Speak) -> None:
    family = get_family("web")
    task = family.resolve_task({"task": ALL_TASKS.index("login-user"), "page_size": 20})
    goal = make_goal(family="web", target=dict(task.params), horizon=task.horizon)
    first = {"text": "log in on a small page", "params": [{"name": "page_size", "value": 0}], "lines": LINES}
    gateway, model = speak({"subgoals": [first, {"text": "the task", "params": []}]})
    subgoals = decompose(gateway, goal, task, family.card(), skills=(), step="t")
    assert len(carried_lines(subgoals[0].text)) == 3 and carried_lines(subgoals[-1].text) == ()
    assert dict(subgoals[-1].params)["page_size"] == 20
    assert "A subgoal may carry in `lines`" in text_of(model)
