"""The contract of a teacher: `sample() -> params`, `update(outcome)`; its state survives save and load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from envs.family import EpisodeOutcome
from envs.task import ParamValue


class Teacher(Protocol):
    name: str

    def sample(self) -> dict[str, ParamValue]:
        """Draw the task parameters of the next episode, complete and within the family's bounds."""
        ...

    def update(self, outcome: EpisodeOutcome) -> None:
        """Learn from a finished episode (its `params`, fitness and success)."""
        ...

    def state(self) -> dict[str, Any]:
        """JSON-plain state, random generator included."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None: ...


@runtime_checkable
class ValueListener(Protocol):
    """Optional side of a teacher: it takes what the student itself expects of a task, V(c), where a trainer can say so."""

    def hear(self, params: Mapping[str, ParamValue], value: float) -> None:
        """Take the expected success, 0 to 1, of an episode with these task parameters before it began."""
        ...
