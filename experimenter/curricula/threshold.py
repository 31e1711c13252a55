"""The moving-threshold teacher of CRLQAS: how accurate a circuit must be moves with what the student has reached.

It changes one task parameter, `threshold`, from an easy value down to the target's; the rest is the target. Every so many
episodes the threshold is set a margin above the smallest error so far; successes in between lower it in tenths of the
margin. Errors are those above the exact energy (the published code uses a lower bound far below it, so that its numbers
mean nothing by themselves). It never goes below the target nor above the card's bound. On a family without the
parameter it always gives the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome, Parameter
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.space import dump_rng, load_rng, make_space, read_settings
from experimenter.records import Record

PARAMETER = "threshold"
_TENTHS = 10
"""Times that successes may lower the threshold between two moves; each time by a tenth of the margin."""


class ThresholdSettings(Record):
    start: float = Field(default=100.0, gt=0)
    """First threshold, in the task parameter's unit (mHa)."""
    move_every: int = Field(default=100, ge=1)
    """Episodes between moves to the smallest error so far. Published: 500 to 2000; ours learn from fewer."""
    margin: float = Field(default=0.5, ge=0)
    """What is added to the smallest error at a move (mHa). Published: 0.5 to 1."""
    successes: int = Field(default=10, ge=1)
    """Successes that lower the threshold by a tenth of the margin. Published: 25 to 50."""
    target_share: float = Field(default=0.2, ge=0, le=1)
    """Share of episodes on the target itself."""
    halting: bool = False
    """End training episodes at random, where the family has a parameter `halting`."""


class ThresholdTeacher:
    name = "threshold"

    def __init__(
        self, target: Mapping[str, ParamValue], axis: Parameter | None, settings: ThresholdSettings, seed: int
    ) -> None:
        self._target, self._axis, self._settings = dict(target), axis, settings
        self._rng = np.random.default_rng(seed)
        self._goal = float(target[PARAMETER]) if axis else 0.0
        self.threshold = self._bounded(settings.start)
        self.best = float("inf")
        """Smallest error so far, in the parameter's unit."""
        self._episodes, self._counted, self._lowered = 0, 0, 0

    def sample(self) -> dict[str, ParamValue]:
        """Give the target with the present threshold, or now and then the target itself."""
        if self._axis is None or self._rng.random() < self._settings.target_share:
            return dict(self._target)
        changed: dict[str, ParamValue] = {PARAMETER: self.threshold}
        if self._settings.halting and "halting" in self._target:
            changed["halting"] = 1
        return {**self._target, **changed}

    def update(self, outcome: EpisodeOutcome) -> None:
        """Learn the error that an episode reached, and count its success at the present threshold or a stricter one."""
        if self._axis is None or "energy_error" not in outcome.extras:
            return
        self.best = min(self.best, 1e3 * abs(outcome.extras["energy_error"]))
        self._episodes += 1
        if outcome.success and float(outcome.params[PARAMETER]) <= self.threshold:
            self._counted += 1
            if self._counted % self._settings.successes == 0 and self._lowered < _TENTHS:
                self._lowered += 1
                self.threshold = self._bounded(self.threshold - self._settings.margin / _TENTHS)
        if self._episodes % self._settings.move_every == 0:
            # only downwards: a threshold above the present one teaches nothing new
            self.threshold = min(self.threshold, self._bounded(self.best + self._settings.margin))
            self._counted, self._lowered = 0, 0

    def _bounded(self, value: float) -> float:
        if self._axis is None:
            return value
        return min(max(value, self._goal), max(self._axis.high, self._goal))

    def state(self) -> dict[str, Any]:
        """Threshold, best error, counters and random generator."""
        return {
            "threshold": self.threshold,
            "best": None if self.best == float("inf") else self.best,
            "counters": [self._episodes, self._counted, self._lowered],
            "rng": dump_rng(self._rng),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self.threshold = float(state["threshold"])
        self.best = float("inf") if state["best"] is None else float(state["best"])
        self._episodes, self._counted, self._lowered = (int(each) for each in state["counters"])
        self._rng = load_rng(state["rng"])


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target or setting."""
    checked = read_settings(ThresholdSettings, "threshold", settings)
    space = make_space(card, target)
    axis = next((parameter for parameter in card.params if parameter.name == PARAMETER), None)
    return ThresholdTeacher(space.params([1.0] * space.size), axis, checked, seed)
