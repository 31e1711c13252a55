"""Collision replay: rooms as they were 1.5 s before a contact, kept as flat snapshots and resumed at a reset.

After quad-swarm-rl (arXiv 2309.13285): a snapshot of every room each half second, a ring of stored moments, each resumed a few times at
most. Ours resumes a moment for a few seconds only, because what is to be learnt happens there. It decides nothing: `Practice` asks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.quadrotor import layout as at
from envs.quadrotor.swarm import Floats, Swarm

EVERY_STEPS, BACK_STEPS = 50, 150
"""A snapshot each 0.5 s; a contact stores the one from 1.5 s before."""
RING, USES, RESUMED_STEPS, APART_STEPS = 128, 10, 400, 500
"""Stored moments, resumptions of each, length of a resumed episode, least time between two moments of one room."""
_DEPTH = BACK_STEPS // EVERY_STEPS + 1


class CollisionReplay:
    """The ring of one swarm. Rows are what `Swarm.snapshot` gives."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._past = np.zeros((_DEPTH, swarm.worlds, swarm.snapshot([0]).shape[1]))
        self._taken = np.zeros(swarm.worlds, np.int64)
        """Snapshots of the running episode."""
        self._ready_at = np.zeros(swarm.worlds)
        """Step of the running episode from which the next moment may be stored."""
        self.rows = np.zeros((RING, self._past.shape[2]))
        self.uses_left = np.zeros(RING, np.int64)
        self.stored = 0
        """Moments stored so far; the next one goes to slot `stored` modulo RING."""

    def forget(self, worlds: Sequence[int]) -> None:
        """Begin new episodes in `worlds`."""
        self._taken[list(worlds)] = 0
        self._ready_at[list(worlds)] = at.GRACE_STEPS

    def watch(self) -> None:
        """Look at the rooms after a step and before any restart: store moments of new contacts, take the half-second snapshots."""
        swarm = self._swarm
        steps = swarm.world_table[:, at.STEP]
        new = (
            swarm.table[at.NEW : at.NEW + 2, : swarm.agents].any(axis=0).reshape(swarm.worlds, swarm.drones).any(axis=1)
        )
        for world in np.flatnonzero(new & (steps > self._ready_at) & (self._taken >= _DEPTH)).tolist():
            self._store(self._past[self._taken[world] % _DEPTH, world], steps[world])
            self._ready_at[world] = steps[world] + APART_STEPS
        due = np.flatnonzero(steps % EVERY_STEPS == 0)
        if len(due):
            self._past[self._taken[due] % _DEPTH, due] = swarm.snapshot(due.tolist())
            self._taken[due] += 1

    def _store(self, row: Floats, now: float) -> None:
        slot = self.stored % RING
        self.rows[slot], self.uses_left[slot] = row, USES
        self.stored += 1

    def resume(self, worlds: Sequence[int], rng: np.random.Generator) -> list[int]:
        """Put stored moments into as many of `worlds` as there are; return those, whose episodes now last `RESUMED_STEPS`."""
        swarm, resumed = self._swarm, []
        for world in worlds:
            usable: NDArray[np.intp] = np.flatnonzero(self.uses_left > 0)
            if not len(usable):
                break
            slot = int(usable[rng.integers(len(usable))])
            self.uses_left[slot] -= 1
            swarm.restore([world], self.rows[slot : slot + 1])
            swarm.reseed(world, int(rng.integers(2**63)))
            column = swarm.world_table[world]
            column[at.HORIZON] = min(swarm.horizon, column[at.STEP] + RESUMED_STEPS)
            resumed.append(world)
        return resumed
