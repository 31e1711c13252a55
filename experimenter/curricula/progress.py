"""The learning-progress teacher: samples the tasks on which the student's success changes, up or down, among a finite number of them.

Kanitscheider et al. 2021, "Multi-task curriculum learning in a complex, visual, hard-exploration domain: Minecraft" (arXiv:2106.14876):
two exponential means of each task's success, a fast and a slow one; both reweighted so that changes at low success count more; their
absolute difference is the learning progress. Standardised over the tasks, a logistic function of it is the sampling weight, so that about
a quarter of the tasks get most of it. A share of episodes is drawn uniformly. Tasks are cells (cells.py): written choices and bins of the axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.cells import TaskCells, make_cells
from experimenter.curricula.space import Signal, dump_rng, load_rng, read_settings
from experimenter.records import Record

Floats = NDArray[np.float64]
FOCUS = 0.674
"""Standard deviations above the mean at which the logistic has its middle: a quarter of a normal distribution lies above."""
SHARPNESS = 4.0


class ProgressSettings(Record):
    choices: str = ""
    """Discrete task parameters to move among, `task=3|7|12;page_size=0|10`; numbers or words of the card."""
    bins: int = Field(default=6, ge=1, le=64)
    """Parts into which each axis from the easy task to the target is cut."""
    signal: Signal = Signal.SUCCESS
    fast: float = Field(default=0.1, gt=0, le=1)
    """Weight of a new episode in the fast mean of its cell."""
    slow: float = Field(default=0.02, gt=0, le=1)
    reweight: float = Field(default=0.1, gt=0, lt=1)
    """The smaller, the more a change at low success counts (published: 0.1)."""
    uniform_share: float = Field(default=0.25, ge=0, le=1)
    """Share of uniformly drawn cells."""
    target_share: float = Field(default=0.0, ge=0, le=1)
    """Share of episodes on the target itself."""


def reweigh(success: Floats, low: float) -> Floats:
    """Stretch success rates near 0: p (1 - low) / (p + low (1 - 2 p)); keeps 0 and 1, and takes `low` to a half."""
    stretched: Floats = success * (1.0 - low) / (success + low * (1.0 - 2.0 * success))
    return stretched


def progress_weights(progress: Floats) -> Floats:
    """Sampling probabilities [c] from learning progress [c]: a logistic of the standardised progress; uniform where all is equal."""
    spread = progress.std()
    scores = (progress - progress.mean()) / spread if spread > 1e-12 else np.zeros_like(progress)
    weights: Floats = 1.0 / (1.0 + np.exp(-SHARPNESS * (scores - FOCUS)))
    shares: Floats = weights / weights.sum()
    return shares


class ProgressTeacher:
    name = "progress"

    def __init__(self, cells: TaskCells, settings: ProgressSettings, seed: int) -> None:
        self._cells, self._settings = cells, settings
        self._rng = np.random.default_rng(seed)
        self._fast, self._slow = np.zeros(len(cells)), np.zeros(len(cells))
        self._seen = np.zeros(len(cells), np.int64)

    @property
    def progress(self) -> Floats:
        """Learning progress [c] of every cell."""
        low = self._settings.reweight
        difference: Floats = np.abs(reweigh(self._fast, low) - reweigh(self._slow, low))
        return difference

    def sample(self) -> dict[str, ParamValue]:
        """Draw a cell that was never seen, or one by learning progress, or now and then any."""
        at = self._rng.random()
        if at < self._settings.target_share:
            return self._cells.target()
        unseen = np.flatnonzero(self._seen == 0)
        if self._rng.random() < self._settings.uniform_share:
            cell = int(self._rng.integers(len(self._cells)))
        elif len(unseen):
            cell = int(self._rng.choice(unseen))
        else:
            cell = int(self._rng.choice(len(self._cells), p=progress_weights(self.progress)))
        return self._cells.draw(cell, self._rng)

    def update(self, outcome: EpisodeOutcome) -> None:
        """Move both means of the episode's cell towards its score; a task outside of all cells is not counted."""
        cell = self._cells.find(outcome.params)
        if cell is None:
            return
        score = min(1.0, max(0.0, self._settings.signal.read(outcome)))
        # an exponential mean that starts at the plain mean: early scores are not drowned by the first zero
        count = self._seen[cell] + 1
        for means, weight in ((self._fast, self._settings.fast), (self._slow, self._settings.slow)):
            means[cell] += max(weight, 1.0 / count) * (score - means[cell])
        self._seen[cell] = count

    def state(self) -> dict[str, Any]:
        """Means, counts and random generator."""
        return {
            "fast": self._fast.tolist(),
            "slow": self._slow.tolist(),
            "seen": self._seen.tolist(),
            "rng": dump_rng(self._rng),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self._fast, self._slow = np.array(state["fast"], np.float64), np.array(state["slow"], np.float64)
        self._seen = np.array(state["seen"], np.int64)
        self._rng = load_rng(state["rng"])


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target, choice or setting."""
    checked = read_settings(ProgressSettings, "progress", settings)
    return ProgressTeacher(make_cells(card, target, checked.choices, checked.bins), checked, seed)
