"""Answer schemas: bounded, narrowed to the names that exist, lenient where a chatty model means no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from prompts import answers
from prompts.answers import (
    CodeAnswer,
    JudgeAnswer,
    choice_answer,
    compact_goal_answer,
    compact_reward_answer,
    decomposer_answer,
    family_answer,
    goal_answer,
    proposer_answer,
    signs_answer,
)

SCHEMAS = [
    family_answer(["a", "b"]),
    goal_answer(["p"]),
    compact_goal_answer(["p"]),
    proposer_answer(["p"]),
    decomposer_answer(["p"]),
    choice_answer(["A"]),
    signs_answer(["x"]),
    compact_reward_answer({"x": (["linear"], 0.1, 1.0), "y": (["square", "absolute"], 1.0, 2.0)}),
    CodeAnswer,
    JudgeAnswer,
    answers.CompactJudgeAnswer,
    answers.ReflectorAnswer,
    answers.CompactReflectorAnswer,
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_string_and_list_is_bounded_and_no_object_has_free_keys(schema: Any) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "string" and "enum" not in node and "const" not in node:
                assert "maxLength" in node, node
            if node.get("type") == "array":
                assert "maxItems" in node, node
            assert not node.get("additionalProperties")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(schema.model_json_schema())


def test_names_are_an_enumeration() -> None:
    with pytest.raises(ValidationError):
        goal_answer(["slope"]).model_validate({"reading": "x", "params": [{"name": "gravity", "value": 1}]})
    with pytest.raises(ValidationError):
        family_answer(["walker"]).model_validate({"reason": "x", "family": "gym:Ant"})


@pytest.mark.parametrize("value", ["NaN", "Infinity", '"high"', "null"])
def test_numbers_are_numbers(value: str) -> None:
    text = f'{{"reading": "x", "params": [{{"name": "slope", "value": {value}}}]}}'
    with pytest.raises(ValidationError):
        goal_answer(["slope"]).model_validate_json(text)


def test_long_text_is_cut_and_unknown_keys_are_dropped() -> None:
    found = JudgeAnswer.model_validate({"reasons": ["very " * 1000], "state": "stuck", "mood": "good"})
    assert found.reasons[0] == "very " * 119 + "..."  # 119 whole words and the mark fit into 600
    assert "mood" not in found.model_dump()


def test_endless_code_is_refused() -> None:
    with pytest.raises(ValidationError):
        CodeAnswer.model_validate({"rationale": "x", "code": "x = 1\n" * 10_000})


def test_terms_are_held_to_their_own_shapes_and_weights() -> None:
    schema = compact_reward_answer({"x": (["linear"], 0.5, 1.0), "y": (["square"], 1.0, 2.0)})
    good = {
        "terms": [
            {"variable": "x", "shape": "linear", "weight": 0.01},
            {"variable": "y", "shape": "square", "weight": 9},
        ]
    }
    found = schema.model_validate_json(json.dumps(good))
    assert [term.weight for term in found.terms] == [0.5, 2.0]
    with pytest.raises(ValidationError):
        schema.model_validate({"terms": [{"variable": "x", "shape": "square", "weight": 1}] * 2})
