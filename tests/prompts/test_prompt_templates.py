"""The prompts as rendered: complete, honest about the environment, silent about how fitness is computed, short where they must be."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from envs.catalog import get_family
from envs.family import Card, Parameter, Variable
from prompts import templates
from prompts.templates import brief, digest, interval, list_templates, number, percent, quoted, render

FAMILIES = ["walker", "gym:CartPole-v1", "gym:LunarLander-v3"]
FITNESS_CODE = (
    "envs.",
    "EpisodeOutcome",
    "native_return",
    "make_recipe",
    "Score(",
    "def close",
    "self.extras",
    "self.state",
)
"""Identifiers that stand in the code of families, never in a card."""


def card_of(name: str) -> Card:
    return get_family(name).card()


def values(card: Card) -> dict[str, Any]:
    """Something for every name that any template uses."""
    defaults = {param.name: param.default for param in card.params}
    task = SimpleNamespace(params=defaults, horizon=card.horizon)
    skill = SimpleNamespace(id="s", name="n", params=defaults, success_rate=0.9, success_low=0.8, fitness_iqm=0.9)
    tried = SimpleNamespace(
        params=defaults, state="dropped", decision="drop", success_rate=None, fitness_iqm=0.1, reason="too hard"
    )
    candidate = SimpleNamespace(
        label="code-a",
        fate="won",
        source="x = 1",
        numbers="fitness 0.1.",
        operator="mutate",
        generation=1,
        parents=("code-b",),
    )
    brief = SimpleNamespace(
        parents=(candidate, candidate),
        lineage=("line",),
        advice="a",
        lessons=("l",),
        feedback="f",
        examples=("e",),
        native="n",
        training="t",
    )
    option = SimpleNamespace(letter="A", params=defaults, words="the target itself")
    quantity = SimpleNamespace(name="q", meaning="m", wish="good", spelt="q (m)")
    verdict = SimpleNamespace(state="stuck", decision="revise", reasons=("flat",))
    return {
        "card": card, "task": task, "families": [card], "text": "go", "n": 2, "steps": 3.0, "k": 1, "refusal": "no",
        "goal": SimpleNamespace(text="go", kind="target", target=defaults), "skills": [skill], "history": [tried],
        "candidates": [candidate], "options": [option], "quantities": [quantity], "quantity": "q", "findings": "f",
        "verdict": verdict, "floor": SimpleNamespace(numbers={"rate": 0.5}, state="stuck", reasons=("flat",)),
        "curve": "| step |", "plot": True, "frames": 2, "brief": brief, "operator": "crossover", "lineage": ["l", "m"], "lessons": ("l",), "feedback": "f",
        "numpy": ["exp"], "methods": ["sum"], "builtins": ["abs"], "diagnosis": "d",
        "page": "<page>\n</page>", "texts": ["t"], "past": ["p"], "left": 3, "verbs": ["click"], "keys": ["Enter"], "usage": ["done()"],
        "fault": "f", "most": 2, "actions": ["a"], "before": "<page>\n</page>", "after": "<page>\n</page>", "ended": True,
    }  # fmt: skip


def parts() -> list[str]:
    found = []
    for head in list_templates():
        if head != "card":
            found += [f"{head}.{part}" for part in templates._load(head).blocks]
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", parts())
def test_every_part_renders_and_tells_no_secret(name: str, family: str) -> None:
    text = render(name, **values(card_of(family)))
    assert text.strip()
    assert "{{" not in text
    assert "{%" not in text
    assert "None" not in text
    for secret in FITNESS_CODE:
        assert secret not in text


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["reward_writer.user", "reflector.user"])
def test_every_state_variable_stands_in_the_prompt_with_its_shape(name: str, family: str) -> None:
    card = card_of(family)
    text = render(name, **values(card))
    for variable in card.state:
        shape = ", ".join(["n", *map(str, variable.shape)])
        assert f"| `{variable.name}` | [{shape}] | {variable.unit} |" in text
        assert variable.meaning in text
    assert card.fitness in text
    assert card.success in text


@pytest.mark.parametrize("name", ["goal.user", "proposer.user", "decomposer.user", "reward_writer.user"])
def test_every_task_parameter_stands_in_the_prompt_with_its_range(name: str) -> None:
    card = card_of("walker")
    text = render(name, **values(card))
    for param in card.params:
        assert f"| `{param.name}` |" in text
        assert interval(param.low, param.high) in text


def count_tokens(text: str) -> float:
    """Tokens of a prompt for the small model, from above: 3.6 characters a token on English with names (measured 3.9)."""
    return len(text) / 3.6


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", [name for name in list_templates() if name.endswith("_compact")])
def test_compact_prompts_are_short(head: str, family: str) -> None:
    longest = {"goal_compact": ["card", "user"], "reward_writer_compact": ["system", "user"]}.get(
        head, ["system", "user"]
    )
    text = "\n".join(render(f"{head}.{part}", **values(card_of(family))) for part in longest)
    assert count_tokens(text) < 700


def test_the_order_keeps_what_is_constant_first() -> None:
    card = card_of("walker")
    first = render("goal_compact.card", **{**values(card), "text": "one"})
    assert first == render("goal_compact.card", **{**values(card), "text": "two"})
    user = render("goal_compact.user", **{**values(card), "text": "teach it to fly"})
    assert user.index("teach it to fly") > 0.8 * len(user)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("goal.user", text="x")


def test_an_unknown_prompt_or_part_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="there are: card, decomposer"):
        render("gaol.user")
    with pytest.raises(ValueError, match="it has: family, system, user"):
        render("goal.usr")


def test_digests_follow_the_text() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", digest("goal"))
    assert digest("goal") == digest("goal.user")
    assert len({digest(name) for name in list_templates()}) == len(list_templates())


def test_foreign_words_are_not_rendered_and_cannot_leave_their_fence() -> None:
    text = render("goal.user", **{**values(card_of("walker")), "text": '""" {{ card }} {% raw %}' + "x" * 9000})
    assert "{{ card }}" in text
    assert text.count('"""') == 2
    assert len(text) < 12_000


def test_small_helpers() -> None:
    assert [number(value) for value in (0.123456, 3.0, None, float("nan"))] == ["0.1235", "3", "unknown", "unknown"]
    assert percent(0.456) == "45.6%"
    assert percent(None) == "unknown"
    inf = float("inf")
    assert [interval(-inf, inf), interval(0, inf), interval(-inf, 2), interval(0, 1)] == [
        "unbounded", ">= 0", "<= 2", "0 to 1",
    ]  # fmt: skip
    assert brief("One sentence. And another one that is long.", 30) == "One sentence. And another one ..."
    assert brief("A first sentence here. Rest of it", 28) == "A first sentence here."
    assert quoted('a"""b', 3) == '"""a\'\'"""'


def test_action_columns_count_through_vectors() -> None:
    actions = (
        Variable(name="motors", shape=(4,), low=-1, high=1, meaning="torques"),
        Variable(name="brake", low=0, high=1, meaning="brake"),
    )
    card = Card(
        family="f", title="t", text="x", state=(), actions=actions, params=(Parameter(name="p", low=0, high=1, default=0),),
        fitness="a", success="b", horizon=1,
    )  # fmt: skip
    text = render("reward_writer.user", **{**values(card), "card": card})
    assert "`action[:, 0:4]`, motors" in text
    assert "`action[:, 4]`, brake" in text
    assert "`action` has shape [n, 5]" in text
