"""A toy card and a toy student (after TeachDeepRL's toy environment) that exercise any teacher in seconds, no physics.

The student's world is a square grid of cells over the two task axes. Only a corridor of cells can be learnt, one after the
other: a cell unlocks when its predecessor is three quarters mastered. All else never pays.
"""

from __future__ import annotations

from collections.abc import Mapping

from envs.family import Card, EpisodeOutcome, Parameter
from envs.task import ParamValue

CELLS = 8
VISITS = 20
"""Visits that master a cell."""


def make_card() -> Card:
    """Two real axes from 0 to 4 (one of which is harder downwards) and a whole-number one."""
    return Card(
        family="toy",
        title="Toy",
        text="A grid of cells.",
        state=(),
        actions=(),
        params=(
            Parameter(name="height", low=0.0, high=4.0, default=0.0, step=0.5),
            Parameter(name="spacing", low=0.0, high=4.0, default=4.0),
            Parameter(name="count", low=0, high=9, default=3, integer=True),
        ),
        fitness="competence",
        success="competent",
        horizon=10,
    )


TARGET: dict[str, ParamValue] = {"height": 4.0, "spacing": 0.0, "count": 3}


def make_outcome(
    params: Mapping[str, ParamValue], fitness: float = 0.0, success: bool = False, slot: int = 0
) -> EpisodeOutcome:
    return EpisodeOutcome(
        slot=slot, params=dict(params), fitness=fitness, success=success, native_return=fitness, length=1
    )


def corridor() -> list[tuple[int, int]]:
    """Cells in the order of learning: along the easy edge, then up: 15 of 64."""
    return [(0, i) for i in range(CELLS)] + [(i, CELLS - 1) for i in range(1, CELLS)]


class ToyStudent:
    """Learns by visits; `mastered` counts cells of full competence."""

    def __init__(self) -> None:
        self.order = corridor()
        self.visits = dict.fromkeys(self.order, 0)

    def attempt(self, params: Mapping[str, ParamValue]) -> EpisodeOutcome:
        """Try a task once and give its outcome: fitness is the competence of its cell, 0 where it is locked."""
        row = self._cell(float(params["height"]) / 4)
        column = self._cell(1 - float(params["spacing"]) / 4)
        cell = (row, column)
        if cell not in self.visits or not self._unlocked(cell):
            return make_outcome(params)
        self.visits[cell] = min(VISITS, self.visits[cell] + 1)
        return make_outcome(params, self.visits[cell] / VISITS, self.visits[cell] == VISITS)

    @property
    def mastered(self) -> int:
        return sum(count == VISITS for count in self.visits.values())

    def _cell(self, unit: float) -> int:
        return min(CELLS - 1, int(unit * CELLS))

    def _unlocked(self, cell: tuple[int, int]) -> bool:
        index = self.order.index(cell)
        return index == 0 or self.visits[self.order[index - 1]] >= 0.75 * VISITS
