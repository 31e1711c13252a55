"""Practice: what a trainer may change about rooms while a policy learns. Evaluation never sees any of it.

A `Lesson` says how contacts are weighted, which shaping is added to the native reward, how often a contact is replayed. Episodes that did not
begin as the task says (resumed ones, and the first of each room, which start at different times so that rooms end at different times) give no
outcome, and so count for no teacher, curve or statistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor import layout as at
from envs.quadrotor.replay import CollisionReplay
from envs.quadrotor.reward import SWARM_WEIGHTS
from envs.quadrotor.swarm import Floats, Swarm

_MOST_PROGRESS_M = 0.05
"""A control step at 5 m/s; a goal that jumps is no progress."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One setting of the rooms. Weights of 1 and bonuses of 0 are the native reward; hover tasks keep theirs in any case."""

    contact_weight: float = 1.0
    """Scale of the native contact and proximity terms (a ramp moves it)."""
    distance_weight: float = 1.0
    """Scale of the native pull towards the goal."""
    room_contact: float = 0.0
    """Penalty of a new contact with a wall or the ceiling, which the native reward leaves out; scaled by `contact_weight` too."""
    progress: float = 0.0
    """Paid for each metre that the drone came nearer to its goal."""
    goal_bonus: float = 0.0
    """Paid per second at the goal, falling off as exp(-(distance / goal_bonus_m)^2)."""
    goal_bonus_m: float = 0.4
    replay: float = 0.0
    """Probability that a new episode resumes a stored moment before a contact instead."""


class Practice:
    """The running practice of one swarm."""

    def __init__(self, swarm: Swarm) -> None:
        self.lesson = Lesson()
        self.unscored = np.ones(swarm.worlds, np.bool_)
        """Rooms whose running episode gives no outcome."""
        self.replay = CollisionReplay(swarm)
        self._swarm = swarm
        self._rng = np.random.default_rng(0)
        self._native = swarm.weights.copy()

    def begin(self, seed: int) -> None:
        """Called after a reset of all rooms: let them stand at different times of their first episode."""
        swarm = self._swarm
        self._rng = np.random.default_rng([seed, 1])
        swarm.world_table[:, at.STEP] = self._rng.integers(0, max(1, swarm.horizon - 1), swarm.worlds)
        self.unscored[:] = True
        self.replay.forget(range(swarm.worlds))

    def teach(self, lesson: Lesson) -> None:
        """Follow `lesson` from the next step on."""
        self.lesson = lesson
        weights, contact = self._swarm.weights, lesson.contact_weight
        weights[: len(SWARM_WEIGHTS)] = self._native[: len(SWARM_WEIGHTS)]
        weights[0] *= lesson.distance_weight
        weights[5:8] *= contact

    def before_step(self) -> Floats:
        """Distances to the goals [agents] as they stand."""
        distance: Floats = self._swarm.table[at.DISTANCE, : self._swarm.agents].copy()
        return distance

    def after_step(self, before: Floats) -> Floats:
        """Watch for contacts and return the shaping [agents] of this step, before any restart."""
        swarm, lesson = self._swarm, self.lesson
        if lesson.replay > 0:
            self.replay.watch()
        hovers = np.repeat(swarm.world_table[:, at.GOAL_KIND] == at.HOVER_AT, swarm.drones)
        distance = swarm.table[at.DISTANCE, : swarm.agents]
        near = np.exp(-((distance / lesson.goal_bonus_m) ** 2))
        wall = swarm.table[at.NEW + at.WALL, : swarm.agents]
        shaping: Floats = (
            lesson.progress * np.clip(before - distance, -_MOST_PROGRESS_M, _MOST_PROGRESS_M)
            + at.CONTROL_S * lesson.goal_bonus * near
            - lesson.room_contact * lesson.contact_weight * wall
        )
        return np.where(hovers, 0.0, shaping)

    def resume(self, worlds: Sequence[int]) -> list[int]:
        """After the restart of `worlds`: resume moments in a share of them; return those."""
        self.unscored[list(worlds)] = False
        self.replay.forget(worlds)
        if self.lesson.replay <= 0:
            return []
        chosen = [world for world in worlds if self._rng.random() < self.lesson.replay]
        resumed = self.replay.resume(chosen, self._rng)
        self.unscored[resumed] = True
        return resumed

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What a checkpoint must keep: the stored moments. Running episodes are not kept, worlds restart."""
        used = min(self.replay.stored, len(self.replay.rows))
        arrays = {"replay_rows": self.replay.rows[:used], "replay_uses": self.replay.uses_left[:used]}
        return {"stored": self.replay.stored}, arrays

    def load(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `save` gave; raises `ValueError` when it is of another swarm."""
        rows, uses = arrays["replay_rows"], arrays["replay_uses"]
        if rows.shape[1:] != self.replay.rows.shape[1:] or len(rows) > len(self.replay.rows):
            raise ValueError(f"stored moments of shape {rows.shape} do not fit rooms of {self._swarm.drones} drones")
        self.replay.rows[: len(rows)], self.replay.uses_left[: len(rows)] = rows, uses
        self.replay.stored = int(state["stored"])
