"""The uniform teacher (domain randomisation): every task between the easy one and the target is equally likely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.space import Span, TaskSpace, dump_rng, load_rng, make_space, read_settings
from experimenter.records import Record


class UniformSettings(Record):
    span: Span = Span.TARGET
    """`target`: from the easy task to the target; `full`: the whole range of the card."""
    target_share: float = Field(default=0.0, ge=0, le=1)
    """Share of episodes on the target itself."""


class UniformTeacher:
    name = "uniform"

    def __init__(
        self, space: TaskSpace, target: Mapping[str, ParamValue], settings: UniformSettings, seed: int
    ) -> None:
        self._space, self._target, self._settings = space, dict(target), settings
        self._rng = np.random.default_rng(seed)

    def sample(self) -> dict[str, ParamValue]:
        """Draw a task uniformly, or the target with probability `target_share`."""
        at_target = self._rng.random() < self._settings.target_share
        unit = self._rng.random(self._space.size)
        return dict(self._target) if at_target else self._space.params(unit)

    def update(self, outcome: EpisodeOutcome) -> None:
        """Learn nothing."""

    def state(self) -> dict[str, Any]:
        """The random generator."""
        return {"rng": dump_rng(self._rng)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the teacher that gave `state` would."""
        self._rng = load_rng(state["rng"])


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target or setting."""
    checked = read_settings(UniformSettings, "uniform", settings)
    direct = make_space(card, target)
    return UniformTeacher(make_space(card, target, checked.span), direct.params([1.0] * direct.size), checked, seed)
