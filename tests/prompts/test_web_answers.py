"""Schemas of the web roles' answers: bounded, narrowed to what the page offers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experimenter.llm.grammar import make_grammar
from prompts.web_answers import (
    LONGEST_COMPACT_LINE,
    MOST_COMPACT_LINES,
    CompactWebOutcomeAnswer,
    CompactWebPlanAnswer,
    WebOutcomeAnswer,
    WebPlanAnswer,
    web_action_answer,
)

SCHEMAS = [
    WebPlanAnswer,
    CompactWebPlanAnswer,
    WebOutcomeAnswer,
    CompactWebOutcomeAnswer,
    web_action_answer(["click", "press"], 48, compact=False),
    web_action_answer(["click", "press"], 48, compact=True),
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_text_and_list_is_bounded_and_a_grammar_can_be_made(schema: Any) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("type") == "string" and "enum" not in node and "const" not in node:
                assert "maxLength" in node, node
            if node.get("type") == "array":
                assert "maxItems" in node, node
            for value in node.values():
                walk(value)

    walk(schema.model_json_schema())
    assert make_grammar(schema).startswith("root ::= ")


@pytest.mark.parametrize("compact", [False, True])
def test_an_action_names_a_verb_and_an_element_that_are_there(compact: bool) -> None:
    schema = web_action_answer(["click", "press"], 3, compact=compact)
    assert schema.model_validate({"verb": "click", "element": 2, "text": ""}).element == 2
    assert schema.model_validate({"verb": "press", "element": -1, "text": "Enter"}).text == "Enter"
    for wrong in ({"verb": "type", "element": 0, "text": ""}, {"verb": "click", "element": 3, "text": ""}):
        with pytest.raises(ValidationError):
            schema.model_validate(wrong)


def test_the_grammar_of_a_small_model_spells_element_numbers_out() -> None:
    grammar = make_grammar(web_action_answer(["click"], 3, compact=True))
    assert '("-1" | "0" | "1" | "2")' in grammar


def test_a_small_models_plan_has_a_grammar_that_llama_cpp_takes() -> None:
    """It refuses nested repetitions beyond about 2000, as 12 lines of 240 characters would be."""
    assert MOST_COMPACT_LINES * LONGEST_COMPACT_LINE < 2000
