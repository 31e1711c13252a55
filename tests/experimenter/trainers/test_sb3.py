"""SB3's five algorithms behind our contract: exported actor equals SB3's own, resume is exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.family import BatchEnv, StepBatch
from envs.task import ParamValue
from experimenter.errors import JobError, UsageError
from experimenter.trainers import sb3
from experimenter.trainers.base import Command, NonFinite, Problem, Progress, TrainBudget, TrainedPolicy
from experimenter.trainers.reporter import Reporter
from experimenter.trainers.sb3_export import export_policy
from experimenter.trainers.sb3_worlds import Sb3Worlds
from experimenter.trainers.worlds import resolve_shape
from skills.artifact import make_policy, save_policy

MakeProblem = Callable[..., Problem]
Settings = dict[str, ParamValue]
_OFF: Settings = {"hidden": "16x16", "batch_size": 16, "learning_starts": 60, "buffer_size": 500, "train_freq": 4,
                  "gradient_steps": 2, "checkpoint_steps": 80}  # fmt: skip
_ON: Settings = {
    "hidden": "16x16",
    "batch_size": 32,
    "n_envs": 4,
    "n_steps": 16,
    "n_epochs": 2,
    "checkpoint_steps": 80,
}
CASES: dict[str, tuple[str, Settings]] = {
    "ppo-box": ("gym:Pendulum-v1", {**_ON, "normalise_observations": True, "normalise_rewards": True}),
    "ppo-gsde": ("gym:Pendulum-v1", {**_ON, "use_sde": True}),
    "ppo-discrete": ("gym:CartPole-v1", {**_ON, "normalise_observations": True}),
    "sac": ("gym:Pendulum-v1", {"algorithm": "sac", **_OFF}),
    "sac-gsde": ("gym:Pendulum-v1", {"algorithm": "sac", **_OFF, "use_sde": True, "normalise_observations": True}),
    "tqc": ("gym:Pendulum-v1", {"algorithm": "tqc", **_OFF}),
    "tqc-gsde": ("gym:Pendulum-v1", {"algorithm": "tqc", **_OFF, "use_sde": True}),
    "td3": ("gym:Pendulum-v1", {"algorithm": "td3", **_OFF}),
    "dqn": ("gym:CartPole-v1", {"algorithm": "dqn", **_OFF}),
}


def go_on(progress: Progress) -> Command:
    return Command.CONTINUE


def train(problem: Problem, steps: int, seed: int = 5) -> TrainedPolicy:
    return sb3.make_trainer().train(problem, TrainBudget(steps=steps, schedule_steps=1000), seed, go_on)


def assert_same(one: TrainedPolicy, other: TrainedPolicy) -> None:
    assert one.spec == other.spec and one.steps == other.steps
    for name, value in one.tensors.items():
        assert np.array_equal(value, other.tensors[name]), name


class Crash(RuntimeError):
    pass


class Fragile:
    """Worlds that raise at the given step: the process's files are then as a kill leaves them."""

    def __init__(self, env: BatchEnv, fatal: int) -> None:
        self.env, self.left, self.num_envs = env, fatal, env.num_envs
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, seed: int) -> NDArray[Any]:
        return self.env.reset(seed)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        self.left -= 1
        if self.left == 0:
            raise Crash
        return self.env.step(actions)

    def close(self) -> None:
        self.env.close()


