"""Replay of single steps for `dqn`: n-step transitions drawn in proportion to their error, from a sum tree in NumPy.

Prioritised experience replay, the proportional variant (Schaul et al. 2016, arXiv:1511.05952): P(i) = p_i^alpha / sum_k p_k^alpha (eq. 1),
importance weights (1 / (N P(i)))^beta over their maximum (section 3.4). Multi-step returns as in Rainbow (Hessel et al. 2018).
An episode that the horizon cut counts as ended: the observation tells how much of the horizon is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.web.encoding import masks_of
from experimenter.trainers.dom_algorithm import DomRollout
from experimenter.trainers.dom_pages import (
    Float32,
    Mask,
    Page,
    dump_pages,
    load_pages,
    number_pages,
    pack_page,
    stack_pages,
)

Float64 = NDArray[np.float64]
Indices = NDArray[np.int64]
_LEAST = 1e-6
"""Added to every error, so that no transition is never drawn again."""


class SumTree:
    """Sums of priorities over a binary tree: changing m leaves and finding m of them take m log2(size) each."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._leaves = 1 << max(0, size - 1).bit_length()
        self._sums = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self._sums[1])

    def get(self, indices: Indices) -> Float64:
        """Priorities [m] of leaves [m]."""
        found: Float64 = self._sums[self._leaves + indices]
        return found

    def set(self, indices: Indices, priorities: Float64) -> None:
        """Give leaves [m] the priorities [m]; the last one counts where a leaf is named twice."""
        self._sums[self._leaves + indices] = priorities
        parents = np.unique((self._leaves + indices) // 2)
        while parents[-1] >= 1:
            self._sums[parents] = self._sums[2 * parents] + self._sums[2 * parents + 1]
            parents = np.unique(parents // 2)

    def find(self, masses: Float64) -> Indices:
        """Leaves [m] in whose share of the total the `masses` [m] in [0, total) fall, the leaves laid end to end."""
        at, left_over = np.ones(len(masses), np.int64), masses.astype(np.float64)
        while at[0] < self._leaves:
            left = 2 * at
            # rounding may carry a mass past the last leaf: an empty right side is never entered
            goes_right = (left_over >= self._sums[left]) & (self._sums[left + 1] > 0)
            left_over = np.where(goes_right, left_over - self._sums[left], left_over)
            at = left + goes_right
        return at - self._leaves


@dataclass(frozen=True, slots=True)
class Transition:
    """A step, and where it led up to n steps later."""

    page: Page
    action: int
    reward: float
    """Discounted sum of the rewards on the way."""
    discount: float
    """What the value of `successor` counts: gamma to the steps taken; 0 when the episode ended on the way."""
    successor: Page


@dataclass(frozen=True, kw_only=True)
class StepSample:
    """Transitions drawn from the replay."""

    observation: Float32
    """[m, d]"""
    mask: Mask
    """[m, COUNT]"""
    action: Indices
    reward: Float32
    discount: Float32
    next_observation: Float32
    next_mask: Mask
    weight: Float32
    """[m] importance weights, at most 1."""
    index: Indices
    """Where they lie, for `PrioritisedReplay.reward_errors`."""


class NStep:
    """Sums the rewards of every world over up to `steps` steps and gives every step its transition."""

    def __init__(self, steps: int, gamma: float) -> None:
        self._steps, self._gamma = steps, gamma
        self._waiting: dict[int, deque[tuple[Page, int, float]]] = {}

    def read(self, rollout: DomRollout) -> list[Transition]:
        """Add a rollout; return the transitions that are complete by it. Steps that are not valid, and those before them, give none."""
        done: list[Transition] = []
        times, worlds = rollout.actions.shape
        for slot in range(worlds):
            page = pack_page(rollout.observations[0, slot], rollout.masks[0, slot])
            for time in range(times):
                if rollout.first[time, slot] or not rollout.valid[time, slot]:
                    self._waiting.pop(slot, None)  # the worlds were restarted, or a browser failed
                ended = bool(rollout.ended[time, slot])
                successor = self._next_page(rollout, time, slot, page)
                if rollout.valid[time, slot]:
                    action, reward = int(rollout.actions[time, slot]), float(rollout.rewards[time, slot])
                    done += self.add(slot, page, action, reward, page if ended else successor, ended)
                page = successor
        return done

    def _next_page(self, rollout: DomRollout, time: int, slot: int, page: Page) -> Page:
        """The page that stands at `time` + 1: of the next episode where this one has ended."""
        if time + 1 < len(rollout.actions):
            return pack_page(rollout.observations[time + 1, slot], rollout.masks[time + 1, slot])
        if rollout.ended[time, slot]:
            return page  # nothing asks for it
        successor = rollout.successor(time, slot)
        return pack_page(successor, masks_of(successor[None])[0])

    def add(self, world: int, page: Page, action: int, reward: float, successor: Page, ended: bool) -> list[Transition]:
        """Add one step of one world; return the transitions that are complete by it, the oldest first."""
        waiting = self._waiting.setdefault(world, deque())
        waiting.append((page, action, reward))
        if ended:
            return [self._oldest(waiting, successor, True) for _ in range(len(waiting))]
        return [self._oldest(waiting, successor, False)] if len(waiting) == self._steps else []

    def _oldest(self, waiting: deque[tuple[Page, int, float]], successor: Page, ended: bool) -> Transition:
        # R = sum_k gamma^k r_{t+k}
        total = sum(self._gamma**place * reward for place, (_, _, reward) in enumerate(waiting))
        discount = 0.0 if ended else self._gamma ** len(waiting)
        page, action, _ = waiting.popleft()
        return Transition(page, action, total, discount, successor)


class PrioritisedReplay:
    """The last `size` transitions, drawn by priority; new ones come in with the highest seen so far."""

    def __init__(self, size: int, alpha: float) -> None:
        self.size, self._alpha = size, alpha
        self._tree = SumTree(size)
        self._rows: list[Transition] = []
        self._next, self._highest = 0, 1.0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, transitions: Sequence[Transition]) -> None:
        """Store transitions, the oldest making room."""
        for row in transitions:
            if len(self._rows) < self.size:
                self._rows.append(row)
            else:
                self._rows[self._next] = row
            self._tree.set(np.array([self._next]), np.array([self._highest**self._alpha]))
            self._next = (self._next + 1) % self.size

    def draw(self, m: int, beta: float, rng: np.random.Generator) -> StepSample:
        """Draw m transitions, one from each m-th part of the total (section B.2.1 of the paper)."""
        masses = (np.arange(m) + rng.random(m)) * self._tree.total / m
        index = self._tree.find(masses)
        shares = self._tree.get(index) / self._tree.total
        weight = (len(self._rows) * shares) ** -beta
        rows = [self._rows[place] for place in index]
        observation, mask = stack_pages([row.page for row in rows])
        next_observation, next_mask = stack_pages([row.successor for row in rows])
        return StepSample(
            observation=observation,
            mask=mask,
            action=np.array([row.action for row in rows], np.int64),
            reward=np.array([row.reward for row in rows], np.float32),
            discount=np.array([row.discount for row in rows], np.float32),
            next_observation=next_observation,
            next_mask=next_mask,
            weight=(weight / weight.max()).astype(np.float32),
            index=index,
        )

    def reward_errors(self, index: Indices, errors: NDArray[Any]) -> None:
        """Set the priorities of drawn transitions from their temporal-difference errors [m]: p = |error| + a little."""
        priorities = np.abs(np.asarray(errors, np.float64)) + _LEAST
        self._highest = max(self._highest, float(priorities.max()))
        self._tree.set(index, priorities**self._alpha)

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """State and arrays of a checkpoint; a page that several transitions share is stored once."""
        numbers = number_pages(page for row in self._rows for page in (row.page, row.successor))
        arrays = dump_pages([page for _, page in numbers.values()])
        arrays |= {
            "page": np.array([numbers[id(row.page)][0] for row in self._rows], np.int64),
            "successor": np.array([numbers[id(row.successor)][0] for row in self._rows], np.int64),
            "action": np.array([row.action for row in self._rows], np.int64),
            "reward": np.array([row.reward for row in self._rows], np.float64),
            "discount": np.array([row.discount for row in self._rows], np.float64),
            "priority": self._tree.get(np.arange(len(self._rows))),
        }
        return {"next": self._next, "highest": self._highest}, {f"replay_{name}": a for name, a in arrays.items()}

    def load(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `save` gave; raises `KeyError` or `ValueError` where it does not fit."""
        pages = load_pages(arrays, "replay_")
        kept = {
            name: arrays[f"replay_{name}"].tolist() for name in ("page", "action", "reward", "discount", "successor")
        }
        if len(kept["page"]) > self.size:
            raise ValueError(f"{len(kept['page'])} transitions are stored, this replay holds {self.size}")
        self._rows = [
            Transition(pages[page], action, reward, discount, pages[successor])
            for page, action, reward, discount, successor in zip(*kept.values(), strict=True)
        ]
        self._next, self._highest = int(state["next"]), float(state["highest"])
        self._tree = SumTree(self.size)
        if self._rows:
            self._tree.set(np.arange(len(self._rows)), arrays["replay_priority"].astype(np.float64))
