"""The fixed teacher: always the target task. The baseline of every curriculum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.family import Card, EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.curricula.space import make_space, read_settings
from experimenter.records import Record


class FixedSettings(Record):
    """It has none."""


class FixedTeacher:
    name = "fixed"

    def __init__(self, target: Mapping[str, ParamValue]) -> None:
        self._target = dict(target)

    def sample(self) -> dict[str, ParamValue]:
        """Give the target."""
        return dict(self._target)

    def update(self, outcome: EpisodeOutcome) -> None:
        """Learn nothing."""

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


def make_teacher(
    card: Card, target: Mapping[str, ParamValue], settings: Mapping[str, ParamValue], seed: int
) -> Teacher:
    """Build it; raises `UsageError` on a bad target or any setting."""
    read_settings(FixedSettings, "fixed", settings)
    space = make_space(card, target)
    return FixedTeacher(space.params([1.0] * space.size))
