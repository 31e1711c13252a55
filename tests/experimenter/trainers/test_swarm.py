"""The trainer `swarm`: its networks in torch and NumPy, its coach, its checkpoints, and (slow) that it learns to fly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from envs.catalog import get_family
from envs.family import BatchEnv, EpisodeOutcome
from envs.task import ParamValue
from experimenter.errors import JobError, UsageError
from experimenter.evaluation.drones import measure_flights
from experimenter.registry import default_trainer
from experimenter.trainers.base import Command, Problem, Progress, TrainBudget, TrainedPolicy
from experimenter.trainers.ppo import make_trainer as make_ppo
from experimenter.trainers.swarm import make_trainer
from experimenter.trainers.swarm_coach import LEAST, Coach
from experimenter.trainers.swarm_network import SwarmNetwork
from experimenter.trainers.swarm_settings import ENCODERS, make_settings
from experimenter.trainers.swarm_worlds import PRIVILEGED, FeaturedWorlds, find_side
from experimenter.trainers.worlds import Shape
from skills.artifact import make_policy, save_policy
from skills.swarm_policy import count_features

SMALL: dict[str, ParamValue] = {
    "agents": 8,
    "rollout_steps": 16,
    "minibatch": 64,
    "checkpoint_steps": 256,
    "hidden": "16x16",
}


def make_problem(
    folder: Path, params: dict[str, ParamValue] | None = None, *, horizon: int = 200, **overrides: Any
) -> Problem:
    family = get_family("quadrotor")
    task = family.resolve_task(params or {"drones": 4, "density": 0.2}, horizon=horizon)
    probe = family.make_vec(task, 1)
    spaces: dict[str, Any] = {"observation_space": probe.observation_space, "action_space": probe.action_space}
    overrides.setdefault("settings", SMALL)
    return Problem(
        make_vec=lambda n: family.make_vec(task, n), folder=folder, family="quadrotor", **spaces, **overrides
    )


def go_on(progress: Progress) -> Command:
    return Command.CONTINUE


def train(problem: Problem, steps: int, *, seed: int = 3, schedule: int = 2048) -> TrainedPolicy:
    return make_trainer().train(problem, TrainBudget(steps=steps, schedule_steps=schedule), seed, go_on)


def assert_same(one: TrainedPolicy, other: TrainedPolicy) -> None:
    assert one.spec == other.spec and one.steps == other.steps and one.tensors.keys() == other.tensors.keys()
    for name, value in one.tensors.items():
        assert np.array_equal(value, other.tensors[name]), name


def make_network(encoder: str, privileged: int = 0) -> SwarmNetwork:
    settings = make_settings("quadrotor", {"encoder": encoder, "hidden": "12x10", "token_width": 6})
    low, high = np.full(4, -2, np.float32), np.full(4, 4, np.float32)
    shape = Shape(count_features(2, 1) + privileged, 4, False, low, high)
    generator = torch.Generator().manual_seed(0)
    network = SwarmNetwork(shape, settings, generator, neighbours=2, history=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return network


@pytest.mark.parametrize("encoder", ENCODERS)
def test_numpy_plays_what_torch_trains(encoder: str) -> None:
    network = make_network(encoder)
    raw = np.random.default_rng(0).normal(size=(9, 44)).astype(np.float32)
    env = get_family("quadrotor").make_vec(get_family("quadrotor").resolve_task({"drones": 3, "history": 1}), 3)
    raw = np.asarray(env.reset(0) + raw * 0.1, np.float32)
    side = find_side(env)
    assert side is not None and (side.neighbours, side.history) == (2, 1)
    seen = FeaturedWorlds(env, side, lambda outcome: None)._see(raw, {})
    with torch.no_grad():
        mean = network.actor(network.encoder(torch.as_tensor(seen))).numpy()
    low, high = np.full(4, -2, np.float32), np.full(4, 4, np.float32)
    policy = make_policy(*network.export(Shape(seen.shape[1], 4, False, low, high)))
    # actions -2 to 4: middle 1, half width 3
    assert policy.act(raw) == pytest.approx(np.clip(1 + 3 * mean, -2, 4), abs=2e-5)

    class NoNoise:
        def standard_normal(self, shape: Any, dtype: Any) -> Any:
            return np.zeros(shape, dtype)

    rng: Any = NoNoise()
    assert network.make_actor().sample(seen, rng) == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_privileged_inputs_reach_the_critic_alone(encoder: str) -> None:
    network = make_network(encoder, PRIVILEGED)
    rng = np.random.default_rng(0)
    observation = torch.as_tensor(rng.normal(size=(5, count_features(2, 1) + PRIVILEGED)), dtype=torch.float32)
    other = observation.clone()
    other[:, -PRIVILEGED:] += 1.0
    action = torch.zeros(5, 4)
    one_prob, _, one_value = network.evaluate(observation, action)
    other_prob, _, other_value = network.evaluate(other, action)
    assert torch.equal(one_prob, other_prob) and not torch.allclose(one_value, other_value)


@pytest.mark.parametrize("settings", [{}, {"encoder": "attention", "privileged": True, "gate_reached": 0.0}])
def test_resumes_bit_for_bit(settings: dict[str, ParamValue], tmp_path: Path) -> None:
    """Stopped after a checkpoint in the middle and gone on with: the same weights as without a stop."""
    chosen = {**SMALL, **settings}
    whole = train(make_problem(tmp_path / "whole", settings=chosen), 2048)
    part = make_problem(tmp_path / "part", settings=chosen)
    train(part, 1024)
    assert_same(train(part, 2048), whole)


def test_the_checkpoint_of_another_trainer_is_refused(tmp_path: Path) -> None:
    problem = make_problem(tmp_path / "job")
    train(problem, 256)
    with pytest.raises(JobError, match="written with"):
        train(make_problem(tmp_path / "job", settings={**SMALL, "hidden": "8x8"}), 512)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_warm_starts_from_its_own_artifact(encoder: str, tmp_path: Path) -> None:
    settings: dict[str, ParamValue] = {**SMALL, "encoder": encoder, "warm_critic_updates": 100}
    first = train(make_problem(tmp_path / "first", settings=settings), 256)
    save_policy(tmp_path / "policy", first.spec, first.tensors)
    again = train(make_problem(tmp_path / "again", settings=settings, start=tmp_path / "policy"), 256, seed=9)
    for name, value in first.tensors.items():  # the actor rests
        assert again.tensors[name] == pytest.approx(value, abs=1e-6), name
    with pytest.raises(JobError, match="cannot warm-start: the policy"):
        train(make_problem(tmp_path / "wide", settings={**settings, "hidden": "8x8"}, start=tmp_path / "policy"), 256)


def test_without_drones_it_is_ppo(make_problem: Callable[..., Problem], tmp_path: Path) -> None:
    few: dict[str, ParamValue] = {"rollout_steps": 32, "epochs": 2}
    budget = TrainBudget(steps=1024, schedule_steps=1024)
    ours = make_trainer().train(make_problem(settings=few, folder=tmp_path / "swarm"), budget, 1, go_on)
    theirs = make_ppo().train(make_problem(settings=few, folder=tmp_path / "ppo"), budget, 1, go_on)
    assert_same(ours, theirs)


def make_outcome(reached: float, touched: float = 0.0) -> EpisodeOutcome:
    extras = {"reached": reached, "touched": touched}
    return EpisodeOutcome(slot=0, params={}, fitness=0.0, success=False, native_return=0.0, length=1, extras=extras)


def test_the_coach_raises_contacts_only_while_goals_are_reached() -> None:
    settings = make_settings("quadrotor", {"ramp_start": 0.2, "ramp_share": 0.5, "gate_reached": 0.5, "replay": 0.75})
    coach = Coach(settings)
    coach.advance(100, 1000)
    assert coach.ramp == 0.2 and coach.lesson().replay == 0.0  # nothing known yet
    for index in range(LEAST):
        coach.hear(make_outcome(reached=float(index % 4 == 0)))
    coach.advance(100, 1000)
    assert coach.reached == 0.25 and coach.ramp == 0.2
    for _ in range(LEAST):
        coach.hear(make_outcome(1.0, touched=1.0))
    coach.advance(100, 1000)  # 100 of 500 steps: a fifth of the way from 0.2 to 1
    assert coach.ramp == pytest.approx(0.36)
    lesson = coach.lesson()
    assert lesson.replay == 0.75 and lesson.contact_weight == pytest.approx(0.36)
    assert lesson.room_contact == pytest.approx(0.36 * settings.room_contact)
    other = Coach(settings)
    other.load_state(json.loads(json.dumps(coach.state())))
    assert (other.ramp, other.reached, other.touched) == (coach.ramp, coach.reached, coach.touched)
    coach.advance(10**6, 1000)
    assert coach.ramp == 1.0


def test_bad_settings_are_one_line() -> None:
    with pytest.raises(
        UsageError, match="encoder='atention' of the trainer swarm must be one of mlp, deep_set, attention"
    ):
        make_settings("quadrotor", {"encoder": "atention"})
    with pytest.raises(UsageError, match="setting replay=2\\.0 of the trainer swarm is out of range"):
        make_settings("quadrotor", {"replay": 2.0})


def test_drones_get_this_trainer_by_default() -> None:
    assert default_trainer("quadrotor") == "swarm"
    assert default_trainer("gym:CartPole-v1") == default_trainer("walker") == "ppo"


def test_practice_is_found_under_the_wrappers_of_a_job() -> None:
    from experimenter.records import RewardKind, RewardProgram
    from experimenter.rewards.wrapper import RewardWrapper

    family = get_family("quadrotor")
    env = family.make_vec(family.resolve_task(), 1)
    wrapped: BatchEnv = RewardWrapper(env, RewardProgram(kind=RewardKind.NATIVE), family.card())
    side = find_side(wrapped)
    assert side is not None and side.practice is find_side(env).practice  # type: ignore[union-attr]
    walker = get_family("walker")
    assert find_side(walker.make_vec(walker.resolve_task(), 1)) is None


@pytest.mark.slow
def test_one_drone_learns_to_fly_to_its_goal(tmp_path: Path) -> None:
    """From raw motor thrust: 99 % of 200 starts (about 40 CPU-seconds)."""
    problem = make_problem(tmp_path / "job", {"drones": 1}, horizon=1500, settings={})
    policy = train(problem, 4_000_000, seed=0, schedule=4_000_000)
    family = get_family("quadrotor")
    figures = measure_flights(
        family, family.resolve_task(), make_policy(policy.spec, policy.tensors), rooms=200, seed=10**6
    )
    assert figures["success"].value >= 0.99
