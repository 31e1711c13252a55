"""The intermediate language: what is read, how it is printed, that the two agree, and what is refused with which words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.web.actions import KEYS
from envs.web.language import (
    LONGEST,
    MOST_LINES,
    LanguageError,
    Line,
    Word,
    make_line,
    parse_line,
    parse_lines,
    parse_text,
    print_line,
    print_text,
)

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(lambda text: bool(text.strip()))
lines = st.one_of(
    st.builds(lambda word, a: Line(word, a), st.sampled_from([Word.CLICK, Word.PASTE, Word.COPY]), texts),
    st.builds(lambda word, a, b: Line(word, a, b), st.sampled_from([Word.TYPE, Word.SELECT]), texts, texts),
    st.builds(lambda way: Line(Word.SCROLL, way), st.sampled_from(["up", "down"])),
    st.builds(lambda key: Line(Word.PRESS, key), st.sampled_from(KEYS)),
    st.just(Line(Word.DONE)),
)


@settings(deadline=None)
@given(lines)
def test_what_is_printed_reads_as_the_same_line(line: Line) -> None:
    assert parse_line(print_line(line)) == line


@settings(deadline=None)
@given(lines)
def test_a_printed_line_is_one_printable_line(line: Line) -> None:
    assert print_line(line).isprintable()


@settings(deadline=None)
@given(st.lists(lines, max_size=MOST_LINES))
def test_lines_in_one_text_read_as_the_same_lines(plan: list[Line]) -> None:
    assert parse_text(print_text(plan)) == tuple(plan)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_line_or_one_line_of_error(text: str) -> None:
    try:
        assert parse_line(text).word in Word
    except LanguageError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('click("the blue Send button")', Line(Word.CLICK, "the blue Send button")),
        ("  CLICK( 'it\\'s' ) ;", Line(Word.CLICK, "it's")),
        ('type("user name field", "bob")', Line(Word.TYPE, "user name field", "bob")),
        ('select("month list", "May")', Line(Word.SELECT, "month list", "May")),
        ('scroll("Down")', Line(Word.SCROLL, "down")),
        ('press("enter")', Line(Word.PRESS, "Enter")),
        ('click("a \\u003e b")', Line(Word.CLICK, "a > b")),
        ("done()", Line(Word.DONE)),
    ],
)
def test_lines_are_read(text: str, line: Line) -> None:
    assert parse_line(text) == line


def test_the_canonical_spelling() -> None:
    assert print_line(Line(Word.TYPE, 'the "x" field', "a\nb\\")) == 'type("the \\"x\\" field", "a\\nb\\\\")'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("__import__('os')", "'__import__' is no action"),
        ("click(3)", "strings stand in quotes"),
        ("click()", "click takes 1 string(s), not 0"),
        ('type("field")', "type takes 2 string(s), not 1"),
        ('click("a" "b")', "no closing bracket"),
        ('click("a").click("b")', "there is more"),
        ('click("a")\nclick("b")', "there is more"),
        ('click(" ")', "is empty"),
        ('scroll("left")', "up, down"),
        ('press("F5")', "Enter"),
        ('click("\\q")', "unknown escape"),
        ('click("\\ud800")', "half a character"),
        (f'click("{"x" * (LONGEST + 1)}")', f"at most {LONGEST}"),
        ("", "is no action"),
    ],
)
def test_what_is_not_in_the_language_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(LanguageError) as caught:
        parse_line(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_names_its_first_wrong_line_and_has_a_limit() -> None:
    with pytest.raises(LanguageError, match="line 2: 'jump' is no action"):
        parse_lines(['click("a")', "", 'jump("b")'])
    with pytest.raises(LanguageError, match="more than 20 lines"):
        parse_lines(["done()"] * (MOST_LINES + 1))


def test_a_semicolon_inside_a_string_parts_nothing() -> None:
    plan = (make_line(Word.TYPE, 'the "; click(" field', "a; done()"), Line(Word.DONE))
    assert parse_text(print_text(plan)) == plan
    with pytest.raises(LanguageError, match="expected a semicolon"):
        parse_text("done() done()")