@pytest.mark.parametrize("case", CASES)
def test_trains_exports_and_resumes_exactly(make_problem: MakeProblem, tmp_path: Path, case: str) -> None:
    family, settings = CASES[case]
    whole = train(make_problem(family, settings=settings, folder=tmp_path / "whole"), 240)
    assert 240 <= whole.steps < 244
    calls = 240 // int(settings.get("n_envs", 1))
    broken = make_problem(
        family, settings=settings, folder=tmp_path / "b", wrap=lambda env: Fragile(env, calls * 3 // 4)
    )
    with pytest.raises(Crash):
        train(broken, 240)
    assert (tmp_path / "b" / "checkpoint" / "state.json").exists()
    resumed = train(make_problem(family, settings=settings, folder=tmp_path / "b"), 240)
    assert_same(whole, resumed)


@pytest.mark.parametrize("case", CASES)
def test_the_artifact_acts_as_the_model_does(make_problem: MakeProblem, case: str) -> None:
    family, overrides = CASES[case]
    problem = make_problem(family, settings=overrides)
    settings = sb3.make_settings(family, overrides)
    shape = resolve_shape("sb3", problem.observation_space, problem.action_space)
    run = sb3._Run(problem, TrainBudget(steps=128, schedule_steps=128), 1, settings, shape, Reporter(go_on))
    run.open()
    run.train()
    with torch.no_grad():  # push the means out to where a clamp and a clip bite
        for parameter in run.model.policy.parameters():
            parameter.mul_(3.0)
    spec, tensors = export_policy(run.model, run.algorithm, shape, run.normaliser)
    observation = np.random.default_rng(0).normal(size=(256, shape.observation)).astype(np.float32) * 3
    seen = observation if run.normaliser is None else run.normaliser.normalize_obs(observation)
    expected, _ = run.model.predict(seen, deterministic=True)
    found = make_policy(spec, tensors).act(observation)
    if shape.discrete:
        assert np.array_equal(found, expected)
        assert len(set(found.tolist())) > 1
    else:
        assert np.abs(found - expected).max() <= 1e-5
        assert np.ptp(found) > 0.1
    run.worlds.close()


def test_ppo_improves_on_cartpole(make_problem: MakeProblem) -> None:
    problem = make_problem()
    budget = TrainBudget(steps=8000, schedule_steps=8000)
    policy = sb3.make_trainer().train(problem, budget, 0, go_on)
    env, actor = problem.make_vec(8), make_policy(policy.spec, policy.tensors)
    returns: list[float] = []
    observation = env.reset(10**6)
    while len(returns) < 8:
        batch = env.step(actor.act(observation))
        returns += [outcome.native_return for outcome in batch.outcomes]
        observation = batch.observation
    assert np.mean(returns) > 60.0  # a random policy gets 22


def test_the_vec_env_tells_truncation_from_termination() -> None:
    class Two:
        """One step: world 0 is truncated, world 1 terminates at its horizon, world 2 goes on."""

        num_envs = 3
        observation_space = Box(-1.0, 1.0, (4,), np.float32)
        action_space = Discrete(2)

        def step(self, actions: NDArray[Any]) -> StepBatch:
            return StepBatch(
                observation=np.zeros((3, 4), np.float32),
                reward=np.ones(3),
                terminated=np.array([False, True, False]),
                truncated=np.array([True, True, False]),
                final_observation=np.arange(12, dtype=np.float32).reshape(3, 4),
                next_state={},
                outcomes=(),
            )

    worlds = Sb3Worlds(Two())  # type: ignore[arg-type]  # only stepped here
    worlds.step_async(np.zeros(3))
    _, reward, done, infos = worlds.step_wait()
    assert done.tolist() == [True, True, False] and reward.dtype == np.float32
    assert infos[0]["TimeLimit.truncated"] is True and infos[1]["TimeLimit.truncated"] is False
    assert infos[1]["terminal_observation"].tolist() == [4.0, 5.0, 6.0, 7.0]
    assert infos[2] == {}


def test_process_wide_generators_are_given_back(make_problem: MakeProblem) -> None:
    np.random.seed(7)
    torch.manual_seed(7)
    expected = np.random.RandomState(7).random(), torch.rand(1, generator=torch.Generator().manual_seed(7)).item()
    train(make_problem("gym:Pendulum-v1", settings=CASES["sac"][1]), 100)
    assert (np.random.random(), torch.rand(1).item()) == expected


@pytest.mark.parametrize("case", ["ppo-box", "sac-gsde", "td3", "dqn"])
def test_warm_start_begins_with_the_artifact(make_problem: MakeProblem, tmp_path: Path, case: str) -> None:
    family, settings = CASES[case]
    policy = train(make_problem(family, settings=settings, folder=tmp_path / "first"), 120)
    save_policy(tmp_path / "artifact", policy.spec, policy.tensors)
    problem = make_problem(family, settings=settings, folder=tmp_path / "second", start=tmp_path / "artifact")
    made = sb3.make_settings(family, settings)
    shape = resolve_shape("sb3", problem.observation_space, problem.action_space)
    run = sb3._Run(problem, TrainBudget(steps=1, schedule_steps=1), 1, made, shape, Reporter(go_on))
    run.open()
    _, tensors = export_policy(run.model, run.algorithm, shape, run.normaliser)
    for name, value in policy.tensors.items():
        assert tensors[name] == pytest.approx(value, abs=1e-6), name
    run.worlds.close()
    with pytest.raises(JobError, match="set `hidden` to match"):
        other = {**settings, "hidden": "8x8"}
        train(make_problem(family, settings=other, folder=tmp_path / "third", start=tmp_path / "artifact"), 100)


def test_algorithms_and_actions_must_fit(make_problem: MakeProblem) -> None:
    with pytest.raises(UsageError, match="sac needs continuous actions: use ppo or dqn"):
        train(make_problem("gym:CartPole-v1", settings={"algorithm": "sac"}), 100)
    with pytest.raises(UsageError, match="dqn needs discrete actions"):
        train(make_problem("gym:Pendulum-v1", settings={"algorithm": "dqn"}), 100)
    with pytest.raises(UsageError, match=r"unknown setting 'taw'.*Did you mean 'tau'"):
        train(make_problem("gym:Pendulum-v1", settings={"algorithm": "sac", "taw": 0.1}), 100)


def test_a_nan_reward_is_named(make_problem: MakeProblem) -> None:
    class Sick(Fragile):
        def step(self, actions: NDArray[Any]) -> StepBatch:
            batch = self.env.step(actions)
            batch.reward[0] = np.nan
            return batch

    with pytest.raises(NonFinite, match="the reward became NaN"):
        train(make_problem("gym:Pendulum-v1", settings=CASES["ppo-box"][1], wrap=lambda env: Sick(env, 0)), 100)
