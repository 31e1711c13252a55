"""Many walkers stepped together: the `BatchEnv` of the walker family.

The physics is a Python loop over lean worlds; everything around it (lidar, observation, reward, named state) is NumPy over
the batch. `reset(seed)` starts worlds without history, so that a seed repeats bit for bit. Between resets each slot reuses
its Box2D world from episode to episode, as Gymnasium does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import NamedState, ParamSource, StepBatch
from envs.task import TaskSpec
from envs.walker.drawing import draw_walker
from envs.walker.lidar import RAYS, Lidar
from envs.walker.measures import CENTRE, Float32, name_state, observe
from envs.walker.params import check_params
from envs.walker.walker import JOINTS, Walker

_ANGLE, _SPEED, _CONTACT = np.pi, 5.0, 5.0
_LEG_HIGH = [_ANGLE, _SPEED, _ANGLE, _SPEED, _CONTACT]
_LEG_LOW = [-_ANGLE, -_SPEED, -_ANGLE, -_SPEED, 0.0]


def observation_space() -> gymnasium.spaces.Box:
    """Box [24] float32 with the bounds of BipedalWalker-v3."""
    low = [-_ANGLE, -_SPEED, -_SPEED, -_SPEED, *_LEG_LOW, *_LEG_LOW, *[-1.0] * RAYS]
    high = [_ANGLE, _SPEED, _SPEED, _SPEED, *_LEG_HIGH, *_LEG_HIGH, *[1.0] * RAYS]
    return gymnasium.spaces.Box(np.array(low, dtype=np.float32), np.array(high, dtype=np.float32))


def action_space() -> gymnasium.spaces.Box:
    """Box [4] float32 in [-1, 1]."""
    return gymnasium.spaces.Box(-1.0, 1.0, (JOINTS,), np.float32)


class WalkerBatch:
    """n walkers; `params` gives each new episode its task parameters, over the task's own."""

    def __init__(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> None:
        self.num_envs = n
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._source = task, params
        self._fixed = check_params(task.params)
        self._walkers: list[Walker] = []
        self._resting: set[int] = set()
        self._lidar = Lidar(n)

    def reset(self, seed: int) -> Float32:
        """Restart every walker, each on its own stream derived from `seed`; return observations [n, 24]."""
        return self._restart(np.random.SeedSequence(seed).spawn(self.num_envs))

    @property
    def steps_together(self) -> bool:
        """Lidar, observations and named states of many walkers cost little more than those of one."""
        return True

    def reset_each(self, seeds: Sequence[int]) -> Float32:
        """Restart walker i as the only one of a batch would be by `reset(seeds[i])`; return observations [n, 24].

        Raises `ValueError` unless there is one seed a walker.
        """
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} walkers; give one each.")
        return self._restart([np.random.SeedSequence(seed).spawn(1)[0] for seed in seeds])

    def rest(self, world: int) -> None:
        """Leave this walker as it stands until the next reset: no physics, no reward."""
        self._resting.add(world)

    def _restart(self, streams: Sequence[np.random.SeedSequence]) -> Float32:
        self._generators = [np.random.Generator(np.random.PCG64(stream)) for stream in streams]
        self._walkers = [Walker() for _ in streams]
        self._resting = set()
        self._begin(range(self.num_envs))
        return observe(self._raw, self._rays)

    def _begin(self, slots: Iterable[int]) -> None:
        """Start new episodes in `slots`."""
        for slot in slots:
            walker = self._walkers[slot]
            drawn = self._fixed if self._source is None else check_params({**self._task.params, **self._source()})
            walker.begin(drawn, self._generators[slot])
            self._lidar.load(slot, walker.ground)
        self._look()

    def _look(self) -> None:
        """Read every walker anew. Makes new arrays, so that earlier states stay as they were."""
        self._raw = np.array([walker.row for walker in self._walkers])
        self._effort = np.array([walker.effort for walker in self._walkers])
        self._rays = self._lidar.cast(self._raw[:, CENTRE].T)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Advance every walker by 1/50 s. `actions` [n, 4]: hip 1, knee 1, hip 2, knee 2, clipped to [-1, 1].

        Raises `ValueError` when an action is not finite, `RuntimeError` before the first reset.
        """
        walkers = self._started()
        clipped = clip_actions(actions, self.num_envs)
        resting = self._resting
        reward = np.array(
            [0.0 if slot in resting else walkers[slot].advance(action) for slot, action in enumerate(clipped)]
        )
        terminated = np.array([walker.fell or walker.arrived for walker in walkers])
        truncated = np.array([walker.length >= self._task.horizon for walker in walkers]) & ~terminated
        self._look()
        final, next_state = observe(self._raw, self._rays), self.named_state()
        finished = np.flatnonzero(terminated | truncated).tolist()
        outcomes = tuple(walkers[slot].outcome(slot) for slot in finished)
        if finished:
            self._begin(finished)
        return StepBatch(
            observation=observe(self._raw, self._rays) if finished else final.copy(),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state=next_state,
            outcomes=outcomes,
        )

    def named_state(self) -> NamedState:
        """Named state of every walker now, as copies."""
        self._started()
        return name_state(self._raw, self._rays, self._effort)

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB frame [320, 480, 3] of one walker and the ground around it, headless."""
        return draw_walker(self._started()[slot], self._rays[slot])

    def close(self) -> None:
        """Let go of the worlds."""
        self._walkers = []

    def _started(self) -> list[Walker]:
        if not self._walkers:
            raise RuntimeError("the walkers have not started: call reset(seed) first")
        return self._walkers


def clip_actions(actions: NDArray[Any], n: int) -> list[list[float]]:
    """Clip `actions` to [-1, 1] as n lists of four floats; raises `ValueError` on one that is not a number."""
    clipped = np.asarray(actions, dtype=np.float64).reshape(n, JOINTS).clip(-1.0, 1.0)
    if np.isnan(clipped).any():
        raise ValueError("actions must be numbers, got nan; check the policy's outputs")
    rows: list[list[float]] = clipped.tolist()
    return rows
