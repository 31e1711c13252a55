"""Proposer and decomposer: rules by hand-worked numbers, models that obey, models that do not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from roles_helpers import SMALL, Speak, full, make_card, make_goal, make_skill, make_task, params_list, text_of

from envs.task import ParamValue
from experimenter.records import GoalKind, Proposal
from experimenter.roles import ability
from experimenter.roles.decomposer import decompose, rule_halving
from experimenter.roles.proposer import TaskBrief, propose, rule_next_step

CARD = make_card()
GOAL = make_goal()  # slope 8, four natural steps of 2 from the plain task
OPEN = make_goal(kind=GoalKind.OPEN)


def failed(**params: float) -> TaskBrief:
    return TaskBrief(params=full(**params), state="dropped", decision="drop", success_rate=0.0, fitness_iqm=0.1)


def slopes(proposals: Sequence[Proposal]) -> list[ParamValue]:
    return [proposal.params["slope"] for proposal in proposals]


def test_distance_counts_natural_steps_along_the_worst_axis() -> None:
    assert ability.distance(CARD, full(), full(slope=8.0)) == 4.0
    assert ability.distance(CARD, full(), full(slope=2.0, ice=0.75)) == 3.0
    assert ability.distance(CARD, full(), full(load=8)) == 2.0  # no axis: a quarter of 0 to 8 is one unit
    assert ability.toward(CARD, full(), full(slope=8.0, ice=1.0), 0.25) == full(slope=2.0, ice=0.25)


def test_with_nothing_known_the_rule_proposes_the_target_then_shorter_ways() -> None:
    found = rule_next_step(GOAL, CARD, skills=(), history=(), n=3)
    assert slopes(found) == [8.0, 2.0, 4.0]
    assert {proposal.source for proposal in found} == {"rule:next_step"}


def test_from_a_certified_task_the_rule_takes_one_natural_step() -> None:
    found = rule_next_step(GOAL, CARD, skills=[make_skill(slope=2.0)], history=(), n=2)
    assert slopes(found) == [4.0, 6.0]


def test_the_rule_proposes_the_target_when_it_is_a_step_away() -> None:
    assert slopes(rule_next_step(GOAL, CARD, skills=[make_skill(slope=6.0)], history=())) == [8.0]


def test_after_a_failed_step_the_stride_is_halved() -> None:
    found = rule_next_step(GOAL, CARD, skills=[make_skill(slope=2.0)], history=[failed(slope=4.0)], n=2)
    assert slopes(found) == [3.0, 2.5]


def test_after_a_failed_target_the_plain_task_comes_first() -> None:
    assert slopes(rule_next_step(GOAL, CARD, skills=(), history=[failed(slope=8.0)], n=2)) == [0.0, 2.0]


def test_a_skill_without_the_evidence_is_no_foothold() -> None:
    assert slopes(rule_next_step(GOAL, CARD, skills=[make_skill(slope=6.0, low=0.3)], history=())) == [8.0]


def test_an_open_goal_goes_just_beyond_what_is_certified_along_each_axis() -> None:
    found = rule_next_step(OPEN, CARD, skills=[make_skill(slope=2.0)], history=(), n=3)
    assert [proposal.params for proposal in found] == [full(slope=4.0), full(slope=2.0, ice=0.25), full(slope=6.0)]
    assert rule_next_step(OPEN, CARD, skills=(), history=())[0].params == full()


def test_nothing_is_proposed_twice() -> None:
    history = [TaskBrief(params=full(slope=8.0), state="certified")]
    assert rule_next_step(make_goal(target=full(slope=8.0)), CARD, skills=(), history=history) == []


def test_a_strong_model_proposes_freely_within_the_ranges(speak: Speak) -> None:
    tasks = [
        {"reason": "new", "params": params_list(slope=99, ice=0.5)},
        {"reason": "again", "params": params_list(slope=2)},
    ]
    gateway, model = speak({"tasks": tasks})
    found = propose(gateway, GOAL, CARD, skills=[make_skill(slope=2.0)], history=(), n=2, step="p")
    assert [(proposal.params, proposal.source) for proposal in found] == [(full(slope=10.0, ice=0.5), "model")]
    assert "skill: slope = 2.0" in text_of(model)


def test_repeats_alone_fall_back_to_the_rule(speak: Speak) -> None:
    gateway, _ = speak({"tasks": [{"reason": "again", "params": params_list(slope=2)}]})
    found = propose(gateway, GOAL, CARD, skills=[make_skill(slope=2.0)], history=(), step="p")
    assert (found[0].params["slope"], found[0].source) == (4.0, "rule:next_step")


def test_a_task_that_still_improved_may_be_proposed_again(speak: Speak) -> None:
    gateway, _ = speak({"tasks": [{"reason": "train on", "params": params_list(slope=4)}]})
    history = [TaskBrief(params=full(slope=4.0), state="dropped", decision="extend")]
    assert propose(gateway, GOAL, CARD, skills=(), history=history, step="p")[0].source == "model"


def test_a_small_model_chooses_among_the_rules_options(speak: Speak) -> None:
    gateway, model = speak({"choice": "B", "reason": "a longer step"}, able=SMALL)
    found = propose(gateway, GOAL, CARD, skills=[make_skill(slope=2.0)], history=(), n=2, step="p")
    assert [(p.params["slope"], p.source) for p in found] == [(6.0, "model"), (4.0, "rule:next_step")]
    assert len(text_of(model)) < 2000


def test_a_letter_that_is_no_option_falls_back(speak: Speak) -> None:
    gateway, _ = speak(*[{"choice": "Z", "reason": "?"}] * 2, able=SMALL)
    assert propose(gateway, GOAL, CARD, skills=(), history=(), step="p")[0].source == "rule:next_step"


def test_halving_from_the_plain_task() -> None:
    # 4 steps away: the plain task, half of the way (4), three quarters (6: one step left), the task
    found = rule_halving(GOAL, make_task(slope=8.0), CARD, skills=())
    assert [subgoal.params["slope"] for subgoal in found] == [0.0, 4.0, 6.0, 8.0]
    assert {subgoal.source for subgoal in found} == {"rule:halving"}


def test_halving_from_what_is_certified() -> None:
    found = rule_halving(GOAL, make_task(slope=8.0), CARD, skills=[make_skill("low", slope=4.0)])
    assert [subgoal.params["slope"] for subgoal in found] == [6.0, 8.0]


@pytest.mark.parametrize("slope", [0.0, 2.0])
def test_an_easy_task_is_not_split(slope: float) -> None:
    assert len(rule_halving(GOAL, make_task(slope=slope), CARD, skills=())) == 1


def test_a_model_cannot_claim_a_skill_that_the_evidence_does_not_cover(speak: Speak) -> None:
    steps = [
        {"text": "flat", "params": [], "skill": "walks"},
        {"text": "half", "params": params_list(slope=4), "skill": "walks"},
        {"text": "beyond", "params": params_list(slope=40), "skill": ""},
    ]
    gateway, _ = speak({"subgoals": steps})
    skills = [make_skill("walks", slope=0.0)]
    found = decompose(gateway, GOAL, make_task(slope=8.0), CARD, skills=skills, step="d")
    assert [(s.params["slope"], s.skill_id) for s in found] == [(0.0, "walks"), (4.0, None), (10.0, None), (8.0, None)]


def test_the_task_itself_is_always_last_and_there_are_at_most_four(speak: Speak) -> None:
    steps = [{"text": str(slope), "params": params_list(slope=slope), "skill": ""} for slope in (1, 2, 3, 4)]
    gateway, _ = speak({"subgoals": steps})
    found = decompose(gateway, GOAL, make_task(slope=8.0), CARD, skills=(), step="d")
    assert [subgoal.params["slope"] for subgoal in found] == [1.0, 2.0, 3.0, 8.0]


def test_what_follows_the_task_is_dropped(speak: Speak) -> None:
    steps = [{"text": str(slope), "params": params_list(slope=slope), "skill": ""} for slope in (8, 9)]
    gateway, _ = speak({"subgoals": steps})
    assert len(decompose(gateway, GOAL, make_task(slope=8.0), CARD, skills=(), step="d")) == 1


def test_a_region_of_evidence_counts_as_ability() -> None:
    skill = make_skill(slope=2.0).evolve(region={"slope": (0.0, 5.0)})
    assert ability.covers(skill, CARD, full(slope=4.0))
    assert not ability.covers(skill, CARD, full(slope=4.0, ice=0.25))


def test_a_small_model_chooses_a_plan_and_is_not_asked_when_there_is_one(speak: Speak) -> None:
    gateway, model = speak({"choice": "C", "reason": "far"}, able=SMALL)
    found = decompose(gateway, GOAL, make_task(slope=8.0), CARD, skills=(), step="d")
    assert [subgoal.params["slope"] for subgoal in found] == [0.0, 4.0, 8.0]
    assert len(decompose(gateway, GOAL, make_task(slope=2.0), CARD, skills=(), step="e")) == 1
    assert len(model.requests) == 1


@pytest.mark.parametrize("role", ["propose", "decompose"])
def test_prose_instead_of_json_falls_back(role: str, speak: Speak) -> None:
    gateway, _ = speak("I would rather chat.", "Still chatting. " * 700)
    if role == "propose":
        assert propose(gateway, GOAL, CARD, skills=(), history=(), step="p")[0].source == "rule:next_step"
    else:
        assert decompose(gateway, GOAL, make_task(slope=8.0), CARD, skills=(), step="d")[0].source == "rule:halving"
