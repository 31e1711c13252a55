"""The grammar says what the schema says: read as a regular expression, what it admits validates, and what validates is admitted."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from experimenter.llm.grammar import UnsupportedSchema, make_choice_grammar, make_grammar

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|[a-z][a-z0-9-]*|\{[0-9,]+\}|[()|?*+]|\s+')


def read_as_regex(grammar: str, start: str = "root") -> str:
    """Translate a grammar without recursion into a regular expression."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())

    def translate(body: str) -> str:
        return "".join(spell(piece.group()) for piece in _PIECE.finditer(body))

    def spell(piece: str) -> str:
        if piece.startswith('"'):
            literal = re.sub(r"\\(.)", lambda mark: "\n" if mark[1] == "n" else mark[1], piece[1:-1])
            return f"(?:{re.escape(literal)})"
        if piece[0].isalpha():
            return f"(?:{translate(rules[piece])})"
        return "(?:" if piece == "(" else piece.strip()

    return translate(rules[start])


class Shape(StrEnum):
    LINEAR = "linear"
    SQUARE = "square"


class Term(BaseModel):
    variable: Literal["vel_x", "tilt"]
    shape: Shape
    weight: float = Field(gt=0, le=10)
    gate: str | None = Field(default=None, max_length=5)


class Specification(BaseModel):
    why: str = Field(min_length=1, max_length=12)
    terms: list[Term] = Field(min_length=1, max_length=3)
    sure: bool
    rank: int = Field(ge=1, le=3)


class Numbers(BaseModel):
    unit: float = Field(ge=0, le=1)
    open_unit: float = Field(gt=0, lt=1)
    signed: float = Field(ge=-2, le=3)
    below: float = Field(ge=-5, lt=0)
    positive: float = Field(gt=0)
    steps: int = Field(ge=-3, lt=4)
    big: int = Field(ge=0, le=9999)
    pair: tuple[int, bool]
    table: dict[Literal["a", "b"], int] = Field(max_length=2)
    other: int | Literal["auto"]
    fixed: Literal[2, 3]


class Tree(BaseModel):
    name: str
    children: list[Tree]


def make_terms() -> st.SearchStrategy[Term]:
    text = st.text(alphabet="abc XYZ.,(", max_size=5)
    weight = st.integers(1, 10_000).map(lambda thousandth: thousandth / 1000)
    return st.builds(
        Term,
        variable=st.sampled_from(["vel_x", "tilt"]),
        shape=st.sampled_from(Shape),
        weight=weight,
        gate=st.none() | text,
    )


@given(
    st.builds(
        Specification,
        why=st.text(alphabet="abc d", min_size=1, max_size=12),
        terms=st.lists(make_terms(), min_size=1, max_size=3),
        sure=st.booleans(),
        rank=st.integers(1, 3),
    )
)
def test_what_validates_is_admitted(value: Specification) -> None:
    text = json.dumps(value.model_dump(mode="json"), separators=(",", ":")).replace(".0,", ",")
    assert re.fullmatch(read_as_regex(make_grammar(Specification)), text)


@settings(max_examples=40, deadline=None)
@given(st.from_regex(read_as_regex(make_grammar(Specification)), fullmatch=True))
def test_what_is_admitted_validates(text: str) -> None:
    Specification.model_validate_json(text)


@settings(max_examples=40, deadline=None)
@given(st.from_regex(read_as_regex(make_grammar(Numbers)), fullmatch=True))
def test_bounds_are_kept(text: str) -> None:
    Numbers.model_validate_json(text)


@pytest.mark.parametrize("text", ["0", "1", "0.5", "0.001", "1.5", "-0.1", "2", "00", ".5", "1.0"])
def test_a_unit_number_by_hand(text: str) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "number", "minimum": 0, "maximum": 1}}}
    admitted = re.fullmatch(read_as_regex(make_grammar(schema)), f'{{"x":{text}}}') is not None
    assert admitted == (text in {"0", "1", "0.5", "0.001"})


def test_fields_come_in_order_without_space() -> None:
    pattern = read_as_regex(make_grammar(Term))
    assert re.fullmatch(pattern, '{"variable":"tilt","shape":"square","weight":2.5,"gate":null}')
    assert not re.fullmatch(pattern, '{"shape":"square","variable":"tilt","weight":2.5,"gate":null}')
    assert not re.fullmatch(pattern, '{"variable": "tilt","shape":"square","weight":2.5,"gate":null}')


def test_a_schema_may_hold_itself() -> None:
    grammar = make_grammar(Tree)
    assert "d-tree ::=" in grammar and grammar.count("d-tree ::=") == 1


def test_strings_and_lists_without_limits_are_bounded() -> None:
    grammar = make_grammar(Tree)
    assert "{0,300}" in grammar and "{0,7}" in grammar


def test_awkward_words_are_quoted() -> None:
    schema = {"type": "object", "properties": {'q"\\uote': {"enum": ['say "hi"', "a\nb", 3, None, True]}}}
    pattern = read_as_regex(make_grammar(schema))
    for value in ('say "hi"', "a\nb", 3, None, True):
        assert re.fullmatch(pattern, json.dumps({'q"\\uote': value}, separators=(",", ":")))


def test_choices() -> None:
    assert make_choice_grammar(("reward", "penalise")) == 'root ::= ("reward" | "penalise")\n'


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": {"enum": []}}},
        {"type": "blob"},
        {"type": "integer", "minimum": 3, "maximum": 1},
    ],
)
def test_what_cannot_be_spelt_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(UnsupportedSchema):
        make_grammar(schema)
