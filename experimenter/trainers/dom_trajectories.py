"""Whole episodes for `awr` and `phase`: how they are put together from steps, and the replay that keeps them.

An episode whose browser failed is like any other: the world took its steps again (see envs/web/world.py), so every episode here ended by
the task's rule or by the horizon, and none of them by a failure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome
from envs.task import ParamValue
from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_pages import Float32, Mask, Page, dump_pages, load_pages, pack_page, stack_pages

Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """One finished episode. Compared by identity."""

    pages: tuple[Page, ...]
    actions: tuple[int, ...]
    rewards: tuple[float, ...]
    success: bool
    """The final outcome r_T in {0, 1}, by ground truth."""
    params: Mapping[str, ParamValue]

    def __len__(self) -> int:
        return len(self.actions)


class Episodes:
    """Puts the steps of n worlds together to trajectories, over several rollouts."""

    def __init__(self) -> None:
        self._running: dict[int, list[tuple[Page, int, float]]] = {}
        self._spoilt: set[int] = set()

    def read(self, rollout: DomRollout) -> list[Trajectory]:
        """Add a rollout; return the episodes that ended in it. One with a step that is not valid, or whose start was not seen, is left out."""
        outcomes = {(one.time, one.slot): one.outcome for one in rollout.finished}
        done: list[Trajectory] = []
        for time in range(len(rollout.actions)):
            for slot in range(rollout.actions.shape[1]):
                self._add(rollout, time, slot)
                if rollout.ended[time, slot]:
                    steps = self._running.pop(slot, [])
                    outcome = outcomes.get((time, slot))
                    if steps and outcome is not None and slot not in self._spoilt:
                        done.append(_close(steps, outcome))
        return done

    def _add(self, rollout: DomRollout, time: int, slot: int) -> None:
        if rollout.first[time, slot]:
            self._running[slot] = []
            self._spoilt.discard(slot)
        if not rollout.valid[time, slot]:
            self._spoilt.add(slot)
        if slot in self._running:
            page = pack_page(rollout.observations[time, slot], rollout.masks[time, slot])
            self._running[slot].append((page, int(rollout.actions[time, slot]), float(rollout.rewards[time, slot])))


class StartValues:
    """What the student expected of every episode before it began, told when the episode has ended and its task is known."""

    def __init__(self) -> None:
        self._open: dict[int, float] = {}

    def read(
        self, rollout: DomRollout, value_of: Callable[[Float32, Mask], NDArray[np.floating[Any]]]
    ) -> list[tuple[Mapping[str, ParamValue], float]]:
        """Value the first pages [m] of a rollout by `value_of` (expected success, 0 to 1); return (task parameters, value) of what ended."""
        outcomes = {(one.time, one.slot): one.outcome for one in rollout.finished}
        times, slots = np.nonzero(rollout.first)
        values: dict[tuple[int, int], float] = {}
        if len(times):
            found = value_of(rollout.observations[times, slots], rollout.masks[times, slots])
            values = dict(zip(zip(times.tolist(), slots.tolist(), strict=True), found.tolist(), strict=True))
        done: list[tuple[Mapping[str, ParamValue], float]] = []
        for time, slot in np.ndindex(*rollout.first.shape):
            if (time, slot) in values:
                self._open[slot] = values[time, slot]
            if (time, slot) in outcomes and slot in self._open:
                done.append((dict(outcomes[time, slot].params), self._open.pop(slot)))
        return done


def _close(steps: list[tuple[Page, int, float]], outcome: EpisodeOutcome) -> Trajectory:
    pages, actions, rewards = zip(*steps, strict=True)
    return Trajectory(
        pages=pages, actions=actions, rewards=rewards, success=outcome.success, params=dict(outcome.params)
    )


@dataclass(frozen=True, kw_only=True)
class StepTable:
    """The steps of several trajectories in one table of m rows, in their order."""

    observation: Float32
    """[m, d]"""
    mask: Mask
    """[m, COUNT]"""
    action: Indices
    """[m]"""
    reward: Float32
    """[m]"""
    outcome: Float32
    """[m] the final outcome of the step's episode, 0 or 1."""
    left: Indices
    """[m] steps of the episode after this one: 0 at the last."""
    episode: Indices
    """[m] place of the step's trajectory."""
    first: Indices
    """[e] row at which each trajectory begins."""


def tabulate(trajectories: Sequence[Trajectory]) -> StepTable:
    """Lay trajectories end to end; there must be at least one."""
    observation, mask = stack_pages([page for one in trajectories for page in one.pages])
    lengths = np.array([len(one) for one in trajectories], np.int64)
    return StepTable(
        observation=observation,
        mask=mask,
        action=np.array([action for one in trajectories for action in one.actions], np.int64),
        reward=np.array([reward for one in trajectories for reward in one.rewards], np.float32),
        outcome=np.repeat(np.array([one.success for one in trajectories], np.float32), lengths),
        left=np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(np.int64),
        episode=np.repeat(np.arange(len(trajectories)), lengths),
        first=(np.cumsum(lengths) - lengths).astype(np.int64),
    )


class TrajectoryReplay:
    """The last `size` trajectories; `successes_only` keeps no others."""

    def __init__(self, size: int, *, successes_only: bool) -> None:
        self.size, self._successes_only = size, successes_only
        self._kept: deque[Trajectory] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, trajectories: Iterable[Trajectory]) -> None:
        """Keep trajectories, the oldest making room."""
        self._kept.extend(one for one in trajectories if one.success or not self._successes_only)

    def draw(self, m: int, rng: np.random.Generator) -> list[Trajectory]:
        """Draw at most m different trajectories uniformly."""
        kept = list(self._kept)
        chosen = rng.permutation(len(kept))[:m]
        return [kept[int(place)] for place in chosen]

    def newest(self, m: int) -> list[Trajectory]:
        """The last m trajectories, the oldest first."""
        return list(self._kept)[-m:] if m else []

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint."""
        arrays = dump_pages([page for one in self._kept for page in one.pages])
        arrays |= {
            "action": np.array([action for one in self._kept for action in one.actions], np.int64),
            "reward": np.array([reward for one in self._kept for reward in one.rewards], np.float64),
        }
        told = [{"length": len(one), "success": one.success, "params": dict(one.params)} for one in self._kept]
        return {"trajectories": told}, {f"episodes_{name}": array for name, array in arrays.items()}

    def load(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `save` gave; raises `KeyError` or `ValueError` where it does not fit."""
        pages = load_pages(arrays, "episodes_")
        actions, rewards = arrays["episodes_action"].tolist(), arrays["episodes_reward"].tolist()
        told, at = state["trajectories"], 0
        if sum(int(one["length"]) for one in told) != len(pages) or len(actions) != len(pages):
            raise ValueError(f"the trajectories' steps and the {len(pages)} stored pages differ")
        self._kept.clear()
        for one in told:
            end = at + int(one["length"])
            self._kept.append(
                Trajectory(
                    pages=tuple(pages[at:end]),
                    actions=tuple(actions[at:end]),
                    rewards=tuple(rewards[at:end]),
                    success=bool(one["success"]),
                    params=dict(one["params"]),
                )
            )
            at = end
