"""Proposals become tasks or refusals with reasons."""

from __future__ import annotations

from envs.catalog import get_family
from experimenter.records import Goal, Proposal
from experimenter.research.admission import admit_proposal

GOAL = Goal(text="cross stumps", family="walker", horizon=1600)
FLAT = get_family("walker").resolve_task({}, horizon=1600)


def propose(**params: float) -> Proposal:
    return Proposal(params=dict(params), reason="because", source="model")


def test_a_new_task_within_bounds_is_admitted_with_all_parameters() -> None:
    task = admit_proposal(propose(stump_height=0.5), GOAL, [FLAT], seed=3).task
    assert task is not None
    assert (task.params["stump_height"], task.params["roughness"], task.horizon, task.seed) == (0.5, 0.0, 1600, 3)


def test_a_known_task_or_one_too_near_is_refused_by_name() -> None:
    assert FLAT.digest[:6] in admit_proposal(propose(), GOAL, [FLAT]).reason
    near = admit_proposal(propose(stump_height=0.05), GOAL, [FLAT])  # 0.05 of a range of 3 is below 2%
    assert near.task is None
    assert admit_proposal(propose(stump_height=0.07), GOAL, [FLAT]).task is not None


def test_what_the_family_refuses_is_refused_in_its_words() -> None:
    assert "stump_height" in admit_proposal(propose(stump_height=9.0), GOAL, []).reason
    assert "wings" in admit_proposal(propose(wings=2.0), GOAL, []).reason
