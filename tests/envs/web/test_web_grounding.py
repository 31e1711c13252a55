"""The rule grounder on pages made by hand: what it finds, when it refuses, and that descriptions lead back."""

from __future__ import annotations

import pytest

from envs.web.backend import Action, Snapshot, Verb
from envs.web.grounding import describe, find_element, ground, to_line
from envs.web.language import Line, Word, parse_line
from envs.web.testing import button, checkbox, field, link, make_page, words

MAIL = make_page(
    words("Inbox"),  # 0
    field("username"),  # 1
    field("password"),  # 2
    button("Send"),  # 3
    button("Send all"),  # 4
    link("Reply", around="Bob Reply"),  # 5
    link("Reply", around="Ann Reply"),  # 6
    checkbox("spam"),  # 7
    checkbox("work"),  # 8
    {"tag": "select", "attributes": "month"},  # 9
    {"tag": "option", "text": "May"},  # 10
    {"tag": "option", "text": "June"},  # 11
    {"tag": "select", "attributes": "year"},  # 12
    {"tag": "option", "text": "May"},  # 13
    {"tag": "circle", "attributes": "red"},  # 14
    {"tag": "circle", "attributes": "blue"},  # 15
)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('click("the Send button")', Action(Verb.CLICK, 3)),
        ("click(\"the button 'Send all'\")", Action(Verb.CLICK, 4)),
        ('click("the second Reply link")', Action(Verb.CLICK, 6)),
        ('click("the last Reply")', Action(Verb.CLICK, 6)),
        ("click(\"the link 'Reply' beside 'Bob'\")", Action(Verb.CLICK, 5)),
        ('click("the work checkbox")', Action(Verb.CLICK, 8)),
        ('click("the first checkbox")', Action(Verb.CLICK, 7)),
        ('click("the blue circle")', Action(Verb.CLICK, 15)),
        ('type("the user name field", "bob")', Action(Verb.TYPE, 1, "bob")),
        ('type("the 2nd field", "x")', Action(Verb.TYPE, 2, "x")),
        ('select("the month list", "june")', Action(Verb.CLICK, 11)),
        ('select("the year list", "May")', Action(Verb.CLICK, 13)),
        ("copy(\"the text 'Inbox'\")", Action(Verb.COPY, 0)),
        ('press("Enter")', Action(Verb.PRESS, text="Enter")),
        ('scroll("down")', Action(Verb.SCROLL, text="down")),
        ("done()", Action(Verb.DONE)),
    ],
)
def test_lines_lead_to_actions(text: str, action: Action) -> None:
    assert ground(parse_line(text), MAIL).action == action


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('click("the Reply link")', "2 elements fit"),
        ('click("the third Reply link")', "only 2 element(s) fit"),
        ('click("the purple elephant")', "nothing on the page fits"),
        ('select("the month list", "July")', "no option 'July'"),
        ('paste("the user name field")', "nothing has been copied"),
        ('type("the Send button", "x")', "nothing on the page fits"),
    ],
)
def test_what_is_unclear_is_refused_with_a_reason(text: str, why: str) -> None:
    found = ground(parse_line(text), MAIL)
    assert found.action is None
    assert why in found.why


def test_what_was_copied_is_pasted() -> None:
    page = make_page(field("answer"), instruction="", clipboard="42")
    assert ground(Line(Word.PASTE, "the answer field"), page).action == Action(Verb.TYPE, 0, "42")


def test_an_empty_page_grounds_nothing() -> None:
    assert find_element("the button", []).element is None


def test_text_of_the_page_cannot_name_an_order_or_kind() -> None:
    """Order and kind are words of the description, not of a page that says `first` or `button`."""
    page = make_page(words("first button"), button("ok"), button("no"))
    assert ground(parse_line('click("the first button")'), page).action == Action(Verb.CLICK, 1)


def list_actions(page: Snapshot) -> list[Action]:
    clicks = [Action(Verb.CLICK, e.index) for e in page.elements if e.interactive and e.tag != "select"]
    return [*clicks, *(Action(Verb.TYPE, e.index, "x") for e in page.elements if e.editable)]


def test_every_element_that_can_be_acted_on_is_described_and_found_again() -> None:
    for action in list_actions(MAIL):
        line = to_line(action, MAIL)
        assert ground(line, MAIL).action == action, line


def test_descriptions_say_the_place_only_where_it_is_needed() -> None:
    assert describe(MAIL.elements[6], MAIL) == "the second link 'Reply'"
    assert describe(MAIL.elements[6], MAIL, order=False) == "the link 'Reply'"
    assert describe(MAIL.elements[3], MAIL) == "the button 'Send'"
    assert describe(MAIL.elements[7], MAIL) == "the checkbox 'spam'"
