"""Watches a learner's worlds for circuits: remembers each episode's actions, lets some follow an own success first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.family import StepBatch
from envs.task import TaskSpec
from experimenter.trainers.base import Problem
from experimenter.trainers.qas_circuits import Circuits
from experimenter.trainers.qas_settings import SearchSettings
from experimenter.trainers.worlds import restart_seed
from skills.circuit import CircuitPolicy

_PLAY = 1
"""Added to a training's seed for the worlds in which a circuit is tried before it becomes the policy."""


class CircuitWatch:
    """The episodes of n worlds as action lists, and the circuits that came of them."""

    def __init__(self, circuits: Circuits, settings: SearchSettings, task: TaskSpec | None, seed: int, n: int) -> None:
        self.circuits, self._settings, self._task, self._seed = circuits, settings, task, seed
        self._actions: list[list[int]] = [[] for _ in range(n)]
        self._scripts: list[list[int]] = [[] for _ in range(n)]
        self._legal: NDArray[np.bool_] = np.ones((n, 1), np.bool_)
        self._chosen: NDArray[np.int64] = np.zeros(n, np.int64)

    def restart(self) -> None:
        """The worlds have been restarted."""
        for world in range(len(self._actions)):
            self._actions[world], self._scripts[world] = [], []

    def follow(self, action: NDArray[np.int64], legal: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Replace the actions of worlds that follow a script, and remember which of all are legal."""
        chosen = action.copy()
        for world, script in enumerate(self._scripts):
            place = len(self._actions[world])
            if place < len(script):
                if legal[world, script[place]]:
                    chosen[world] = script[place]
                else:
                    self._scripts[world] = []
        self._chosen, self._legal = chosen, legal[np.arange(len(chosen)), chosen]
        return chosen

    def take(self, batch: StepBatch, step: int, return_share: float, rng: np.random.Generator) -> None:
        """Take in what the step of the remembered actions led to."""
        for world in np.flatnonzero(self._legal).tolist():
            self._actions[world].append(int(self._chosen[world]))
        for outcome in batch.outcomes:
            world = outcome.slot
            self.circuits.take(outcome, self._actions[world], step)
            self._actions[world] = []
            own = self.circuits.replay_actions()
            follows = bool(own) and rng.random() < return_share
            self._scripts[world] = own[: int(rng.integers(len(own) + 1))] if follows else []

    def finish(self, step: int, pulse: Callable[[], bool]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Search further and make the policy; `pulse` says when that shall end early."""
        self.circuits.search(step, pulse)
        return self.circuits.policy(step, lambda actions: self._play(actions, pulse))

    def _play(self, actions: list[int], pulse: Callable[[], bool]) -> float:
        """Mean fitness of an open-loop replay in fresh worlds of the target task."""
        if self._task is None:
            return 1.0 / (1.0 + len(actions))
        from experimenter.trainers.qas_spec import playback

        pulse()
        policy = CircuitPolicy(playback(actions))
        env = get_family(self._task.family).make_vec(self._task, self._settings.replays)
        observation, fitness = env.reset(restart_seed(self._seed + _PLAY, 0)), dict[int, float]()
        while len(fitness) < env.num_envs:
            batch = env.step(policy.act(observation))
            for outcome in batch.outcomes:
                fitness.setdefault(outcome.slot, outcome.fitness)
            observation = batch.observation
        env.close()
        return float(np.mean(list(fitness.values())))


def make_watch(problem: Problem, settings: SearchSettings, seed: int, n: int) -> CircuitWatch | None:
    """Watch the worlds of `problem` where they are circuits; None for other families."""
    if problem.family.partition(":")[0] != "quantum":
        return None
    return CircuitWatch(Circuits(settings, problem.task, seed, problem.family), settings, problem.task, seed, n)
