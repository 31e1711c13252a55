"""Every registered trainer, third-party ones included, keeps the contract of `experimenter/trainers/base.py`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Discrete

from envs.catalog import get_family
from experimenter import registry
from experimenter.errors import UsageError
from experimenter.trainers.base import Command, Listener, Problem, Progress, TrainBudget, TrainedPolicy, Trainer
from skills.artifact import load_policy, save_policy

FAMILIES = ("gym:CartPole-v1", "gym:Pendulum-v1")
STEPS = 1000


def go_on(progress: Progress) -> Command:
    return Command.CONTINUE


def make_problem(folder: Path, family: str, **overrides: Any) -> Problem:
    source = get_family(family)
    task = source.resolve_task()
    probe = source.make_vec(task, 1)
    spaces: dict[str, Any] = {"observation_space": probe.observation_space, "action_space": probe.action_space}
    probe.close()
    return Problem(make_vec=lambda n: source.make_vec(task, n), folder=folder, family=family, **spaces, **overrides)


def make_trainer(name: str) -> Trainer:
    trainer: Trainer = registry.load("trainers", name)()
    return trainer


def train(name: str, problem: Problem, steps: int = STEPS, seed: int = 1, listen: Listener = go_on) -> TrainedPolicy:
    return make_trainer(name).train(problem, TrainBudget(steps=steps, schedule_steps=2 * STEPS), seed, listen)


def assert_same(one: TrainedPolicy, other: TrainedPolicy) -> None:
    assert one.steps == other.steps and one.spec == other.spec
    for name, value in one.tensors.items():
        assert np.array_equal(value, other.tensors[name]), name


@pytest.fixture(params=registry.list_names("trainers"))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_is_named_as_registered_and_lists_plain_settings(name: str) -> None:
    trainer = make_trainer(name)
    assert trainer.name == name
    for family in (*FAMILIES, "walker"):
        settings = trainer.default_settings(family)
        assert settings and json.loads(json.dumps(settings)) == settings


@pytest.mark.parametrize("family", FAMILIES)
def test_trains_to_the_budget_and_gives_a_loadable_policy(name: str, family: str, tmp_path: Path) -> None:
    reports: list[Progress] = []

    def listen(progress: Progress) -> Command:
        reports.append(progress)
        return Command.CONTINUE

    problem = make_problem(tmp_path / "job", family, settings=make_trainer(name).default_settings(family))
    if not isinstance(problem.action_space, Discrete) and getattr(make_trainer(name), "discrete_only", False):
        with pytest.raises(UsageError, match="needs discrete actions: use"):
            train(name, problem, listen=listen)
        return
    policy = train(name, problem, listen=listen)
    assert STEPS <= policy.steps <= STEPS * 1.5
    assert reports[-1].step == policy.steps
    assert reports[-1].losses and all(type(value) is float for value in reports[-1].losses.values())
    json.dumps(policy.spec)
    save_policy(tmp_path / "artifact", policy.spec, policy.tensors)
    observation = np.random.default_rng(0).normal(size=(5, problem.observation_space.shape[0]))  # type: ignore[index]
    actions = load_policy(tmp_path / "artifact").act(observation)
    assert len(actions) == 5
    assert all(problem.action_space.contains(action) for action in actions)


def test_same_seed_same_weights_also_from_a_copied_checkpoint(name: str, tmp_path: Path) -> None:
    first = train(name, make_problem(tmp_path / "a", FAMILIES[0]))
    assert_same(first, train(name, make_problem(tmp_path / "b", FAMILIES[0])))
    other = train(name, make_problem(tmp_path / "c", FAMILIES[0]), seed=2)
    assert any(not np.array_equal(value, other.tensors[key]) for key, value in first.tensors.items())
    shutil.copytree(tmp_path / "a" / "checkpoint", tmp_path / "d" / "checkpoint")
    further = [train(name, make_problem(tmp_path / key, FAMILIES[0]), steps=2 * STEPS) for key in ("a", "d")]
    assert further[0].steps >= 2 * STEPS
    assert_same(further[0], further[1])


def test_stop_is_obeyed_with_a_checkpoint_and_can_be_resumed(name: str, tmp_path: Path) -> None:
    problem = make_problem(tmp_path / "job", FAMILIES[0])
    stopped = train(name, problem, steps=10**7, listen=lambda progress: Command.STOP)
    assert 0 < stopped.steps < 10**6
    assert (tmp_path / "job" / "checkpoint").is_dir()
    resumed = train(name, problem, steps=stopped.steps + STEPS)
    assert stopped.steps + STEPS <= resumed.steps < stopped.steps + 2 * STEPS


def test_a_requested_checkpoint_is_written_and_training_goes_on(name: str, tmp_path: Path) -> None:
    problem, checkpoint = make_problem(tmp_path / "job", FAMILIES[0]), tmp_path / "job" / "checkpoint"
    found: list[bool] = []

    def listen(progress: Progress) -> Command:
        if not found:  # a fast machine has written a regular one before the first report
            shutil.rmtree(checkpoint, ignore_errors=True)
        found.append(checkpoint.is_dir())
        return Command.CHECKPOINT if not any(found) else Command.STOP

    train(name, problem, steps=10**7, listen=listen)
    assert found[0] is False and found[-1] is True


def test_an_unknown_setting_names_the_nearest(name: str, tmp_path: Path) -> None:
    real = sorted(make_trainer(name).default_settings(FAMILIES[0]))[0]
    with pytest.raises(UsageError, match=f"Did you mean '{real}'"):
        train(name, make_problem(tmp_path, FAMILIES[0], settings={real + "x": 1}))


def test_leaves_no_pickle_behind(name: str, tmp_path: Path) -> None:
    train(name, make_problem(tmp_path / "job", FAMILIES[0]))
    endings = {path.suffix for path in (tmp_path / "job").rglob("*") if path.is_file()}
    assert endings <= {".json", ".safetensors", ".npz", ".npy"}
