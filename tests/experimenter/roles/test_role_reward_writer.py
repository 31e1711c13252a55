"""Reward writer: code from a strong model, specifications from a small one, repair, hostile answers, the rule beneath."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace

import pytest
from roles_helpers import SMALL, STRONG, Speak, as_json, make_card, make_task, text_of

from envs.family import Variable
from experimenter.llm.messages import Capabilities
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.evolution import Operator
from experimenter.rewards.specification import parse_specification
from experimenter.roles.candidate import CandidateReport, TermTrack
from experimenter.roles.reward_writer import WriterBrief, repair, strip_fences, write_rewards
from experimenter.roles.signs import list_quantities, score_signs
from experimenter.roles.small_writer import choose_offered, shapes_for, weights_for
from experimenter.sandbox.load import load_code
from experimenter.sandbox.probes import probe
from experimenter.sandbox.screen import screen

CARD = make_card()
TASK = make_task(slope=4.0)
GOOD = """def compute_reward(state, action, next_state):
    climb = 100.0 * (next_state["climbed"] - state["climbed"])
    rolled = -10.0 * next_state["rolled"]
    return climb + rolled, {"climb": climb, "rolled": rolled}
"""
PARENT = CandidateReport(
    label="code-abc",
    digest="abc",
    source="parent_source = 1",
    fate="won",
    operator="fresh",
    steps=100,
    fitness_iqm=0.4,
    terms={"climb": TermTrack.of((0.1, 0.5, 0.9), share=1.0)},
)
MARGINS = {"speed": 1.0, "tilt": -1.5, "climbed": 2.0, "rolled": -3.0, "action": -0.5}


def code(text: str) -> dict[str, str]:
    return {"rationale": "It pays for the way up.", "code": text}


def term(variable: str, shape: str, weight: float) -> dict[str, object]:
    return {"variable": variable, "shape": shape, "weight": weight}


@pytest.mark.parametrize(
    "text", [GOOD, f"```python\n{GOOD}```", f"Here it is:\n```\n{GOOD}", GOOD.replace("\n", "\\n")]
)
def test_code_comes_out_of_its_fences_and_passes_the_screen(text: str, speak: Speak) -> None:
    gateway, _ = speak(code(text))
    (program,) = write_rewards(gateway, TASK, CARD, k=1, step="w").programs
    assert program.source == GOOD
    assert (program.kind, program.model, program.rationale) == (
        RewardKind.CODE,
        "scripted/script",
        "It pays for the way up.",
    )
    assert program.prompt_digest
    screen(program.source, CARD)


def test_the_worked_example_of_the_prompt_keeps_the_prompts_own_rules(speak: Speak) -> None:
    gateway, model = speak(code(GOOD))
    write_rewards(gateway, TASK, CARD, k=1, step="w")
    shown = re.findall(r"```python\n(.*?)```", text_of(model), re.DOTALL)[-1]
    boat = make_card(
        state=(
            Variable(name="position", shape=(2,), unit="m", low=-20, high=20),
            Variable(name="velocity", shape=(2,), unit="m/s", low=-2, high=2),
            Variable(name="tilt", unit="rad", low=-1, high=1),
            Variable(name="pier_distance", unit="m", low=0, high=20),
        ),
        actions=(Variable(name="thrust", shape=(2,), low=-1, high=1),),
    )
    assert probe(load_code(shown, boat, allow_unconfined=True), boat) == ("stay", "fine", "effort")


def test_k_samples_equal_ones_once_and_unusable_ones_as_refusals(speak: Speak) -> None:
    other = GOOD.replace("-10.0", "-20.0")
    gateway, _ = speak(code(GOOD), "prose", code(GOOD), code(other), "prose again")
    brief = WriterBrief(operator=Operator.MUTATE, parents=(PARENT,))
    written = write_rewards(gateway, TASK, CARD, k=4, brief=brief, step="w")
    assert [program.source for program in written.programs] == [GOOD, other]
    assert len(written.refusals) == 1
    assert {program.parents for program in written.programs} == {("abc",)}


def test_each_operator_tells_its_own_story(speak: Speak) -> None:
    told = {}
    other = PARENT.evolve(label="code-other", digest="def", source="other = 2")
    for operator, parents in (
        (Operator.FRESH, ()),
        (Operator.MUTATE, (PARENT,)),
        (Operator.CROSSOVER, (PARENT, other)),
        (Operator.NATIVE, ()),
    ):
        gateway, model = speak(code(GOOD))
        native = "pays the forward speed" if operator is Operator.NATIVE else ""
        brief = WriterBrief(
            operator=operator, parents=parents, lineage=("generation 0, code-a (fresh): bad",), native=native
        )
        write_rewards(gateway, TASK, CARD, k=1, brief=brief, step="w")
        told[operator] = text_of(model)
    assert "a fresh start" in told[Operator.FRESH] and "parent_source = 1" not in told[Operator.FRESH]
    assert "write a better program than the one above" in told[Operator.MUTATE]
    assert "parent_source = 1" in told[Operator.MUTATE] and "term climb" in told[Operator.MUTATE]
    assert "joins the best ideas of both" in told[Operator.CROSSOVER]
    assert "Parent 2: code-other" in told[Operator.CROSSOVER] and "other = 2" in told[Operator.CROSSOVER]
    assert "pays the forward speed" in told[Operator.NATIVE]
    assert "pays the forward speed" not in told[Operator.FRESH]


def test_the_strong_prompt_tells_all_that_a_stranger_needs(speak: Speak) -> None:
    gateway, model = speak(code(GOOD))
    brief = WriterBrief(
        advice="Make the climb term larger.",
        lessons=("(likely) Effort terms stall it.",),
        examples=("fitness 0.7: def compute_reward(...)",),
        feedback="drive gently",
    )
    write_rewards(gateway, TASK, CARD, k=1, brief=brief, step="w")
    told = text_of(model)
    for needed in (
        "def compute_reward(state, action, next_state)",
        "`speed` | [n] | m/s | -5 to 5 | forward speed of the cart",
        "`rays` | [n, 10]",
        "`action[:, 0]`, throttle, -1 to 1",
        "`action` has shape [n, 1]",
        "slope = 4.0",
        "Make the climb term larger.",
        "(likely) Effort terms stall it.",
        "drive gently",
        "fitness 0.7",
        "human-written reward is trained beside yours",
        "axis=1",
        "clip",
    ):
        assert needed in told


def test_a_choice_is_explained_as_a_number(speak: Speak) -> None:
    card = make_card(actions=(Variable(name="gear", unit="choice", low=0, high=3, meaning="0 none, 1 first"),))
    gateway, model = speak(code(GOOD))
    write_rewards(gateway, TASK, card, k=1, step="w")
    assert "`action[:, 0]`, gear, a choice, the option's number as a float: 0 none, 1 first" in text_of(model)


def test_a_refused_program_goes_back_with_the_reason_once(speak: Speak) -> None:
    gateway, model = speak(code(GOOD))
    bad = RewardProgram(kind=RewardKind.CODE, source="import os\n", rationale="r", model="m")
    mended = repair(gateway, bad, "line 1: import of 'os' is not allowed", task=TASK, card=CARD, step="r")
    assert mended is not None
    assert (mended.source, mended.parents) == (GOOD, (bad.digest,))
    assert [message.role for message in model.requests[0].messages] == ["system", "user", "assistant", "user"]
    assert "import of 'os' is not allowed" in text_of(model)


@pytest.mark.parametrize("answers", [(), ("prose", "prose"), (code("import os"),)])
def test_repair_gives_up_quietly_but_not_silently(
    answers: tuple[object, ...], speak: Speak, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, _ = speak(*answers)
    bad = RewardProgram(kind=RewardKind.CODE, source="import os\n", model="m")
    with caplog.at_level(logging.WARNING):
        assert repair(gateway, bad, "no", task=TASK, card=CARD, step="r") is None
    assert ("no_repair" in caplog.text) is (answers != (code("import os"),)), "the same text again is no mend"


def test_a_specification_is_not_sent_back(speak: Speak) -> None:
    gateway, model = speak(code(GOOD))
    program = RewardProgram(kind=RewardKind.SPECIFICATION, source="{}", model="m")
    assert repair(gateway, program, "no", task=TASK, card=CARD, step="r") is None
    assert not model.requests


@pytest.mark.parametrize("gateway_answers", [None, ("chat", "chat"), ("x" * 10_000, "{" * 10_000)])
def test_without_a_usable_answer_the_named_rule_writes(gateway_answers: tuple[str, ...] | None, speak: Speak) -> None:
    gateway = speak(*gateway_answers)[0] if gateway_answers else None
    written = write_rewards(gateway, TASK, CARD, k=1, step="w")
    assert (written.source, [program.model for program in written.programs]) == ("rule:card", ["rule:card"])
    assert written.programs[0].is_baseline
    assert "rule:card" in written.notes[0]


def test_a_small_model_gives_signs_then_terms(speak: Speak) -> None:
    terms = [term("climbed", "progress", 3), term("rolled", "linear", 20), term("tilt", "square", 0.2)]
    gateway, model = speak({"terms": terms}, able=SMALL, margins=MARGINS)
    written = write_rewards(gateway, TASK, CARD, k=1, step="w")
    specification = parse_specification(written.programs[0].source, CARD)
    found = [(t.variable, t.direction, t.shape, t.weight, t.scale) for t in specification.terms]
    # scale: the largest magnitude by the card; progress over 200 steps: 1 / 200
    assert found == [
        ("climbed", "reward", "progress", 3.0, 0.005),
        ("rolled", "penalise", "linear", 20.0, 1.0),
        ("tilt", "penalise", "square", 0.2, 3.0),
    ]
    assert specification.alive_bonus == 0.0
    assert written.programs[0].kind is RewardKind.SPECIFICATION
    assert "rolled -3.0" in written.notes[0]
    assert len(model.requests) == 6, "five quantities (the rays are too many) and one specification"


def test_only_penalties_are_paired_with_a_bonus_for_staying(speak: Speak) -> None:
    margins = {"tilt": -1.0, "speed": -1.0}
    gateway, _ = speak(
        {"terms": [term("tilt", "absolute", 0.3), term("speed", "absolute", 0.1)]}, able=SMALL, margins=margins
    )
    written = write_rewards(gateway, TASK, CARD, k=1, step="w")
    assert json.loads(written.programs[0].source)["alive_bonus"] == 1.0


def test_weights_out_of_their_range_are_moved_into_it(speak: Speak) -> None:
    gateway, _ = speak(
        {"terms": [term("climbed", "progress", 1000), term("rolled", "linear", 0.1)]}, able=SMALL, margins=MARGINS
    )
    specification = parse_specification(write_rewards(gateway, TASK, CARD, k=1, step="w").programs[0].source, CARD)
    assert [one.weight for one in specification.terms] == [5.0, 10.0]


@pytest.mark.parametrize(
    "terms",
    [
        [term("gravity", "linear", 1), term("rolled", "linear", 10)],
        [term("climbed", "square", 1), term("rolled", "linear", 10)],
        [term("climbed", "progress", 1)] * 9,
        [term("climbed", "progress", float("nan")), term("rolled", "linear", 10)],
    ],
)
def test_a_specification_outside_the_offer_falls_back_to_the_rule(terms: list[object], speak: Speak) -> None:
    bad = as_json({"terms": terms})
    gateway, _ = speak(bad, bad, able=SMALL, margins=MARGINS)
    assert write_rewards(gateway, TASK, CARD, k=1, step="w").source == "rule:card"


def test_a_variable_named_twice_counts_once(speak: Speak) -> None:
    gateway, _ = speak(
        {"terms": [term("climbed", "progress", 1), term("climbed", "progress", 4)]}, able=SMALL, margins=MARGINS
    )
    source = json.loads(write_rewards(gateway, TASK, CARD, k=1, step="w").programs[0].source)
    assert [one["variable"] for one in source["terms"]] == ["climbed"]


def test_a_small_model_without_log_probabilities_says_its_signs(speak: Speak) -> None:
    mute = Capabilities(schema=True, context_tokens=4096)
    signs = [{"variable": "climbed", "direction": "reward"}, {"variable": "rolled", "direction": "penalise"}]
    terms = [term("climbed", "progress", 2), term("rolled", "linear", 20)]
    gateway, model = speak({"signs": signs}, {"terms": terms}, able=mute)
    assert write_rewards(gateway, TASK, CARD, k=1, step="w").source == "model"
    assert len(model.requests) == 2


def test_scoring_asks_once_for_twins(speak: Speak) -> None:
    legs = tuple(Variable(name=f"leg{leg}_hip", low=-1, high=1, meaning="angle of the hip") for leg in (1, 2))
    gateway, model = speak(able=SMALL, margins={"leg1 hip": -0.7})
    scored = score_signs(gateway, list_quantities(make_card(state=legs, actions=())), goal="walk", step="w")
    assert [quantity.margin for quantity in scored] == [pytest.approx(-0.7), pytest.approx(-0.7)]
    assert len(model.requests) == 1


def test_what_is_offered_and_in_which_shapes() -> None:
    found = {quantity.name: quantity for quantity in list_quantities(CARD)}
    assert list(found) == ["speed", "climbed", "rolled", "tilt", "action"]
    scored = [replace(quantity, margin=MARGINS[name]) for name, quantity in found.items()]
    offered = {quantity.name: (shapes_for(quantity), weights_for(quantity)) for quantity in choose_offered(scored)}
    assert offered == {
        "climbed": (("progress",), (0.5, 5.0)),
        "speed": (("linear",), (0.5, 5.0)),
        "rolled": (("linear",), (10.0, 40.0)),
        "tilt": (("absolute", "square"), (0.02, 0.5)),
        "action": (("absolute", "square"), (0.02, 0.5)),
    }


def test_fences_are_stripped_and_plain_code_is_left_alone() -> None:
    assert strip_fences("x = 1") == "x = 1\n"
    assert strip_fences("```py\nx = 1\n```\nDone.") == "x = 1\n"
    assert strip_fences('a = "\\n"\nb = 2') == 'a = "\\n"\nb = 2\n'


def test_strong_capabilities_are_what_decides() -> None:
    assert STRONG.code
    assert not SMALL.code
