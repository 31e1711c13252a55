"""The ladder teacher: rungs from the easy task to the target; the student climbs when it passes the one it stands on.

The number of rungs follows the card's steps of difficulty. A share of the episodes reviews lower rungs against forgetting,
and a student that fails almost always is sent one rung down.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue, canonical_digest
from experimenter.curricula.base import Teacher
from experimenter.curricula.space import Signal, TaskSpace, dump_rng, load_rng, make_space, read_settings
from experimenter.records import Record

MAX_RUNGS = 20


class LadderSettings(Record):
    rungs: int = Field(default=0, ge=0, le=100)
    """Steps from the easy task to the target; 0: as many as the card's steps ask for, 20 at most."""
    signal: Signal = Signal.SUCCESS
    pass_mark: float = 0.7
    """Mean score over the window that lets the student climb."""
    fail_mark: float = 0.05
    """Mean score over the window at or below which it steps down."""
    window: int = Field(default=20, ge=1)
    """Episodes on the current rung behind each decision."""
    review: float = Field(default=0.2, ge=0, lt=1)
    """Share of episodes on a random lower rung."""


class LadderTeacher:
    name = "ladder"

    def __init__(self, rungs: list[dict[str, ParamValue]], settings: LadderSettings, seed: int) -> None:
        self._rungs, self._settings = rungs, settings
        self._level = {canonical_digest(rung): level for level, rung in enumerate(rungs)}
        self._rng = np.random.default_rng(seed)
        self._scores: deque[float] = deque(maxlen=settings.window)
        self.rung = 0

    def sample(self) -> dict[str, ParamValue]:
        """Give the current rung's task, or a random lower one for review."""
        review = self._rng.random() < self._settings.review and self.rung > 0
        level = int(self._rng.integers(self.rung)) if review else self.rung
        return dict(self._rungs[level])

    def update(self, outcome: EpisodeOutcome) -> None:
        """Count an episode on the current rung; outcomes of other rungs (reviews, late ones) decide nothing."""
        if self._level.get(canonical_digest(dict(outcome.params))) != self.rung:
            return
        self._scores.append(self._settings.signal.read(outcome))
        if len(self._scores) == self._settings.window:
            self._decide(sum(self._scores) / len(self._scores))

    def _decide(self, mean: float) -> None:
        if mean >= self._settings.pass_mark:
            move = 1
        elif mean <= self._settings.fail_mark:
            move = -1
        else:
            return
        self.rung = min(max(self.rung + move, 0), len(self._rungs) - 1)
        self._scores.clear()

    def state(self) -> dict[str, Any]:
        """Rung, window and random generator."""
        return {"rung": self.rung, "scores": list(self._scores), "rng": dump_rng(self._rng)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self.rung = int(state["rung"])
        self._scores = deque(state["scores"], maxlen=self._settings.window)
        self._rng = load_rng(state["rng"])


def make_rungs(space: TaskSpace, count: int = 0) -> list[dict[str, ParamValue]]:
    """Lay `count` equal steps from the easy task to the target (0: by the axes' steps), each task once."""
    if not count:
        asked = [abs(axis.end - axis.start) / axis.step for axis in space.axes if axis.step]
        asked += [abs(axis.end - axis.start) for axis in space.axes if axis.integer and not axis.step]
        count = min(MAX_RUNGS, max((math.ceil(steps - 1e-9) for steps in asked), default=5))
    rungs: dict[str, dict[str, ParamValue]] = {}
    for level in range(count + 1):
        params = space.params([level / count] * space.size)
        rungs.setdefault(canonical_digest(params), params)
    return list(rungs.values())


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target or setting."""
    checked = read_settings(LadderSettings, "ladder", settings)
    return LadderTeacher(make_rungs(make_space(card, target), checked.rungs), checked, seed)
