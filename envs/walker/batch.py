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

from envs.family import EpisodeOutcome, NamedState, ParamSource, StepBatch
from envs.task import TaskSpec
from envs.walker import measures
from envs.walker.drawing import draw_frame
from envs.walker.lidar import RAYS, Lidar
from envs.walker.params import check_params
from envs.walker.terrain import CLOUD_DRAWS, START_M, Ground, make_ground
from envs.walker.world import FPS, RAW, World

ACTION_SIZE = 4
INITIAL_PUSH = 5.0
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
    return gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)


class WalkerBatch:
    """n walkers. With `auto_reset=False` a finished walker stays as it is until `begin` or a reset."""

    def __init__(self, task: TaskSpec, n: int, params: ParamSource | None = None, *, auto_reset: bool = True) -> None:
        self.num_envs = n
        self.observation_space: gymnasium.spaces.Space[Any] = observation_space()
        self.action_space: gymnasium.spaces.Space[Any] = action_space()
        self._task, self._auto_reset = task, auto_reset
        self._fixed = check_params(task.params)
        self._source = params
        self._worlds: list[World] = []
        self._lidar = Lidar(n)
        self._params, self._grounds = [self._fixed] * n, [Ground([], [])] * n
        self._raw = np.zeros((n, len(RAW)))
        self._rays = np.ones((n, RAYS), dtype=np.float32)
        self._potential, self._effort = np.zeros(n), np.zeros(n)
        self._length = np.zeros(n, dtype=np.int64)
        self._return, self._effort_sum = np.zeros(n), np.zeros(n)

    def reset(self, seed: int) -> measures.Float32:
        """Restart every walker, each on its own stream derived from `seed`; return observations [n, 24]."""
        streams = np.random.SeedSequence(seed).spawn(self.num_envs)
        return self.restart([np.random.Generator(np.random.PCG64(stream)) for stream in streams])

    def restart(self, generators: Sequence[np.random.Generator]) -> measures.Float32:
        """Restart every walker in a new world, drawing its grounds from its own generator from now on."""
        self._generators = list(generators)
        self._worlds = [World() for _ in self._generators]
        return self.begin(range(self.num_envs))

    def begin(self, slots: Iterable[int]) -> measures.Float32:
        """Start new episodes in `slots`; return observations [n, 24] of all walkers."""
        index = list(slots)
        self._raw = self._raw.copy()
        for slot in index:
            self._raw[slot] = self._place(slot)
        self._rays = self._cast(self._raw)
        self._potential = measures.shaping(self._raw)
        for tally in (self._effort, self._length, self._return, self._effort_sum):
            tally[index] = 0
        return measures.observe(self._raw, self._rays)

    def _place(self, slot: int) -> list[float]:
        """Draw parameters and a ground, put the walker on it and let it settle for one step, as Gymnasium does."""
        rng, world = self._generators[slot], self._worlds[slot]
        params = self._fixed if self._source is None else check_params({**self._task.params, **self._source()})
        ground = make_ground(params, rng)
        rng.random(CLOUD_DRAWS)
        world.build(ground, float(rng.uniform(-INITIAL_PUSH, INITIAL_PUSH)))
        world.advance([0.0] * ACTION_SIZE)
        self._lidar.load(slot, ground)
        self._params[slot], self._grounds[slot] = params, ground
        return world.read()

    def _cast(self, raw: measures.Float64) -> measures.Float32:
        return self._lidar.cast(raw[:, RAW.index("x")], raw[:, RAW.index("y")])

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Advance every walker by 1/50 s. `actions` [n, 4]: hip 1, knee 1, hip 2, knee 2, clipped to [-1, 1].

        Raises `ValueError` when an action is not finite, `RuntimeError` before the first reset.
        """
        reward, down = self._move(actions)
        terminated = down | measures.arrived(self._raw)
        truncated = (self._length >= self._task.horizon) & ~terminated
        final = measures.observe(self._raw, self._rays)
        next_state = measures.name_state(self._raw, self._rays, self._effort.copy())
        finished = np.flatnonzero(terminated | truncated).tolist()
        outcomes = tuple(self._outcome(slot, bool(down[slot])) for slot in finished)
        observation = self.begin(finished) if finished and self._auto_reset else final.copy()
        return StepBatch(
            observation=observation,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state=next_state,
            outcomes=outcomes,
        )

    def _move(self, actions: NDArray[Any]) -> tuple[measures.Float64, NDArray[np.bool_]]:
        """Run the physics and the tallies; return native reward [n] and fallen [n]."""
        if not self._worlds:
            raise RuntimeError("step before reset: call reset(seed) first")
        clipped = np.clip(np.asarray(actions, dtype=np.float64).reshape(self.num_envs, ACTION_SIZE), -1.0, 1.0)
        if not np.isfinite(clipped).all():
            raise ValueError("actions must be finite numbers, got nan; check the policy's outputs")
        rows = []
        for world, action in zip(self._worlds, clipped.tolist(), strict=True):
            world.advance(action)
            rows.append(world.read())
        self._raw = np.array(rows)
        self._rays = self._cast(self._raw)
        self._effort = np.abs(clipped).mean(axis=1)
        potential, down = measures.shaping(self._raw), measures.fallen(self._raw)
        reward = measures.native_reward(potential - self._potential, self._effort, down)
        self._potential = potential
        self._length += 1
        self._return += reward
        self._effort_sum += self._effort
        return reward, down

    def _outcome(self, slot: int, fell: bool) -> EpisodeOutcome:
        length = int(self._length[slot])
        effort = float(self._effort_sum[slot]) / length
        row = self._raw[slot : slot + 1]
        distance = float(row[0, RAW.index("x")]) - START_M
        return EpisodeOutcome(
            slot=slot,
            params=self._params[slot].model_dump(),
            fitness=float(measures.progress(row)[0]) - 0.2 * effort,
            success=bool(measures.arrived(row)[0]) and not fell,
            native_return=float(self._return[slot]),
            length=length,
            extras={
                "distance_m": distance,
                "effort": effort,
                "mean_speed": distance / length * FPS,
                "fell": float(fell),
            },
        )

    def named_state(self) -> NamedState:
        """Named state of every walker now, as copies."""
        return measures.name_state(self._raw.copy(), self._rays, self._effort.copy())

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB frame [320, 480, 3] of one walker and the ground around it, headless."""
        if not self._worlds:
            raise RuntimeError("render before reset: call reset(seed) first")
        x, y = (float(self._raw[slot, RAW.index(name)]) for name in ("x", "y"))
        return draw_frame(self._grounds[slot], self._worlds[slot].outlines(), (x, y), self._rays[slot])

    def close(self) -> None:
        """Let go of the worlds."""
        self._worlds = []
