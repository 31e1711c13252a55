"""The lean PPO: learns, exports what it learnt, resumes bit for bit after a real kill, and names what went wrong."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from envs.family import BatchEnv, StepBatch
from experimenter.errors import JobError, UsageError
from experimenter.trainers import ppo_settings
from experimenter.trainers.adam import FlatAdam
from experimenter.trainers.base import Command, NonFinite, Problem, Progress, TrainBudget, TrainedPolicy
from experimenter.trainers.checkpoint import read_checkpoint
from experimenter.trainers.ppo import make_trainer
from experimenter.trainers.rollout import Rollout, rollout_length
from experimenter.trainers.worlds import Shape
from skills.artifact import load_policy, make_policy, save_policy

MakeProblem = Callable[..., Problem]
SMALL = {"rollout_steps": 32, "epochs": 2, "checkpoint_steps": 1000}
KILLED_CHILD = """
import os, signal, sys
from pathlib import Path
from envs.catalog import get_family
from experimenter.trainers.base import Command, Problem, TrainBudget
from experimenter.trainers.ppo import make_trainer

folder, fatal = Path(sys.argv[1]), int(sys.argv[2])
family = get_family("gym:CartPole-v1")
task = family.resolve_task()

class Fatal:
    def __init__(self, env):
        self.env, self.left = env, fatal
        self.num_envs, self.observation_space, self.action_space = env.num_envs, env.observation_space, env.action_space
    def reset(self, seed):
        return self.env.reset(seed)
    def step(self, actions):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.env.step(actions)
    def close(self):
        self.env.close()

probe = family.make_vec(task, 1)
problem = Problem(make_vec=lambda n: Fatal(family.make_vec(task, n)), observation_space=probe.observation_space,
                  action_space=probe.action_space, folder=folder, family="gym:CartPole-v1",
                  settings={"rollout_steps": 32, "epochs": 2, "checkpoint_steps": 1000})
