"""Answers as models really write them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_helpers import GOOD, Way
from pydantic import BaseModel

from experimenter.llm.replies import Unreadable, find_objects, parse_reply


class Loose(BaseModel):
    note: str = ""


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Here you are:\n\n{GOOD}\n\nHope this helps {{smile}}!",
        f"For any {{x}} we have: {GOOD}",
        f'<think>maybe {{"way": "right", "steps": 1}}?</think>{GOOD}',
        f'{{"other": 1}} {GOOD}',
        '{"way": "left",\n "steps": 3}',
    ],
)
def test_the_object_is_found(text: str) -> None:
    assert parse_reply(text, Way) == Way(way="left", steps=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no complete JSON object"),
        ("left, 3", "no complete JSON object"),
        ('{"way": "left", "ste', "no complete JSON object"),
        ("<think>endless {", "no complete JSON object"),
        ('{"way": "left"}', "steps: Field required"),
        ('{"way": "left", "steps": 9}', "steps: Input should be less than or equal to 5"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        parse_reply(text, Way)


def test_a_part_of_a_cut_object_is_never_the_answer() -> None:
    assert find_objects('{"terms": [{"note": "inner"}, {"note": ') == []
    with pytest.raises(Unreadable):
        parse_reply('{"terms": [{"note": "inner"}], broken: {"note": "x"}}', Loose)


@given(
    st.dictionaries(
        st.text(max_size=5), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
    )
)
def test_any_object_survives_fences_and_prose(value: dict[str, object]) -> None:
    assert find_objects(f"Well:\n```json\n{json.dumps(value)}\n```\nthat is it")[0] == value
