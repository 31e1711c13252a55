"""The instruction-value teacher: samples the tasks whose recent episodes went best beyond expectation, r_T - V(c).

Bai et al. 2024, DigiRL (arXiv:2406.11896): trajectories are ranked by r_T - V(c), the outcome less the instruction-level
value, and the top share is learnt from. Here the ranking steers which tasks come next: a cell (cells.py) is drawn in proportion to its
episodes among the top share of the last ones. A success where failure was expected counts most, a failure where success was expected
least, so mastered and hopeless tasks both fade.
V(c) is what the student says of itself (`hear`), or its mean success so far.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.cells import CellValues, TaskCells, make_cells
from experimenter.curricula.space import Signal, dump_rng, load_rng, read_settings
from experimenter.records import Record


class InstructionValueSettings(Record):
    choices: str = ""
    """Discrete task parameters to move among, `task=3|7|12;page_size=0|10`; numbers or words of the card."""
    bins: int = Field(default=6, ge=1, le=64)
    """Parts into which each axis from the easy task to the target is cut."""
    signal: Signal = Signal.SUCCESS
    top_share: float = Field(default=0.25, gt=0, le=1)
    """Share of the last episodes that is kept, best first (published code: 0.1, of a far larger buffer)."""
    window: int = Field(default=256, ge=8)
    """Last episodes that are ranked."""
    value_weight: float = Field(default=0.05, gt=0, le=1)
    """Weight of a new episode in V(c)."""
    uniform_share: float = Field(default=0.25, ge=0, le=1)
    """Share of uniformly drawn cells."""
    target_share: float = Field(default=0.0, ge=0, le=1)
    """Share of episodes on the target itself."""


def top_cells(scores: Sequence[tuple[int, float]], share: float) -> list[int]:
    """Cells of the top `share`, rounded up, of (cell, r - V(c)) pairs, best first, those above 0 alone; newer first among equals."""
    ranked = sorted(enumerate(scores), key=lambda item: (-item[1][1], -item[0]))
    kept = ranked[: math.ceil(share * len(scores))]
    return [cell for _, (cell, score) in kept if score > 0]


class InstructionValueTeacher:
    name = "instruction_value"

    def __init__(self, cells: TaskCells, settings: InstructionValueSettings, seed: int) -> None:
        self._cells, self._settings = cells, settings
        self._rng = np.random.default_rng(seed)
        self._values = CellValues(len(cells), settings.value_weight)
        self._scores: deque[tuple[int, float]] = deque(maxlen=settings.window)

    def sample(self) -> dict[str, ParamValue]:
        """Draw a task from a cell of the top share, or now and then from any."""
        if self._rng.random() < self._settings.target_share:
            return self._cells.target()
        top = top_cells(self._scores, self._settings.top_share)
        if not top or self._rng.random() < self._settings.uniform_share:
            return self._cells.draw(int(self._rng.integers(len(self._cells))), self._rng)
        return self._cells.draw(top[int(self._rng.integers(len(top)))], self._rng)

    def update(self, outcome: EpisodeOutcome) -> None:
        """Score an episode against what was expected before it, then learn the expectation."""
        cell = self._cells.find(outcome.params)
        if cell is None:
            return
        score = min(1.0, max(0.0, self._settings.signal.read(outcome)))
        expected = self._values.get(cell)
        self._scores.append((cell, score - (0.0 if expected is None else expected)))
        self._values.update(cell, score)

    def hear(self, params: Mapping[str, ParamValue], value: float) -> None:
        """Take the student's own V(c)."""
        cell = self._cells.find(params)
        if cell is not None:
            self._values.hear(cell, value)

    def state(self) -> dict[str, Any]:
        """Values, scores and random generator."""
        scores = [[cell, score] for cell, score in self._scores]
        return {"values": self._values.state(), "scores": scores, "rng": dump_rng(self._rng)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self._values.load_state(state["values"])
        self._scores = deque(((int(cell), float(score)) for cell, score in state["scores"]), self._settings.window)
        self._rng = load_rng(state["rng"])


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target, choice or setting."""
    checked = read_settings(InstructionValueSettings, "instruction_value", settings)
    return InstructionValueTeacher(make_cells(card, target, checked.choices, checked.bins), checked, seed)