make_trainer().train(problem, TrainBudget(steps=4000, schedule_steps=4000), 3, lambda progress: Command.CONTINUE)
"""


def go_on(progress: Progress) -> Command:
    return Command.CONTINUE


def train(problem: Problem, steps: int, *, seed: int = 3, schedule: int | None = None) -> TrainedPolicy:
    return make_trainer().train(problem, TrainBudget(steps=steps, schedule_steps=schedule or steps), seed, go_on)


def assert_same(one: TrainedPolicy, other: TrainedPolicy) -> None:
    assert one.spec == other.spec and one.steps == other.steps
    assert one.tensors.keys() == other.tensors.keys()
    for name, value in one.tensors.items():
        assert np.array_equal(value, other.tensors[name]), name


def play(policy: TrainedPolicy, problem: Problem, episodes: int) -> list[float]:
    """Native returns of the deterministic policy, through the artifact."""
    env, actor = problem.make_vec(episodes), make_policy(policy.spec, policy.tensors)
    returns: dict[int, float] = {}  # the first episode of each world: later ones would favour short ones
    observation = env.reset(10**6)
    while len(returns) < episodes:
        batch = env.step(actor.act(observation))
        for outcome in batch.outcomes:
            returns.setdefault(outcome.slot, outcome.native_return)
        observation = batch.observation
    env.close()
    return list(returns.values())


class Wrapped:
    """Passes everything on; subclasses change a step."""

    def __init__(self, env: BatchEnv) -> None:
        self.env, self.num_envs, self.taken = env, env.num_envs, 0
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, seed: int) -> NDArray[Any]:
        return self.env.reset(seed)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        self.taken += 1
        return self.change(self.env.step(actions))

    def change(self, batch: StepBatch) -> StepBatch:
        return batch

    def named_state(self) -> dict[str, NDArray[Any]]:
        return self.env.named_state()

    def render(self, slot: int = 0) -> NDArray[np.uint8]:
        return self.env.render(slot)

    def close(self) -> None:
        self.env.close()


def test_learns_cartpole_in_a_few_seconds(make_problem: MakeProblem) -> None:
    problem = make_problem()
    started = time.process_time()
    policy = train(problem, 40_000, seed=0)
    assert time.process_time() - started < 20.0
    assert policy.steps == 40_000
    assert np.mean(play(policy, problem, 10)) >= 450.0


def test_same_seed_same_weights_other_seed_others(make_problem: MakeProblem, tmp_path: Path) -> None:
    one, two, other = (make_problem(folder=tmp_path / name, settings=SMALL) for name in "abc")
    first = train(one, 2000)
    assert_same(first, train(two, 2000))
    assert not np.array_equal(first.tensors["w0"], train(other, 2000, seed=4).tensors["w0"])


@pytest.mark.parametrize("fatal_step", [187, 421])
def test_killed_with_sigkill_and_resumed_gives_the_same_weights(
    make_problem: MakeProblem, tmp_path: Path, fatal_step: int
) -> None:
    whole = train(make_problem(folder=tmp_path / "whole", settings=SMALL), 4000)
    folder = tmp_path / "killed"
    child = subprocess.run([sys.executable, "-c", KILLED_CHILD, str(folder), str(fatal_step)], timeout=120)
    assert child.returncode == -signal.SIGKILL
    assert (folder / "checkpoint" / "state.json").exists(), f"killed at step {fatal_step} of 500"
    assert_same(whole, train(make_problem(folder=folder, settings=SMALL), 4000))


def test_a_rung_starts_from_the_copied_checkpoint_of_a_smaller_budget(
    make_problem: MakeProblem, tmp_path: Path
) -> None:
    small, large = (make_problem(folder=tmp_path / name, settings=SMALL) for name in ("small", "large"))
    before = train(small, 1000, schedule=3000)
    shutil.copytree(tmp_path / "small" / "checkpoint", tmp_path / "large" / "checkpoint")
    rates: list[float] = []

    def listen(progress: Progress) -> Command:
        rates.append(progress.losses["learning_rate"])
        return Command.CONTINUE

    after = make_trainer().train(large, TrainBudget(steps=3000, schedule_steps=3000), 3, listen)
    assert (before.steps, after.steps) == (1000, 3000)
    # 2000 steps remain = 8 rollouts of 256 nearly; the last starts at 2752 or so: 2e-3 * (1 - 2752 / 3000) = 1.7e-4
    assert 1.2e-4 < rates[-1] < 2.2e-4
    assert_same(after, train(large, 3000))  # a finished job trains no further


def test_a_run_trained_on_beyond_a_short_schedule_keeps_its_settings(make_problem: MakeProblem, tmp_path: Path) -> None:
    problem = make_problem("walker", folder=tmp_path / "walker", settings={})
    assert train(problem, 1024, schedule=ppo_settings.SHORT_STEPS).steps == 1024
    assert train(problem, 2048, schedule=10 * ppo_settings.MIDDLE_STEPS).steps == 2048
    assert read_checkpoint(problem.folder).state["settings"]["num_envs"] == 8  # type: ignore[union-attr]


def test_stop_returns_a_policy_and_leaves_a_checkpoint(make_problem: MakeProblem, tmp_path: Path) -> None:
    problem = make_problem(settings=SMALL)
    policy = make_trainer().train(
        problem, TrainBudget(steps=10**8, schedule_steps=10**8), 0, lambda progress: Command.STOP
    )
    assert 0 < policy.steps < 10**7
    assert (problem.folder / "checkpoint" / "state.json").exists()
    resumed = train(problem, policy.steps + 500, schedule=10**8, seed=0)
    assert resumed.steps >= policy.steps + 500


def test_continuous_actions_are_scaled_exported_and_clipped(make_problem: MakeProblem, tmp_path: Path) -> None:
    policy = train(make_problem("gym:Pendulum-v1", settings={"rollout_steps": 32}), 2048)
    assert policy.spec["head"] == "clip" and policy.spec["low"] == [-2.0] and policy.spec["normalise"] is True
    save_policy(tmp_path / "artifact", policy.spec, policy.tensors)
    actions = load_policy(tmp_path / "artifact").act(np.random.default_rng(0).normal(size=(64, 3)) * 100)
    assert actions.shape == (64, 1) and np.abs(actions).max() <= 2.0


def test_warm_start_plays_as_its_artifact_did(make_problem: MakeProblem, tmp_path: Path) -> None:
    settings = {**SMALL, "warm_critic_updates": 1000}
    policy = train(make_problem("gym:Pendulum-v1", settings=settings), 1024)
    save_policy(tmp_path / "artifact", policy.spec, policy.tensors)
    again = make_problem("gym:Pendulum-v1", settings=settings, folder=tmp_path / "warm", start=tmp_path / "artifact")
    warm = train(again, 32)  # the actor rests while only the critic learns
    for name in ("w0", "b0", "w1", "b1", "w2", "b2"):
        assert warm.tensors[name] == pytest.approx(policy.tensors[name], abs=1e-6), name
    with pytest.raises(JobError, match=r"cannot warm-start.*set `hidden` to match"):
        other = {**settings, "hidden": "32x32"}
        train(make_problem("gym:Pendulum-v1", settings=other, folder=tmp_path / "x", start=tmp_path / "artifact"), 32)
    with pytest.raises(JobError, match="head='clip', ppo needs 'argmax'"):
        train(make_problem(settings=SMALL, folder=tmp_path / "y", start=tmp_path / "artifact"), 32)
    with pytest.raises(JobError, match=r"cannot warm-start.*has no file"):
        train(make_problem(settings=SMALL, folder=tmp_path / "z", start=tmp_path / "nothing"), 32)


@pytest.mark.parametrize(("field", "component"), [("reward", "the reward"), ("observation", "the observation")])
def test_a_nan_names_its_component(make_problem: MakeProblem, field: str, component: str) -> None:
    class Sick(Wrapped):
        def change(self, batch: StepBatch) -> StepBatch:
            if self.taken == 40:
                getattr(batch, field)[0] = np.nan
            return batch

    with pytest.raises(NonFinite, match=f"{component} became NaN or infinite at env step") as caught:
        train(make_problem(settings=SMALL, wrap=Sick), 1000)
    assert caught.value.component == component


def test_exploding_weights_name_the_network(make_problem: MakeProblem) -> None:
    class Huge(Wrapped):
        def change(self, batch: StepBatch) -> StepBatch:
            batch.reward[:] = 1e300
            return batch

    with pytest.raises(NonFinite, match=r"loss|network"), np.errstate(over="ignore", invalid="ignore"):
        train(make_problem(settings={**SMALL, "scale_rewards": False}, wrap=Huge), 4000)


def test_another_setting_does_not_fit_the_checkpoint(make_problem: MakeProblem) -> None:
    train(make_problem(settings=SMALL), 300)
    with pytest.raises(JobError, match=r"settings gamma=0\.99, this job has 0\.9"):
        train(make_problem(settings={**SMALL, "gamma": 0.9}), 600)
    with pytest.raises(UsageError, match="Did you mean 'gamma'"):
        train(make_problem(settings={"gama": 0.9}), 600)


def test_worlds_state_goes_through_the_checkpoint(make_problem: MakeProblem, tmp_path: Path) -> None:
    class Teaching(Wrapped):
        """Counts resets, as a teacher would keep its memory in the worlds."""

        resets = 0
        seen: list[int] = []  # noqa: RUF012  # shared on purpose: the test reads it

        def reset(self, seed: int) -> NDArray[Any]:
            self.resets += 1
            self.seen.append(self.resets)
            return super().reset(seed)

        def save_state(self) -> dict[str, Any]:
            return {"resets": self.resets}

        def load_state(self, state: dict[str, Any]) -> None:
            self.resets = state["resets"]

    problem = make_problem(settings=SMALL, wrap=Teaching)
    train(problem, 2000)
    assert Teaching.seen == [1, 2]  # at 0 and at the checkpoint after 1000
    train(problem, 2500)
    assert Teaching.seen == [1, 2, 3]


def test_flat_adam_equals_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    reference = torch.optim.Adam(theirs.parameters(), lr=1e-2, eps=1e-5)
    adam = FlatAdam(ours)
    for _ in range(5):
        data = torch.randn(8, 3)
        adam.clear()
        reference.zero_grad()
        for network in (ours, theirs):
            network(data).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        reference.step()
        adam.step(1e-2, 0.5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.detach().numpy() == pytest.approx(other.detach().numpy(), abs=1e-6)


def test_rollout_keeps_the_final_observation_of_a_truncated_world() -> None:
    empty = np.zeros(0, np.float32)
    rollout = Rollout(4, 2, Shape(1, 2, True, empty, empty))
    for t in range(2):
        rollout.add(
            np.array([[t], [10.0 + t]], np.float32),
            np.array([0, 1]),
            StepBatch(
                observation=np.zeros((2, 1), np.float32),
                reward=np.array([1.0, 2.0]),
                terminated=np.array([t == 0, False]),
                truncated=np.array([t == 0, t == 1]),  # world 0 both terminates and hits the horizon: terminated
                final_observation=np.array([[t + 0.5], [t + 20.5]], np.float32),
                next_state={},
                outcomes=(),
            ),
        )
    assert [index.tolist() for index in rollout.cut_at] == [[1], [1]]
    assert rollout.cut_observations.tolist() == [[21.5]]
    assert rollout.successors.tolist() == [[1.5], [21.5]]
    assert rollout.ended.tolist() == [[True, False], [False, True]]
    assert rollout.terminated.tolist() == [[True, False], [False, False]]


def test_rollouts_end_at_the_budget() -> None:
    # 1000 steps of 10 worlds at 30: 1000 / 300 = 3.3 -> 3 rollouts of ceil(1000 / 30) = 34
    assert rollout_length(1000, 10, 30) == 34
    # then 660 remain: 2 rollouts of 33; then 330: 1 of 33
    assert (rollout_length(660, 10, 30), rollout_length(330, 10, 30)) == (33, 33)
    assert rollout_length(5, 10, 30) == 1
    assert rollout_length(449, 10, 30) == 45  # 1.5 rollouts become one
