"""Lessons about rewards, graded by what happened to those who were told them. Pure functions.

A lesson is learnt from a program and told to the writers of its children. A child that beats its parent speaks for the lessons that it
was told, one that does worse speaks against them. Grades: tentative, likely (spoken for twice), firm (four times, three in four for it),
withdrawn (spoken against twice more than for it). A withdrawn lesson is no longer told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experimenter.records import Record
from experimenter.rewards.evolution import Individual

TENTATIVE, LIKELY, FIRM, WITHDRAWN = "tentative", "likely", "firm", "withdrawn"
GRADES = (FIRM, LIKELY, TENTATIVE, WITHDRAWN)


class Weighing(Record):
    """What one child says of a lesson."""

    lesson: str
    """Key."""
    child: str
    """Digest."""
    support: int
    against: int


def grade_of(support: int, against: int) -> str:
    """The grade that the counts give."""
    if against >= support + 2:
        return WITHDRAWN
    if support >= 4 and support >= 3 * against:
        return FIRM
    return LIKELY if support >= 2 and support > against else TENTATIVE


def weigh(
    children: Sequence[Individual], population: Mapping[str, Individual], told: Mapping[str, Sequence[str]]
) -> list[Weighing]:
    """Let every trained child with trained parents weigh the lessons that it was told (`told`: child digest -> keys).

    Better or worse is by how far the race let it come first, then by fitness, both against its best parent; a tie says nothing.
    A program that the audit suspects speaks against what it was told.
    """
    found = []
    for child in children:
        parents = [population[one] for one in child.program.parents if one in population and population[one].is_parent]
        if child.fitness is None or not parents:
            continue
        best = max(parents, key=_standing)
        better = _standing(child) > _standing(best) and not child.flagged
        worse = _standing(child) < _standing(best) or child.flagged
        if better or worse:
            found += [
                Weighing(lesson=key, child=child.digest, support=int(better), against=int(worse))
                for key in told.get(child.digest, ())
            ]
    return found


def _standing(one: Individual) -> tuple[int, float]:
    return one.steps, one.fitness if one.fitness is not None else float("-inf")
