"""The value-band teacher: proposes tasks at random and keeps those that the student solves now and then, 0.05 < V < 0.75.

Qi et al. 2025, WebRL (arXiv:2411.02337): of newly made instructions only those whose initial state the critic values between
0.05 and 0.75 are trained on: below, nothing is learnt yet, above, nothing more. V(c) is what the student says of itself (`hear`), or its mean
success in the cell (cells.py); a task of which nothing is known is tried. Where no proposal lies in the band, the one nearest to it is
taken, so the band may lie empty without harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.cells import CellValues, TaskCells, make_cells
from experimenter.curricula.space import Signal, dump_rng, load_rng, read_settings
from experimenter.errors import UsageError
from experimenter.records import Record


class ValueBandSettings(Record):
    choices: str = ""
    """Discrete task parameters to move among, `task=3|7|12;page_size=0|10`; numbers or words of the card."""
    bins: int = Field(default=6, ge=1, le=64)
    """Parts into which each axis from the easy task to the target is cut."""
    signal: Signal = Signal.SUCCESS
    low: float = Field(default=0.05, ge=0, le=1)
    high: float = Field(default=0.75, ge=0, le=1)
    """Ends of the band (published: 0.05 and 0.75)."""
    proposals: int = Field(default=32, ge=1, le=1000)
    """Tasks that are proposed, at most, until one lies in the band."""
    value_weight: float = Field(default=0.05, gt=0, le=1)
    """Weight of a new episode in V(c)."""
    uniform_share: float = Field(default=0.1, ge=0, le=1)
    """Share of episodes that are not filtered, so that a value that has become wrong is found out."""
    target_share: float = Field(default=0.0, ge=0, le=1)
    """Share of episodes on the target itself."""


def outside(value: float | None, low: float, high: float) -> float:
    """How far a value lies outside of the open band; 0 inside, and where nothing is known."""
    if value is None or low < value < high:
        return 0.0
    # the ends themselves are outside, by the least amount
    return max(low - value, value - high, 1e-12)


class ValueBandTeacher:
    name = "value_band"

    def __init__(self, cells: TaskCells, settings: ValueBandSettings, seed: int) -> None:
        self._cells, self._settings = cells, settings
        self._rng = np.random.default_rng(seed)
        self._values = CellValues(len(cells), settings.value_weight)

    def sample(self) -> dict[str, ParamValue]:
        """Draw tasks until one lies in the band, or take the nearest."""
        settings = self._settings
        if self._rng.random() < settings.target_share:
            return self._cells.target()
        if self._rng.random() < settings.uniform_share:
            return self._cells.draw(int(self._rng.integers(len(self._cells))), self._rng)
        best, best_off = 0, float("inf")
        for _ in range(settings.proposals):
            cell = int(self._rng.integers(len(self._cells)))
            off = outside(self._values.get(cell), settings.low, settings.high)
            if off < best_off:
                best, best_off = cell, off
            if off == 0.0:
                break
        return self._cells.draw(best, self._rng)

    def update(self, outcome: EpisodeOutcome) -> None:
        """Learn V(c) from an episode."""
        cell = self._cells.find(outcome.params)
        if cell is not None:
            self._values.update(cell, min(1.0, max(0.0, self._settings.signal.read(outcome))))

    def hear(self, params: Mapping[str, ParamValue], value: float) -> None:
        """Take the student's own V(c)."""
        cell = self._cells.find(params)
        if cell is not None:
            self._values.hear(cell, value)

    def state(self) -> dict[str, Any]:
        """Values and random generator."""
        return {"values": self._values.state(), "rng": dump_rng(self._rng)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self._values.load_state(state["values"])
        self._rng = load_rng(state["rng"])


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target, choice, band or setting."""
    checked = read_settings(ValueBandSettings, "value_band", settings)
    if checked.low >= checked.high:
        raise UsageError(f"value_band teacher: low = {checked.low:g} is not below high = {checked.high:g}.")
    return ValueBandTeacher(make_cells(card, target, checked.choices, checked.bins), checked, seed)
