"""A family and a trainer for execution tests, installed as a real plug-in (entry points in a .dist-info folder).

The family: a point at x moves by the action in [-1, 1] times 0.1; fitness is the share of steps with |x| < 0.1. The trainer:
a (1+1) search over a linear policy, repeatable per seed and resumable, that misbehaves on demand.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from envs.family import Card, EpisodeOutcome, Parameter, Params, ParamSource, StepBatch, Variable, resolve_params
from envs.task import ParamValue, TaskSpec

ENTRY_POINTS = """[experimenter.families]
toy = toy_plugin:make_family
[experimenter.trainers]
toy = toy_plugin:ToyTrainer
"""


class ToyParams(Params):
    start: float = Field(default=1.0, ge=0.0, le=2.0)


class ToyWorlds:
    def __init__(self, task: TaskSpec, n: int, params: ParamSource | None) -> None:
        self.num_envs, self._task, self._source = n, task, params
        self.observation_space = gymnasium.spaces.Box(-10.0, 10.0, (1,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._x = np.zeros(n)

    def reset(self, seed: int) -> NDArray[Any]:
        self._rngs = [np.random.default_rng([seed, i]) for i in range(self.num_envs)]
        self._params: list[Mapping[str, ParamValue]] = [{} for _ in range(self.num_envs)]
        self._near, self._return = np.zeros(self.num_envs), np.zeros(self.num_envs)
        self._length = 0
        for i in range(self.num_envs):
            self._restart(i)
        return self._observe()

    def _restart(self, i: int) -> None:
        self._params[i] = dict(self._source()) if self._source else self._task.params
        self._x[i] = float(self._params[i]["start"]) * self._rngs[i].choice([-1.0, 1.0]) * self._rngs[i].uniform(0.5, 1)
        self._near[i] = self._return[i] = 0.0

    def step(self, actions: NDArray[Any]) -> StepBatch:
        self._x = self._x + 0.1 * np.clip(np.asarray(actions, np.float64)[:, 0], -1, 1)
        reward = -np.abs(self._x)
        self._near += np.abs(self._x) < 0.1
        self._return += reward
        self._length += 1
        final, state, outcomes = self._observe(), self.named_state(), []
        done = self._length == self._task.horizon
        if done:
            outcomes = [self._outcome(i) for i in range(self.num_envs)]
            self._length = 0
            for i in range(self.num_envs):
                self._restart(i)
        return StepBatch(
            observation=self._observe(),
            reward=reward,
            terminated=np.zeros(self.num_envs, bool),
            truncated=np.full(self.num_envs, done),
            final_observation=final,
            next_state=state,
            outcomes=tuple(outcomes),
        )

    def _outcome(self, i: int) -> EpisodeOutcome:
        fitness = float(self._near[i]) / self._task.horizon
        return EpisodeOutcome(
            slot=i,
            params=self._params[i],
            fitness=fitness,
            success=fitness > 0.3,
            native_return=float(self._return[i]),
            length=self._task.horizon,
        )

    def _observe(self) -> NDArray[np.float32]:
        return self._x[:, None].astype(np.float32)

    def named_state(self) -> dict[str, NDArray[Any]]:
        return {"position": self._x.copy()}

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        frame = np.zeros((20, 60, 3), np.uint8)
        frame[:, int(np.clip(30 + 10 * self._x[slot], 0, 59))] = 255
        return frame

    def close(self) -> None:
        pass


class ToyFamily:
    name = "toy"
    params_model = ToyParams

    def card(self) -> Card:
        return Card(
            family="toy",
            title="Toy",
            text="A point on a line; bring it to the middle.",
            state=(Variable(name="position", low=-10, high=10),),
            actions=(Variable(name="push", low=-1, high=1),),
            params=(Parameter(name="start", low=0.0, high=2.0, default=1.0, step=0.5),),
            fitness="share of the steps near the middle",
            success="more than 0.3",
            horizon=40,
        )

    def resolve_task(
        self, params: Mapping[str, ParamValue] | None = None, *, horizon: int | None = None, seed: int = 0
    ) -> TaskSpec:
        full = resolve_params(self.name, ToyParams, params or {})
        return TaskSpec(family="toy", params=full, horizon=horizon or 40, seed=seed)

    def make(self, task: TaskSpec) -> gymnasium.Env[Any, Any]:
        raise NotImplementedError("the toy is batched only")

    def make_vec(self, task: TaskSpec, n: int, params: ParamSource | None = None) -> ToyWorlds:
        return ToyWorlds(task, n, params)

    def sample_params(self, rng: np.random.Generator) -> dict[str, ParamValue]:
        return {"start": float(rng.uniform(0.0, 2.0))}


def make_family(name: str) -> ToyFamily:
    return ToyFamily()


class ToyTrainer:
    """Settings: `pause_s` a round, `misbehave` (see `_misbehave`) after `after` rounds."""

    name = "toy"

    def default_settings(self, family: str) -> dict[str, ParamValue]:
        return {"pause_s": 0.0, "misbehave": "", "after": 3}

    def train(self, problem: Any, budget: Any, seed: int, listen: Any) -> Any:
        from experimenter.trainers.base import Command, Progress, TrainedPolicy
        from experimenter.trainers.checkpoint import read_checkpoint, write_checkpoint
        from experimenter.trainers.worlds import load_worlds, restart_seed, save_worlds

        settings = {**self.default_settings(problem.family), **problem.settings}
        env = problem.make_vec(4)
        weights, best, step = np.array([0.0, 0.0]), -np.inf, 0
        found = read_checkpoint(problem.folder)
        if found is not None:
            weights, best, step = np.array(found.state["weights"]), found.state["best"], found.state["step"]
            load_worlds(env, found.state["worlds"])
        rounds = 0
        while step < budget.steps:
            trial = weights + np.random.default_rng([seed, step]).normal(0, 0.5, 2) * (step > 0)
            observation, total = env.reset(restart_seed(seed, step)), 0.0
            for _ in range(40):
                batch = env.step(trial[0] * observation + trial[1])
                observation, total, step = batch.observation, total + float(batch.reward.mean()), step + 4
            if total > best:
                weights, best = trial, total
            state = {"weights": weights.tolist(), "best": float(best), "step": step, "worlds": save_worlds(env)}
            write_checkpoint(problem.folder, state, {"none": np.zeros(1, np.float32)})
            rounds += 1
            time.sleep(float(settings["pause_s"]))
            if settings["misbehave"] and rounds >= int(settings["after"]):
                _misbehave(str(settings["misbehave"]), problem.folder)
            if listen(Progress(step=step, losses={"best": float(best)})) is Command.STOP:
                break
        scale = np.nan if settings["misbehave"] == "nan_weights" else 1.0
        spec = {"kind": "mlp", "activation": "tanh", "layers": 1, "head": "clip", "low": [-1.0], "high": [1.0]}
        tensors = {"w0": np.array([[weights[0] * scale]], np.float32), "b0": np.array([weights[1]], np.float32)}
        return TrainedPolicy(spec={**spec, "normalise": False}, tensors=tensors, steps=step)


def _misbehave(how: str, folder: Path) -> None:
    once = folder / "misbehaved"
    if how == "killed_once" and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(7)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "memory":
        raise MemoryError
    elif how == "raise":
        raise RuntimeError("the toy is broken")
    elif how == "grandchild":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (folder / "grandchild").write_text(str(child.pid))
        time.sleep(600)
    elif how == "hang":
        time.sleep(600)
