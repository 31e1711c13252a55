"""Reward specifications: every shape worked out by hand, and the compiled form equal to the written one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from toy_worlds import make_toy_card

from envs.family import Card, Variable
from experimenter.errors import ProgramRefused
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.program import compile_program
from experimenter.rewards.specification import (
    compile_specification,
    describe,
    parse_specification,
    rule_specification,
    to_code,
)
from experimenter.sandbox.check import check_program
from experimenter.sandbox.probes import make_transition
from prompts.specification import Gate, RewardSpecification, RewardTerm, Shape


def make_term(**overrides: Any) -> RewardTerm:
    values = {"variable": "position", "direction": "reward", "shape": "linear", "weight": 2.0}
    return RewardTerm.model_validate({**values, **overrides})


def make_specification(*terms: RewardTerm, alive_bonus: float = 0.0) -> RewardSpecification:
    return RewardSpecification(terms=terms or (make_term(),), alive_bonus=alive_bonus)


BEFORE = {"position": np.array([1.0, 3.0]), "pair": np.array([[1.0, -1.0], [3.0, -3.0]])}
AFTER = {"position": np.array([2.0, 6.0]), "pair": np.array([[2.0, -2.0], [6.0, -6.0]])}
ACTION = np.array([[0.5], [-1.0]])


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        # u = (value - 4) / 2 is -1 and 1; weight 2
        (make_term(target=4, scale=2), [-2.0, 2.0]),
        (make_term(target=4, scale=2, direction="penalise"), [2.0, -2.0]),
        (make_term(target=4, scale=2, shape="absolute"), [2.0, 2.0]),
        (make_term(target=4, scale=2, shape="square"), [2.0, 2.0]),
        (make_term(target=4, scale=2, shape="gaussian"), [2 * 0.6065306597, 2 * 0.6065306597]),
        (make_term(target=4, scale=2, shape="bounded"), [2 * -0.7615941560, 2 * 0.7615941560]),
        (make_term(target=4, shape="indicator"), [0.0, 2.0]),
        # progress: (2 - 1) / 2 and (6 - 3) / 2, times 2
        (make_term(scale=2, shape="progress"), [1.0, 3.0]),
        # a vector is shaped, then averaged: (4 + 4) / 2 and (36 + 36) / 2
        (make_term(variable="pair", shape="square", weight=1), [4.0, 36.0]),
        (make_term(variable="pair", index=1, weight=1), [-2.0, -6.0]),
        (make_term(variable="action", shape="square", weight=1, direction="penalise"), [-0.25, -1.0]),
        (make_term(variable="action", index=0, weight=1), [0.5, -1.0]),
        (make_term(gate=Gate(variable="pair", index=0, side="above", threshold=3)), [0.0, 12.0]),
        (make_term(gate=Gate(variable="position", side="below", threshold=3)), [4.0, 0.0]),
    ],
)
def test_terms_by_hand(term: RewardTerm, expected: list[float]) -> None:
    reward, terms = compile_specification(make_specification(term), make_toy_card())(BEFORE, ACTION, AFTER)
    assert np.allclose(reward, expected, atol=1e-9)
    (values,) = terms.values()
    assert np.allclose(values, expected, atol=1e-9)


def test_terms_add_up_with_the_alive_bonus() -> None:
    specification = make_specification(make_term(), make_term(direction="penalise", weight=1), alive_bonus=0.5)
    reward, terms = compile_specification(specification, make_toy_card())(BEFORE, ACTION, AFTER)
    assert reward.tolist() == [2.5, 6.5]  # 2p - p + 0.5
    assert list(terms) == ["position_linear", "position_linear_2", "alive"]
    assert terms["alive"].tolist() == [0.5, 0.5]


SHAPES: list[Shape] = ["linear", "absolute", "square", "gaussian", "bounded", "indicator", "progress"]


@pytest.mark.parametrize("with_card", [False, True])
def test_written_code_equals_the_compiled_form(with_card: bool) -> None:
    """The readable Python passes the screen and pays the same as the compiled terms, for every shape, gate and index."""
    card = make_toy_card()
    gates = [
        None,
        Gate(variable="pair", side="above", threshold=-0.5),
        Gate(variable="position", side="below", threshold=4),
    ]
    transition = make_transition(card, 16, np.random.default_rng(1))
    for variable, index in (("position", None), ("pair", None), ("pair", 1), ("action", None)):
        for number, shape in enumerate(SHAPES):
            if variable == "action" and shape == "progress":
                continue
            term = make_term(
                variable=variable, index=index, shape=shape, target=-1.5, scale=3.0, weight=0.7, gate=gates[number % 3],
                direction="penalise" if number % 2 else "reward",
            )  # fmt: skip
            specification = make_specification(term, alive_bonus=0.25)
            source = to_code(specification, card if with_card else None)
            written = compile_program(RewardProgram(kind=RewardKind.CODE, source=source), card, allow_unconfined=True)
            text = specification.to_json()
            compiled = compile_program(RewardProgram(kind=RewardKind.SPECIFICATION, source=text), card)
            arguments = (transition.state, transition.action, transition.next_state)
            (a, a_terms), (b, b_terms) = written(*arguments), compiled(*arguments)
            assert np.allclose(a, b, rtol=1e-12)
            assert list(a_terms) == list(b_terms)


def test_json_is_canonical() -> None:
    specification = make_specification(make_term())
    assert specification.to_json() == '{"terms":[{"direction":"reward","variable":"position","weight":2.0}]}'
    assert RewardSpecification.from_json(specification.to_json()) == specification
    spelt_out = RewardSpecification.from_json(specification.model_dump_json())
    assert spelt_out.to_json() == specification.to_json()


@pytest.mark.parametrize(
    "bad",
    [
        {"weight": 0},
        {"weight": float("nan")},
        {"weight": 101},
        {"scale": 0},
        {"shape": "cubic"},
        {"direction": "+"},
        {"more": 1},
    ],
)
def test_bounds_of_a_term(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_term(**bad)


def test_one_to_six_terms() -> None:
    for count in (0, 7):
        with pytest.raises(ValidationError):
            RewardSpecification(terms=(make_term(),) * count)


@pytest.mark.parametrize(
    ("term", "says"),
    [
        (make_term(variable="positon"), r"term 1: no variable 'positon'. Did you mean 'position'\?"),
        (make_term(variable="pair", index=2), "the index can be 0 to 1"),
        (make_term(index=0), "not a vector"),
        (make_term(gate=Gate(variable="speed", side="above", threshold=0)), "the gate of term 1: no variable 'speed'"),
    ],
)
def test_names_are_held_against_the_card(term: RewardTerm, says: str) -> None:
    with pytest.raises(ProgramRefused, match=says):
        parse_specification(make_specification(term).to_json(), make_toy_card())


def test_description_in_words() -> None:
    gate = Gate(variable="position", side="below", threshold=3)
    terms = (make_term(), make_term(variable="pair", index=1, shape="square", direction="penalise", gate=gate))
    assert describe(make_specification(*terms, alive_bonus=1)) == (
        "Rewards position (weight 2). Penalises the squared distance of pair[1] from 0 (weight 2), "
        "only while position is below 3. Pays 1 for every step in the episode."
    )


def make_card(*state: Variable, **overrides: Any) -> Card:
    return make_toy_card(state=state, **overrides)


SPEED = Variable(name="vx", unit="m/s", low=-4, high=8, meaning="forward speed of the body")
FALLEN = Variable(name="fallen", low=0, high=1, meaning="1 when it has fallen, else 0")
TILT = Variable(name="roll", unit="rad", low=-3, high=3, meaning="tilt of the body, 0 is level")
TURNING = Variable(name="spin", unit="rad/s", low=-9, high=9, meaning="how fast the tilt grows")


def rule_terms(card: Card) -> list[tuple[str, str, str]]:
    program = rule_specification(card)
    assert program.kind is RewardKind.SPECIFICATION
    assert program.model == "rule:card"
    assert program.is_baseline
    terms = parse_specification(program.source, card).terms
    return [(term.direction, term.variable, term.shape) for term in terms]


def test_rule_reads_words_and_ranges() -> None:
    assert rule_terms(make_card(TURNING, TILT, SPEED, FALLEN)) == [
        ("reward", "vx", "linear"),
        ("penalise", "fallen", "linear"),
        ("penalise", "roll", "square"),
        ("penalise", "action", "square"),
    ]


def test_rule_falls_back_step_by_step() -> None:
    distance = Variable(name="gap", unit="m", low=0, high=9, meaning="distance to the goal")
    height = Variable(name="tip", unit="m", low=-2, high=2, meaning="height of the tip")
    choice = (Variable(name="push", unit="choice", low=0, high=1),)
    nothing = Variable(name="q", low=0, high=1)
    assert rule_terms(make_card(distance, height))[0] == ("penalise", "gap", "absolute")
    assert rule_terms(make_card(height, actions=choice)) == [("reward", "tip", "linear")]
    assert rule_terms(make_card(nothing, actions=choice)) == [("penalise", "q", "absolute")]


def test_rule_pays_for_staying_only_when_that_is_the_task() -> None:
    standing = make_card(TILT, success="the pole stays upright")
    walking = make_card(TILT, SPEED, success="it stays upright and walks")
    assert parse_specification(rule_specification(standing).source, standing).alive_bonus == 1.0
    assert parse_specification(rule_specification(walking).source, walking).alive_bonus == 0.0


@pytest.mark.parametrize("family", ["walker", "gym:CartPole-v1", "gym:Pendulum-v1"])
def test_rule_makes_a_valid_program_for_real_families(family: str) -> None:
    from envs.catalog import get_family

    card = get_family(family).card()
    report = check_program(rule_specification(card), card)
    assert report.ok, report.reason
