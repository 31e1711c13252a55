"""Lessons are graded by what their readers' children did."""

from __future__ import annotations

import pytest

from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.evolution import Individual
from experimenter.rewards.lessons import FIRM, LIKELY, TENTATIVE, WITHDRAWN, grade_of, weigh


@pytest.mark.parametrize(
    ("support", "against", "grade"),
    [
        (0, 0, TENTATIVE), (1, 0, TENTATIVE), (2, 0, LIKELY), (2, 2, TENTATIVE), (3, 1, LIKELY), (4, 0, FIRM), (4, 2, LIKELY),
        (6, 2, FIRM), (0, 1, TENTATIVE), (0, 2, WITHDRAWN), (3, 5, WITHDRAWN), (3, 4, TENTATIVE),
    ],
)  # fmt: skip
def test_grades(support: int, against: int, grade: str) -> None:
    assert grade_of(support, against) == grade


def make(text: str, fitness: float | None, *parents: Individual, steps: int = 100, flagged: bool = False) -> Individual:
    digests = tuple(parent.digest for parent in parents)
    program = RewardProgram(kind=RewardKind.CODE, source=text, model="m", parents=digests)
    return Individual(program=program, fitness=fitness, steps=steps, flagged=flagged, generation=len(parents) and 1)


def test_children_speak_for_and_against_what_they_were_told() -> None:
    parent, weak = make("p", 0.5), make("w", 0.1)
    better, worse = make("b", 0.6, parent), make("c", 0.4, parent)
    early = make("e", 0.9, parent, steps=10)
    mixed, equal, broken = make("m", 0.3, parent, weak), make("q", 0.5, parent), make("x", None, parent)
    farmed = make("f", 0.9, parent, flagged=True)
    orphan = make("o", 0.9)
    everybody = [better, worse, early, mixed, equal, broken, farmed, orphan]
    population = {one.digest: one for one in [parent, weak, *everybody]}
    told = {one.digest: ["lesson"] for one in everybody}
    said = {one.child: (one.support, one.against) for one in weigh(everybody, population, told)}
    assert said == {
        better.digest: (1, 0),
        worse.digest: (0, 1),
        early.digest: (0, 1),  # thrown out earlier than its parent, whatever its fitness then
        mixed.digest: (0, 1),  # measured against the better parent
        farmed.digest: (0, 1),
    }
    assert weigh([better], population, {}) == []
