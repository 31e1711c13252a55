"""How the trainer `dom` steps pages: rollouts to learn from, and exams in which the greedy policy is only watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.family import BatchEnv, EpisodeOutcome, FloatArray, StepBatch
from envs.web.actions import Mask
from envs.web.encoding import masks_of
from experimenter.trainers.base import NonFinite
from experimenter.trainers.dom_algorithm import Algorithm, DomRollout, Finished
from experimenter.trainers.normalise import Float32, Float64

Greedy = Callable[[Float32, Mask], NDArray[np.int64]]
"""Observations [n, SIZE] and masks [n, COUNT] -> actions [n]."""


class Pages:
    """Worlds of the web family under their wrappers, with what the browser did to them."""

    def __init__(self, env: BatchEnv, timeout_cost: float = 0.0) -> None:
        """`timeout_cost` above 0 is taken from the reward of a step that the horizon cuts, which then counts as terminated."""
        self.env, self._timeout_cost = env, timeout_cost
        self._inner: Any = getattr(env, "unwrapped", env)
        self.observation: Float32 = np.zeros((env.num_envs, 0), np.float32)
        self._first = np.ones(env.num_envs, np.bool_)

    @property
    def failures(self) -> int:
        """Failures of the browser so far; none of them ended an episode."""
        return int(getattr(self._inner, "failures", 0))

    def _abandoned(self) -> NDArray[np.int64]:
        """[n] actions of each world that were given up because the browser failed on them."""
        found = getattr(self._inner, "abandoned", None)
        return np.zeros(self.env.num_envs, np.int64) if found is None else np.array(found, np.int64)

    def restart(self, seed: int) -> None:
        """Start new episodes everywhere."""
        self._see(self.env.reset(seed))
        self._first[:] = True

    def _see(self, observation: FloatArray) -> None:
        self.observation = np.asarray(observation, np.float32)

    def collect(self, algorithm: Algorithm, length: int, step: int, pulse: Callable[[int], bool]) -> DomRollout | None:
        """Let `algorithm` act for `length` steps; None when `pulse(steps taken)` says that it is over. Raises `NonFinite`."""
        taken: list[tuple[Any, ...]] = []
        cuts: dict[tuple[int, int], Float32] = {}
        finished: list[Finished] = []
        batch: StepBatch | None = None
        for time in range(length):
            seen, first, before = self.observation, self._first.copy(), self._abandoned()
            masks = masks_of(seen)
            actions, log_probs = algorithm.act(seen, masks)
            batch = self.env.step(actions)
            valid = self._abandoned() == before
            reward, terminated, truncated = self._judge(batch)
            taken.append((seen, masks, actions, log_probs, reward, first, terminated, truncated, valid))
            for slot in np.flatnonzero(truncated).tolist():
                cuts[time, slot] = np.asarray(batch.final_observation[slot], np.float32)
            finished += [Finished(time=time, slot=outcome.slot, outcome=outcome) for outcome in batch.outcomes]
            self._first = batch.terminated | batch.truncated
            self._see(batch.observation)
            if pulse((time + 1) * self.env.num_envs):
                return None
        assert batch is not None
        columns = [np.stack(column) for column in zip(*taken, strict=True)]
        rollout = _make_rollout(columns, np.asarray(batch.final_observation, np.float32), cuts, finished)
        _check(rollout, step)
        return rollout

    def _judge(self, batch: StepBatch) -> tuple[Float64, NDArray[np.bool_], NDArray[np.bool_]]:
        """Rewards, terminated and truncated, [n] each, with the cost of running out of time."""
        late = batch.truncated & ~batch.terminated
        reward = np.asarray(batch.reward, np.float64)
        if self._timeout_cost <= 0.0:
            return reward, batch.terminated, late
        return reward - self._timeout_cost * late, batch.terminated | late, np.zeros_like(late)

    def examine(
        self, greedy: Greedy, wanted: int, most_steps: int, counts: Callable[[EpisodeOutcome], bool]
    ) -> tuple[list[bool], int]:
        """Watch `greedy` for about `wanted` episodes that `counts`, as many on each page: their successes, and the steps that they took."""
        n, found, steps = self.env.num_envs, list[bool](), 0
        each = [0] * n
        share = -(-wanted // n)
        while len(found) < share * n and steps + n <= most_steps:
            batch = self.env.step(greedy(self.observation, masks_of(self.observation)))
            steps += n
            for outcome in batch.outcomes:
                if counts(outcome) and each[outcome.slot] < share:
                    each[outcome.slot] += 1
                    found.append(outcome.success)
            self._see(batch.observation)
        return found, steps


def _make_rollout(
    columns: list[NDArray[Any]], successors: Float32, cuts: dict[tuple[int, int], Float32], finished: list[Finished]
) -> DomRollout:
    seen, masks, actions, log_probs, rewards, first, terminated, truncated, valid = columns
    return DomRollout(
        observations=seen,
        masks=masks,
        actions=actions,
        log_probs=log_probs,
        rewards=rewards.astype(np.float64),
        first=first,
        terminated=terminated,
        truncated=truncated,
        valid=valid,
        successors=successors,
        cuts=cuts,
        finished=tuple(finished),
    )


def _check(rollout: DomRollout, step: int) -> None:
    if not np.isfinite(rollout.rewards).all():
        raise NonFinite("the reward", step, "look for a division, a logarithm or an overflow in the reward program")
    if not (np.isfinite(rollout.observations).all() and np.isfinite(rollout.successors).all()):
        raise NonFinite("the observation", step, "look at the page's elements")
