"""Many rooms stepped together: the `BatchEnv` of the quadrotor family. Slot = world * drones + drone.

`make_vec(task, n)` makes n rooms, so there are n x drones slots, one observation, action, reward and outcome each. A room's episode ends
for all its drones at once: those that crashed are terminated, the others truncated. Task parameters are drawn once a room and episode;
the number of drones is the batch's shape and stays the task's whatever is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.family import EpisodeOutcome, NamedState, ParamSource, StepBatch
from envs.quadrotor.drawing import draw_room
from envs.quadrotor.measures import make_outcome, name_state
from envs.quadrotor.params import check_params
from envs.quadrotor.practice import Practice
from envs.quadrotor.swarm import View, make_swarm
from envs.task import ParamValue, TaskSpec


class QuadrotorBatch:
    """n rooms of drones; `params` gives each new episode of a room its task parameters, over the task's own."""

    def __init__(self, task: TaskSpec, n: int, params: ParamSource | None = None, view: View | None = None) -> None:
        fixed = check_params(task.params)
        self.swarm = make_swarm(n, fixed, task.horizon, view)
        self.num_envs = self.swarm.agents
        self.observation_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(
            -np.inf, np.inf, (self.swarm.size,), np.float32
        )
        self.action_space: gymnasium.spaces.Space[Any] = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._task, self._source, self._fixed = task, params, fixed
        self._params: list[dict[str, ParamValue]] = [fixed.model_dump() for _ in range(n)]
        self._trails: dict[int, list[NDArray[np.float64]]] = {}
        self._started = False
        self._practice: Practice | None = None

    @property
    def unwrapped(self) -> QuadrotorBatch:
        """Itself: what a trainer finds under the wrappers of a job."""
        return self

    def practise(self) -> Practice:
        """Begin to practise, from the next reset on: a trainer's way to shape, ramp and replay (see `envs.quadrotor.practice`)."""
        if self._practice is None:
            self._practice = Practice(self.swarm)
        return self._practice

    def reset(self, seed: int) -> NDArray[np.float32]:
        """Restart every room, each on its own stream derived from `seed`; return observations [slots, d]."""
        self._draw(list(range(self.swarm.worlds)))
        self._started = True
        observation = self.swarm.reset(seed)
        if self._practice is not None:
            self._practice.begin(seed)
        return observation

    @property
    def steps_together(self) -> bool:
        """Many rooms cost little more than one, so that `reset_each` pays."""
        return True

    def reset_each(self, seeds: Sequence[int]) -> NDArray[np.float32]:
        """Restart room i as the only room of a batch would be by `reset(seeds[i])`; return observations [slots, d].

        Raises `ValueError` unless there is one seed a room.
        """
        if len(seeds) != self.swarm.worlds:
            raise ValueError(f"{len(seeds)} seeds for {self.swarm.worlds} rooms; give one seed a room.")
        self._draw(list(range(self.swarm.worlds)))
        self._started = True
        return self.swarm.reset_each(seeds)

    def rest(self, world: int) -> None:
        """Nothing: rooms are columns of one array, and one of them less saves no time."""

    def _draw(self, worlds: list[int]) -> None:
        """Draw the task parameters of new episodes."""
        for world in worlds:
            self._trails.pop(world, None)
            if self._source is None and self._practice is not None:
                self.swarm.set_params(world, self._fixed)  # a resumed moment had its own
            if self._source is not None:
                fixed = {"drones": self.swarm.drones, "history": self.swarm.view.history}
                drawn = check_params({**self._task.params, **self._source(), **fixed})
                self._params[world] = drawn.model_dump()
                self.swarm.set_params(world, drawn)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        """Advance every room by 0.01 s. `actions` [slots, 4] is clipped to [-1, 1].

        Raises `ValueError` when an action is not a number, `RuntimeError` before the first reset.
        """
        self._check_started()
        swarm, practice = self.swarm, self._practice
        before = practice.before_step() if practice else None
        over = swarm.step(check_actions(actions, self.num_envs), restart=False)
        next_state = name_state(swarm)
        done = swarm.terminated | swarm.truncated
        terminated, truncated = swarm.terminated.copy(), swarm.truncated.copy()
        final, reward = swarm.final_observation.copy(), swarm.reward.copy()
        if practice is not None and before is not None:
            reward += practice.after_step(before)
        outcomes: tuple[EpisodeOutcome, ...] = ()
        if over:
            outcomes = tuple(self._outcome(slot) for slot in np.flatnonzero(done).tolist() if self._scores(slot))
            worlds = np.flatnonzero(done[:: swarm.drones]).tolist()
            self._draw(worlds)
            swarm.restart(worlds)
            if practice is not None:
                practice.resume(worlds)
        return StepBatch(
            observation=swarm.observation.copy(),
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            final_observation=final,
            next_state=next_state,
            outcomes=outcomes,
        )

    def _scores(self, slot: int) -> bool:
        """Whether the episode of `slot` began as its task says, and so has an outcome."""
        return self._practice is None or not self._practice.unscored[slot // self.swarm.drones]

    def _outcome(self, slot: int) -> EpisodeOutcome:
        world = slot // self.swarm.drones
        return make_outcome(self.swarm.table, self.swarm.world_table[world], slot, dict(self._params[world]))

    def named_state(self) -> NamedState:
        """Named state of every drone now, as copies."""
        self._check_started()
        return name_state(self.swarm)

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        """RGB frame [360, 720, 3] of the slot's room: from above on the left, in perspective on the right, headless.

        Drones leave a trail of the positions at which the room was drawn since its episode began.
        """
        self._check_started()
        world = slot // self.swarm.drones
        trail = self._trails.setdefault(world, [])
        return draw_room(self.swarm, world, trail)

    def close(self) -> None:
        """Let go of the trails; harmless twice."""
        self._trails = {}

    def _check_started(self) -> None:
        if not self._started:
            raise RuntimeError("the drones have not started: call reset(seed) first")


def check_actions(actions: NDArray[Any], slots: int) -> NDArray[np.float32]:
    """Return `actions` as contiguous float32 [slots, 4]; raises `ValueError` on a wrong shape or a value that is not a number."""
    checked = np.ascontiguousarray(actions, dtype=np.float32)
    if checked.shape != (slots, 4):
        raise ValueError(f"actions have shape {checked.shape}; give ({slots}, 4), four numbers a drone.")
    if np.isnan(checked).any():
        raise ValueError("actions must be numbers, got nan; check the policy's outputs")
    return checked
