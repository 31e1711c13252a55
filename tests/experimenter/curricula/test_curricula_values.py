"""The teachers `progress`, `instruction_value` and `value_band`: their rankings by hand, and that they find what can be learnt."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeVar

import numpy as np
import pytest
from curriculum_toys import TARGET, ToyStudent, make_card, make_outcome

from envs.task import ParamValue
from experimenter import registry
from experimenter.curricula.base import Teacher, ValueListener
from experimenter.curricula.instruction_value import InstructionValueTeacher, top_cells
from experimenter.curricula.progress import ProgressTeacher, progress_weights, reweigh
from experimenter.curricula.value_band import ValueBandTeacher, outside
from experimenter.errors import UsageError

T = TypeVar("T")
CHOICES = "count=0|1|2|3"


def make(kind: type[T], *, seed: int = 0, target: dict[str, ParamValue] | None = None, **settings: Any) -> T:
    name = {ProgressTeacher: "progress", InstructionValueTeacher: "instruction_value", ValueBandTeacher: "value_band"}[
        kind
    ]
    made = registry.load("teachers", name)(
        card=make_card(), target=target or {}, settings={"choices": CHOICES, **settings}, seed=seed
    )
    assert isinstance(made, kind)
    return made


def tell(teacher: Teacher, count: int, *successes: int) -> None:
    params: dict[str, ParamValue] = {"height": 0.0, "spacing": 4.0, "count": count}
    for success in successes:
        teacher.update(make_outcome(params, float(success), bool(success)))


def shares(teacher: Teacher, draws: int = 2000) -> list[float]:
    counted = Counter(teacher.sample()["count"] for _ in range(draws))
    return [counted[count] / draws for count in range(4)]


def test_reweighing_stretches_low_success() -> None:
    # p (1 - 0.1) / (p + 0.1 (1 - 2 p)): 0.1 -> 0.09 / 0.18, 0.5 -> 0.45 / 0.5
    assert reweigh(np.array([0.0, 0.1, 0.5, 1.0]), 0.1).tolist() == pytest.approx([0.0, 0.5, 0.9, 1.0])


def test_progress_weights_favour_what_stands_out() -> None:
    assert progress_weights(np.zeros(4)).tolist() == [0.25] * 4
    weights = progress_weights(np.array([0.0, 0.0, 0.0, 0.4]))
    # scores -0.577 (three times) and 1.732: logistic of 4 (score - 0.674)
    high, low = 1 / (1 + np.exp(-4 * (1.7320508 - 0.674))), 1 / (1 + np.exp(-4 * (-0.5773503 - 0.674)))
    assert weights[3] == pytest.approx(high / (high + 3 * low)) and weights[3] > 0.97


def test_progress_goes_where_success_changes_and_leaves_when_it_stops() -> None:
    teacher = make(ProgressTeacher, uniform_share=0.2)
    for count, successes in ((0, [0] * 60), (1, [1] * 60), (2, [0] * 50 + [1] * 10), (3, [0, 1] * 30)):
        tell(teacher, count, *successes)
    assert teacher.progress[0] == teacher.progress[1] == 0.0
    told = shares(teacher)
    assert told[2] > 0.75 and all(0.02 < told[count] < 0.15 for count in (0, 1, 3))
    tell(teacher, 2, *[1] * 400)  # mastered: both means agree again
    assert teacher.progress[2] < 0.01 and shares(teacher)[2] < 0.5


def test_progress_falls_and_rises_alike() -> None:
    teacher = make(ProgressTeacher)
    tell(teacher, 0, *[1] * 60, *[0] * 10)
    tell(teacher, 1, *[1] * 60)
    assert teacher.progress[0] > 0.01 == teacher.progress[1] + 0.01


def test_the_top_share_is_ranked_by_outcome_less_expectation() -> None:
    scores = [(0, 0.1), (1, 0.9), (2, -0.5), (1, 0.4), (3, 0.0), (0, -0.9), (2, 0.4), (3, 0.2)]
    assert top_cells(scores, 0.25) == [1, 2]  # 0.9, then the newer of the two 0.4
    assert top_cells(scores, 1.0) == [1, 2, 1, 3, 0]  # nothing at or below 0
    assert top_cells([(0, -0.1), (1, 0.0)], 0.5) == []


def test_instruction_value_scores_an_episode_against_what_was_expected_before() -> None:
    teacher = make(InstructionValueTeacher, value_weight=0.5)
    tell(teacher, 2, 1, 1, 0)
    # nothing known: 1 - 0; expected 1: 1 - 1; expected 1: 0 - 1
    assert teacher.state()["scores"] == [[2, 1.0], [2, 0.0], [2, -1.0]]
    teacher.hear({"height": 0.0, "spacing": 4.0, "count": 2}, 0.25)
    tell(teacher, 2, 1)
    assert teacher.state()["scores"][-1] == [2, 0.75]


def test_instruction_value_goes_where_success_surprises() -> None:
    teacher = make(InstructionValueTeacher, uniform_share=0.2, top_share=0.1, window=64)
    for _ in range(16):
        tell(teacher, 0, 0)  # hopeless
        tell(teacher, 1, 1)  # mastered
        tell(teacher, 3, 0)
    tell(teacher, 2, *[0] * 10, 1, 0, 0, 1)  # now and then
    told = shares(teacher)
    assert told[2] > 0.4 > max(told[0], told[3])


def test_the_band_is_open_and_the_unknown_lies_in_it() -> None:
    assert [outside(value, 0.05, 0.75) for value in (None, 0.06, 0.74)] == [0.0, 0.0, 0.0]
    assert outside(0.0, 0.05, 0.75) == pytest.approx(0.05) and outside(1.0, 0.05, 0.75) == pytest.approx(0.25)
    assert outside(0.75, 0.05, 0.75) > 0 and outside(0.05, 0.05, 0.75) > 0


def test_the_band_keeps_what_is_solved_now_and_then() -> None:
    teacher = make(ValueBandTeacher, uniform_share=0.0)
    for count, successes in ((0, [0] * 20), (1, [1] * 20), (2, [0, 0, 0, 1]), (3, [0, 1] * 10)):
        tell(teacher, count, *successes)
    told = shares(teacher)
    assert told[0] == told[1] == 0.0 and told[2] == pytest.approx(0.5, abs=0.05)


def test_an_empty_band_gives_the_nearest_task() -> None:
    teacher = make(ValueBandTeacher, uniform_share=0.0)
    for count, value in ((0, 0.0), (1, 1.0), (2, 0.8), (3, 1.0)):
        teacher.hear({"height": 0.0, "spacing": 4.0, "count": count}, value)
    # 0.05 and 0.05 away: count 0 and count 2
    told = shares(teacher)
    assert told[1] == told[3] == 0.0 and told[0] + told[2] == 1.0


def test_what_the_student_says_goes_before_its_successes() -> None:
    teacher = make(ValueBandTeacher, uniform_share=0.0)
    assert isinstance(teacher, ValueListener) and not isinstance(make(ProgressTeacher), ValueListener)
    for count in range(4):
        tell(teacher, count, 0, 1)
        teacher.hear({"height": 0.0, "spacing": 4.0, "count": count}, 0.4 if count == 1 else 0.9)
    assert shares(teacher)[1] == 1.0


def test_a_band_the_wrong_way_round_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"low = 0\.8 is not below high = 0\.75"):
        make(ValueBandTeacher, low=0.8)


@pytest.mark.parametrize("name", ["progress", "instruction_value", "value_band"])
def test_a_share_of_the_episodes_is_the_target(name: str) -> None:
    settings = {"target_share": 0.5}
    teacher: Teacher = registry.load("teachers", name)(card=make_card(), target=TARGET, settings=settings, seed=0)
    assert 0.45 < sum(teacher.sample() == TARGET for _ in range(1000)) / 1000 < 0.55


@pytest.mark.parametrize("name", ["progress", "instruction_value", "value_band"])
def test_a_toy_student_masters_more_than_with_uniform_tasks(name: str) -> None:
    """15 of 64 cells can be learnt, one after the other; see curriculum_toys.py."""
    mastered = {}
    for teacher_name, settings in (("uniform", {}), (name, {"bins": 8, "signal": "fitness"})):
        totals = []
        for seed in range(3):
            teacher: Teacher = registry.load("teachers", teacher_name)(
                card=make_card(), target=TARGET, settings=settings, seed=seed
            )
            student = ToyStudent()
            for _ in range(1500):
                teacher.update(student.attempt(teacher.sample()))
            totals.append(student.mastered)
        mastered[teacher_name] = sum(totals)
    assert mastered[name] > mastered["uniform"]
