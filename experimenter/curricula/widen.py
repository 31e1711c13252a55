"""The widening teacher: a band of tasks that begins at a chosen easy start and grows towards the target as the student passes at its edge.

Gated by performance, like the ladder, but along the axes and from the start that it is told (say `density=0,goal_distance=3`), which may be easier
than the card's defaults, and with every task inside the band alive: half of the episodes are on its edge, the others anywhere within, each axis by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.space import (
    Signal,
    TaskSpace,
    dump_rng,
    load_rng,
    make_space,
    make_space_from,
    read_settings,
)
from experimenter.errors import UsageError
from experimenter.records import Record, TeacherSpec


class WidenSettings(Record):
    start: str = ""
    """Easy end of the axes, `name=value` joined by commas; empty: the card's defaults wherever the target differs from them."""
    signal: Signal = Signal.SUCCESS
    steps: int = Field(default=10, ge=1, le=1000)
    """Steps of the edge from the start to the target."""
    pass_mark: float = 0.8
    """Mean score on the edge over the window that moves it on."""
    fail_mark: float = 0.3
    """Mean score at or below which it moves back."""
    window: int = Field(default=64, ge=1)
    """Episodes on the edge behind each decision."""
    edge_share: float = Field(default=0.5, gt=0, le=1)


class WidenTeacher:
    name = "widen"

    def __init__(self, space: TaskSpace, settings: WidenSettings, seed: int) -> None:
        self._space, self._settings = space, settings
        self._rng = np.random.default_rng(seed)
        self._scores: deque[float] = deque(maxlen=settings.window)
        self.step = 0
        """Where the edge stands: 0 the start, `steps` the target."""

    @property
    def edge(self) -> float:
        """The edge as a share of the way to the target."""
        return self.step / self._settings.steps

    def sample(self) -> dict[str, ParamValue]:
        """Draw a task on the edge, or one anywhere inside the band."""
        share = 1.0 if self._rng.random() < self._settings.edge_share else self._rng.random(self._space.size)
        return self._space.params(np.full(self._space.size, self.edge) * share)

    def update(self, outcome: EpisodeOutcome) -> None:
        """Count an episode on the edge; others decide nothing."""
        edge = self._space.params(np.full(self._space.size, self.edge))
        if any(outcome.params[axis.name] != edge[axis.name] for axis in self._space.axes):
            return
        self._scores.append(self._settings.signal.read(outcome))
        if len(self._scores) == self._settings.window:
            self._decide(sum(self._scores) / len(self._scores))

    def _decide(self, mean: float) -> None:
        passed, failed = mean >= self._settings.pass_mark, mean <= self._settings.fail_mark
        if passed or failed:
            self.step = min(max(self.step + (1 if passed else -1), 0), self._settings.steps)
            self._scores.clear()

    def state(self) -> dict[str, Any]:
        """Edge, window and random generator."""
        return {"step": self.step, "scores": list(self._scores), "rng": dump_rng(self._rng)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self.step = int(state["step"])
        self._scores = deque(state["scores"], maxlen=self._settings.window)
        self._rng = load_rng(state["rng"])


def parse_start(text: str) -> dict[str, float]:
    """Read `density=0,goal_distance=3`; raises `UsageError` when it is something else."""
    found: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise UsageError(
                f"widen teacher: cannot read the start {part!r}; write name=value, joined by commas."
            ) from None
    return found


def lead_from(start: Mapping[str, ParamValue], target: Mapping[str, ParamValue]) -> TeacherSpec:
    """A band that widens from the task parameters `start` to those of `target`, a unit of the farthest axis at a time, in ten steps at most."""
    far = max(round(abs(float(value) - float(target[name]))) for name, value in start.items())
    told = ",".join(f"{name}={value}" for name, value in start.items())
    return TeacherSpec(
        name="widen", settings={"start": told, "steps": min(max(far, 1), 10), "pass_mark": 0.7, "window": 32}
    )


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target or setting."""
    checked = read_settings(WidenSettings, "widen", settings)
    start = parse_start(checked.start)
    space = make_space_from(card, target, start) if start else make_space(card, target)
    return WidenTeacher(space, checked, seed)
