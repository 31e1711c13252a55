"""The self-evolving teacher: what failures and successes seed, what is kept, and that nothing unsolvable stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from curriculum_toys import make_card, make_outcome

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.curricula.evolve import EvolveSettings, EvolveTeacher, Params, make_teacher, parse_proposals
from experimenter.curricula.space import make_space
from experimenter.errors import UsageError
from experimenter.roles.task_evolver import write_proposals

TARGET: dict[str, ParamValue] = {"height": 2.0}


class Proofs:
    """Records what it is asked to prove and answers from a rule."""

    def __init__(self, verdict: bool | None = True) -> None:
        self.asked: list[Params] = []
        self.verdict = verdict

    def __call__(self, tasks: Sequence[Params]) -> list[bool | None]:
        self.asked += [dict(task) for task in tasks]
        return [self.verdict if float(task["count"]) < 9 else False for task in tasks]


def near(params: Params) -> list[Params]:
    """One task near: the next count."""
    return [{**params, "count": int(params["count"]) + 1}]


def make(proofs: Proofs, proposals: Sequence[Params] = (), **settings: Any) -> EvolveTeacher:
    given = {"episodes": 4, "evolve_every": 4, "neighbours": False, **settings}
    checked = EvolveSettings(**given)
    return EvolveTeacher(make_space(make_card(), TARGET), proposals, checked, 0, near=near, prove=proofs)


def tell(teacher: EvolveTeacher, height: float, *successes: int, count: int = 3) -> None:
    params: dict[str, ParamValue] = {"height": height, "spacing": 4.0, "count": count}
    for success in successes:
        teacher.update(make_outcome(params, float(success), bool(success)))


def heights(teacher: EvolveTeacher) -> list[float]:
    return sorted(float(one.params["height"]) for one in teacher.pool.values())


def test_it_begins_with_the_target_and_the_easy_task() -> None:
    teacher = make(Proofs())
    assert [(one.source, one.params["height"]) for one in teacher.pool.values()] == [("target", 2.0), ("easy", 0.0)]


def test_a_failed_task_seeds_one_natural_step_back() -> None:
    """The card's step of height is 0.5."""
    proofs = Proofs()
    teacher = make(proofs)
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert heights(teacher) == [0.0, 1.5, 2.0] and [task["height"] for task in proofs.asked] == [1.5]
    new = next(one for one in teacher.pool.values() if one.source == "back")
    assert new.proof == "oracle"
    tell(teacher, 1.5, 0, 0, 0, 0)
    assert heights(teacher) == [0.0, 1.0, 1.5, 2.0]


def test_a_mastered_task_seeds_one_step_on_and_one_in_the_band_none() -> None:
    teacher = make(Proofs())
    tell(teacher, 0.0, 1, 1, 1, 1)
    assert heights(teacher) == [0.0, 0.5, 2.0]
    tell(teacher, 0.5, 1, 0, 1, 0)
    assert heights(teacher) == [0.0, 0.5, 2.0]


def test_a_failed_task_seeds_its_neighbours_and_refuted_ones_are_never_asked_again() -> None:
    proofs = Proofs()
    teacher = make(proofs, neighbours=True)
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert [(task["height"], task["count"]) for task in proofs.asked] == [(1.5, 3), (2.0, 4)]
    refuting = Proofs()
    teacher = make(refuting, [{"height": 1.0, "spacing": 4.0, "count": 9}] * 2)
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert {"height": 1.0, "spacing": 4.0, "count": 9} not in [one.params for one in teacher.pool.values()]
    teacher._pending = [{"height": 1.0, "spacing": 4.0, "count": 9}]
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert sum(task["count"] == 9 for task in refuting.asked) == 1


def test_a_task_without_proof_stays_only_if_a_run_solves_it() -> None:
    teacher = make(Proofs(None), trial=6)
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert [one.proof for one in teacher.pool.values()] == ["given", "given", ""]
    tell(teacher, 1.5, 0, 0, 0, 0, 0, 1)  # at the last episode of its trial
    assert next(one for one in teacher.pool.values() if one.params["height"] == 1.5).proof == "run"
    teacher = make(Proofs(None), trial=6)
    tell(teacher, 2.0, 0, 0, 0, 0)
    tell(teacher, 1.5, 0, 0, 0, 0, 0, 0)
    assert 1.5 not in heights(teacher)
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert 1.5 not in heights(teacher)  # it has had its chance


def test_it_samples_the_target_the_new_and_what_lies_in_the_band() -> None:
    teacher = make(Proofs(), target_share=0.2)
    tell(teacher, 0.0, 1, 1, 1, 1)
    tell(teacher, 2.0, 0, 0, 0, 0)
    tell(teacher, 0.5, 1, 0, 1, 0)
    tell(teacher, 1.5, 0, 0, 0, 0)
    drawn = [float(teacher.sample()["height"]) for _ in range(4000)]
    # pool: 0 mastered, 2 failed, 0.5 in the band, 1.5 failed, 1.0 new: weights 1 1 4 1 4 of 11
    expected = {0.0: 0.8 / 11, 2.0: 0.2 + 0.8 / 11, 0.5: 3.2 / 11, 1.5: 0.8 / 11, 1.0: 3.2 / 11}
    for height, share in expected.items():
        assert drawn.count(height) / 4000 == pytest.approx(share, abs=0.03)


def test_the_pool_is_thinned_but_keeps_target_and_easy_task() -> None:
    proposals: list[Params] = [{"height": place / 10, "spacing": 4.0, "count": 3} for place in range(1, 12)]
    teacher = make(Proofs(), proposals, most=6)
    tell(teacher, 2.0, 0, 0, 0, 0)
    assert len(teacher.pool) == 6 and {"target", "easy"} <= {one.source for one in teacher.pool.values()}


def test_it_goes_on_bit_for_bit_from_its_state() -> None:
    one, other = make(Proofs()), make(Proofs())
    tell(one, 2.0, 0, 0, 0, 0, 0)
    other.load_state(json.loads(json.dumps(one.state())))
    for teacher in (one, other):
        tell(teacher, 1.5, 0, 0, 0, 0)
    assert one.state() == other.state()
    assert [one.sample() for _ in range(20)] == [other.sample() for _ in range(20)]


def test_proposals_are_read_over_the_target_and_written_back() -> None:
    card = make_card()
    read = parse_proposals(card, TARGET, "height=1.5,count=4; spacing=2")
    assert read == [
        {"height": 1.5, "spacing": 4.0, "count": 4},
        {"height": 2.0, "spacing": 2.0, "count": 3},
    ]
    assert parse_proposals(card, TARGET, write_proposals(card, read)) == read
    with pytest.raises(UsageError, match="Did you mean 'height'"):
        parse_proposals(card, TARGET, "hight=1")


def test_on_web_it_moves_along_prefilled_steps() -> None:
    """No browser: nothing is proven before a generation is made."""
    card = get_family("web").card()
    teacher = make_teacher(card, {}, {"start": "prefilled=2"}, 0)
    assert isinstance(teacher, EvolveTeacher)
    assert {(one.source, one.params["prefilled"]) for one in teacher.pool.values()} == {("target", 0), ("easy", 2)}
    target = next(one for one in teacher.pool.values() if one.source == "target")
    assert [task["prefilled"] for task in teacher._moves(target.params, -1)] == [1]
    unasked = make_teacher(card, {"page_size": 10}, {}, 0)
    assert isinstance(unasked, EvolveTeacher)
    ends = {one.source: (one.params["prefilled"], one.params["page_size"]) for one in unasked.pool.values()}
    assert ends == {"target": (0, 10), "easy": (3, 0)}
