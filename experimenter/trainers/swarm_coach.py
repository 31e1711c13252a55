"""The coach of a swarm: from how recent episodes went to the next lesson - contact ramp, and when contacts are replayed.

Gated by performance: as long as drones do not reach their goals, contacts cost little and are not replayed, or they would learn to stay away
from everything. What it knows goes into checkpoints.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from envs.family import EpisodeOutcome
from envs.quadrotor.practice import Lesson
from experimenter.trainers.swarm_settings import SwarmSettings

WINDOW, LEAST = 256, 32
"""Recent episodes behind a decision, and the fewest that allow one."""


class Coach:
    """Hears outcomes, gives lessons."""

    def __init__(self, settings: SwarmSettings) -> None:
        self._settings = settings
        self._recent: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        """Reached and touched, 0 or 1 an episode."""
        self.ramp = settings.ramp_start

    def hear(self, outcome: EpisodeOutcome) -> None:
        """Count one finished episode."""
        self._recent.append((outcome.extras["reached"], outcome.extras["touched"]))

    @property
    def reached(self) -> float:
        """Share of recent episodes that reached their goal; 0 before there are enough."""
        return self._share(0)

    @property
    def touched(self) -> float:
        """Share of recent episodes with a contact; 0 before there are enough."""
        return self._share(1)

    def _share(self, index: int) -> float:
        return sum(item[index] for item in self._recent) / len(self._recent) if len(self._recent) >= LEAST else 0.0

    @property
    def is_open(self) -> bool:
        """Whether the gate lets the contact terms rise and contacts be replayed."""
        return len(self._recent) >= LEAST and self.reached >= self._settings.gate_reached

    def advance(self, steps: int, schedule_steps: int) -> None:
        """Let the contact terms rise for `steps` env steps of the schedule."""
        if self.is_open:
            span = max(1.0, self._settings.ramp_share * schedule_steps)
            self.ramp = min(1.0, self.ramp + (1.0 - self._settings.ramp_start) * steps / span)

    def lesson(self) -> Lesson:
        """What the rooms are to do from now on."""
        settings = self._settings
        return Lesson(
            contact_weight=settings.contact_weight * self.ramp,
            distance_weight=settings.distance_weight,
            room_contact=settings.room_contact * self.ramp,
            progress=settings.progress,
            goal_bonus=settings.goal_bonus,
            goal_bonus_m=settings.goal_bonus_m,
            replay=settings.replay if self.is_open else 0.0,
        )

    def state(self) -> dict[str, Any]:
        """JSON-plain."""
        return {"ramp": self.ramp, "recent": [list(item) for item in self._recent]}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on as the coach that gave `state` would."""
        self.ramp = float(state["ramp"])
        self._recent = deque(((float(a), float(b)) for a, b in state["recent"]), maxlen=WINDOW)
