"""Episodes over any simulator: seeds, horizon, task parameters, auto-reset, native return and outcomes. No physics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, FloatArray, NamedState, ParamSource, StepBatch, resolve_params
from envs.gym.recipe import BoolArray, Ending, Recipe
from envs.task import ParamValue, TaskSpec


class GymBatch:
    """A `BatchEnv` over the simulator and the scorer of a recipe."""

    def __init__(self, recipe: Recipe, task: TaskSpec, n: int, params: ParamSource | None) -> None:
        if n < 1:
            raise ValueError(f"{task.family}: number of worlds is {n}; give at least 1.")
        self.num_envs = n
        self._recipe, self._task, self._source = recipe, task, params
        self._simulator = recipe.open_simulator(n)
        self._scorer = recipe.open_scorer(n, task.horizon)
        self._names = [variable.name for variable in recipe.card.state]
        self.observation_space: gymnasium.spaces.Space[Any] = self._simulator.observation_space
        self.action_space: gymnasium.spaces.Space[Any] = self._simulator.action_space
        self._params: list[Mapping[str, ParamValue]] = [task.params] * n
        self._lengths = np.zeros(n, np.int64)
        self._returns = np.zeros(n, np.float64)
        self._awake = np.ones(n, np.int64)
        self._started = False

    def reset(self, seed: int) -> FloatArray:
        """Reseed and restart every world, each from its own child of `SeedSequence(seed)`; return [n, d] float32."""
        return self._begin(np.random.SeedSequence(seed).spawn(self.num_envs))

    @property
    def steps_together(self) -> bool:
        """Whether many worlds cost little more than one, so that `reset_each` pays."""
        return bool(getattr(self._simulator, "steps_together", False))

    def reset_each(self, seeds: Sequence[int]) -> FloatArray:
        """Restart world i as the only world of a batch would be by `reset(seeds[i])`; return [n, d] float32."""
        if len(seeds) != self.num_envs:
            raise ValueError(f"{self._task.family}: {len(seeds)} seeds for {self.num_envs} worlds; give one each.")
        return self._begin([np.random.SeedSequence(seed).spawn(1)[0] for seed in seeds])

    def rest(self, world: int) -> None:
        """Nobody looks at this world until the next reset: a simulator that pays for each world leaves it out.

        A world of a simulator that does not may begin anew by itself; it has no outcome.
        """
        self._awake[world] = 0
        self._simulator.rest(world)

    def _begin(self, sequences: Sequence[np.random.SeedSequence]) -> FloatArray:
        self._awake[:] = 1
        self._simulator.reseed([int(sequence.generate_state(1)[0]) for sequence in sequences])
        for slot in range(self.num_envs):
            self._restart(slot)
        truth = self._simulator.truth()
        for slot in range(self.num_envs):
            self._scorer.begin(slot, truth)
        self._started = True
        return self._simulator.observe()

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Advance every world by one control step; finished worlds are scored, then restarted in place."""
        if not self._started:
            raise ValueError(f"{self._task.family}: call reset(seed) before step.")
        prepared = self._prepare(actions)
        reward, terminated, stopped = self._simulator.step(prepared)
        self._lengths += self._awake
        self._returns += reward
        truncated = (stopped | (self._lengths >= self._task.horizon)) & ~terminated
        truth = self._simulator.truth()
        final = observation = self._simulator.observe()
        self._scorer.advance(truth, prepared)
        outcomes: tuple[EpisodeOutcome, ...] = ()
        done = terminated | truncated
        if done.any():
            slots = np.flatnonzero(done).tolist()
            outcomes = tuple(self._finish(slot, terminated, truth) for slot in slots if self._awake[slot])
            self._begin_again(slots)
            observation = self._simulator.observe()
        return StepBatch(
            observation=observation,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state={name: truth[name] for name in self._names},
            outcomes=outcomes,
        )

    def named_state(self) -> NamedState:
        """Named state of every world now, copies."""
        truth = self._simulator.truth()
        return {name: truth[name] for name in self._names}

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB frame [height, width, 3] of one world, headless."""
        return self._simulator.render(slot)

    def close(self) -> None:
        self._simulator.close()

    def _prepare(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Check shape and finiteness, clip to the action space: [n] int64 or [n, k] float32."""
        space = self.action_space
        wanted = (self.num_envs, *(space.shape or ()))
        array = np.asarray(actions)
        if array.shape != wanted:
            raise ValueError(f"{self._task.family}: actions have shape {array.shape}; give {wanted}.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{self._task.family}: actions are not finite; the policy has diverged.")
        if isinstance(space, gymnasium.spaces.Discrete):
            return np.minimum(np.maximum(array.astype(np.int64), 0), int(space.n) - 1)
        assert isinstance(space, gymnasium.spaces.Box)
        return np.minimum(np.maximum(array.astype(np.float32), space.low), space.high)

    def _finish(self, slot: int, terminated: BoolArray, truth: NamedState) -> EpisodeOutcome:
        ending = Ending(
            slot=slot,
            length=int(self._lengths[slot]),
            horizon=self._task.horizon,
            terminated=bool(terminated[slot]),
            native_return=float(self._returns[slot]),
            params=self._params[slot],
        )
        score = self._scorer.close(ending, truth)
        return EpisodeOutcome(
            slot=slot,
            params=ending.params,
            fitness=float(score.fitness),
            success=bool(score.success),
            native_return=ending.native_return,
            length=ending.length,
            extras={name: float(value) for name, value in score.extras.items()},
        )

    def _begin_again(self, slots: list[int]) -> None:
        for slot in slots:
            self._restart(slot)
        truth = self._simulator.truth()
        for slot in slots:
            self._scorer.begin(slot, truth)

    def _restart(self, slot: int) -> None:
        if self._source is not None:
            given = {**self._task.params, **self._source()}
            self._params[slot] = resolve_params(self._task.family, self._recipe.params_model, given)
        self._simulator.reset(slot, self._params[slot])
        self._lengths[slot] = 0
        self._returns[slot] = 0.0
