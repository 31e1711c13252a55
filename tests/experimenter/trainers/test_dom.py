"""The trainer `dom`: rollouts, exams, checkpoints, settings on made-up pages; and that it learns a real one in a real browser."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dom_toys import ToyPages
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.family import BatchEnv, EpisodeOutcome, StepBatch
from envs.task import ParamValue, TaskSpec
from envs.web.actions import DONE, Mask
from envs.web.browsers import list_installed
from envs.web.miniwob import TASKS
from experimenter.errors import JobError, UsageError
from experimenter.evaluation.rollout import evaluate
from experimenter.registry import default_trainer
from experimenter.trainers.base import Command, NonFinite, Problem, Progress, TrainBudget, TrainedPolicy
from experimenter.trainers.dom import EXAM, _Watch, make_trainer
from experimenter.trainers.dom_algorithm import make_algorithm
from experimenter.trainers.dom_collect import Pages
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_settings import DomSettings, make_settings
from experimenter.trainers.normalise import Float32
from skills.artifact import make_policy, save_policy

SMALL: dict[str, ParamValue] = {
    "width": 16,
    "layers": 1,
    "heads": 2,
    "pair_width": 4,
    "num_envs": 4,
    "rollout_steps": 8,
    "minibatch": 16,
    "checkpoint_steps": 64,
    "stop_window": 40,
}
TOY_TASK = TaskSpec(family="web", params={"task": 0}, horizon=5)


def make_problem(folder: Path, make: Callable[[int], Any] = ToyPages, **overrides: Any) -> Problem:
    probe = ToyPages(1)
    overrides.setdefault("settings", SMALL)
    return Problem(
        make_vec=make,
        observation_space=probe.observation_space,
        action_space=probe.action_space,
        folder=folder,
        family="web",
        **{"task": TOY_TASK, **overrides},
    )


def go_on(progress: Progress) -> Command:
    return Command.CONTINUE


def listening(reports: list[Progress]) -> Callable[[Progress], Command]:
    """A listener that keeps every report."""

    def listen(progress: Progress) -> Command:
        reports.append(progress)
        return Command.CONTINUE

    return listen


def train(problem: Problem, steps: int, *, seed: int = 3, schedule: int = 512, listen: Any = go_on) -> TrainedPolicy:
    return make_trainer().train(problem, TrainBudget(steps=steps, schedule_steps=schedule), seed, listen)


def assert_same(one: TrainedPolicy, other: TrainedPolicy) -> None:
    assert one.spec == other.spec and one.steps == other.steps and one.tensors.keys() == other.tensors.keys()
    for name, value in one.tensors.items():
        assert np.array_equal(value, other.tensors[name]), name


def outcome(*, success: bool, task: int = 0) -> EpisodeOutcome:
    return EpisodeOutcome(slot=0, params={"task": task}, fitness=0.0, success=success, native_return=0.0, length=1)


class Always:
    """An algorithm that always takes one action."""

    head = "policy"

    def __init__(self, action: int) -> None:
        self._action = action

    def act(self, observations: Float32, masks: Mask) -> tuple[NDArray[np.int64], Float32]:
        n = len(observations)
        return np.full(n, self._action, np.int64), np.zeros(n, np.float32)


class Troubled(ToyPages):
    """The browser gives up the action of world 1 at the second step."""

    abandoned: list[int]
    failures = 0

    def reset(self, seed: int) -> NDArray[np.float32]:
        self.abandoned, self._count = [0] * self.num_envs, 0
        return super().reset(seed)

    def step(self, actions: NDArray[Any]) -> StepBatch:
        self._count += 1
        if self._count == 2:
            self.abandoned[1] += 1
            self.failures += 3
        return super().step(actions)


def test_the_family_web_is_trained_by_dom() -> None:
    assert default_trainer("web") == "dom" and make_trainer().name == "dom"
    assert make_trainer().default_settings("web")["algorithm"] == "ppo"
    assert "algorithm" not in make_trainer().default_settings("walker")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "sarsa"}, "must be one of ppo, dqn, awr, phase"),
        ({"width": 30, "heads": 4}, "a multiple of heads=4"),
        ({"recurrent": True, "algorithm": "dqn"}, "needs algorithm=ppo"),
        ({"num_envs": 0}, "between 1 and 16"),
        ({"learning_rat": 1.0}, "Did you mean 'learning_rate'"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, ParamValue], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_settings("web", settings)


def test_running_out_of_time_costs_and_ends() -> None:
    """Nothing is ever clicked: with a horizon of 5, steps 5 and 10 end an episode."""
    pages = Pages(ToyPages(2), timeout_cost=1.0)
    pages.restart(0)
    rollout = pages.collect(Always(DONE), 10, 0, lambda taken: False)  # type: ignore[arg-type]  # only acts
    assert rollout is not None
    assert np.flatnonzero(rollout.terminated[:, 0]).tolist() == [4, 9] and not rollout.truncated.any()
    assert rollout.rewards[:, 0].tolist() == pytest.approx([-0.01] * 4 + [-1.01] + [-0.01] * 4 + [-1.01])
    assert np.flatnonzero(rollout.first[:, 0]).tolist() == [0, 5] and len(rollout.finished) == 4
    pages = Pages(ToyPages(2))
    pages.restart(0)
    rollout = pages.collect(Always(DONE), 10, 0, lambda taken: False)  # type: ignore[arg-type]  # only acts
    assert rollout is not None and not rollout.terminated.any()
    assert sorted(rollout.cuts) == [(4, 0), (4, 1), (9, 0), (9, 1)]
    assert np.array_equal(rollout.successor(3, 0), rollout.observations[4, 0])
    assert np.array_equal(rollout.successor(4, 0), rollout.cuts[4, 0])
    assert not np.array_equal(rollout.successor(4, 0), rollout.observations[5, 0])


def test_what_the_browser_failed_on_enters_no_gradient(tmp_path: Path) -> None:
    pages = Pages(Troubled(3))
    pages.restart(0)
    rollout = pages.collect(Always(DONE), 4, 0, lambda taken: False)  # type: ignore[arg-type]  # only acts
    assert rollout is not None
    assert np.argwhere(~rollout.valid).tolist() == [[1, 1]] and pages.failures == 3
    algorithm = make_algorithm(make_settings("web", SMALL), DomNetwork(make_settings("web", SMALL), 0), 0)
    assert len(algorithm._prepare(rollout)[0]) == 11  # type: ignore[attr-defined]  # PPO's batch: 12 steps but one
    reports: list[Progress] = []
    train(make_problem(tmp_path, Troubled), 64, listen=listening(reports))
    assert reports[-1].losses["browser_failures"] == 3.0


def test_a_reward_that_is_no_number_is_named(tmp_path: Path) -> None:
    class Broken(ToyPages):
        def step(self, actions: NDArray[Any]) -> StepBatch:
            return dataclasses.replace(super().step(actions), reward=np.full(self.num_envs, np.nan))

    with pytest.raises(NonFinite, match="reward became NaN"):
        train(make_problem(tmp_path, Broken), 64)


def test_only_episodes_of_the_task_itself_count_and_an_exam_decides(tmp_path: Path) -> None:
    watch = _Watch(DomSettings(stop_at=0.9, stop_window=10), make_problem(tmp_path))
    for _ in range(10):
        watch.hear(outcome(success=True, task=1))
    assert watch.episodes == 0 and not watch.is_ready
    for success in (False, *[True] * 9):
        assert not watch.is_ready
        watch.hear(outcome(success=success))
    assert watch.is_ready and watch.sampled == 0.9
    assert not watch.judge([True] * 57 + [False] * 7), "6 of 64 may fail"
    assert not watch.is_ready and watch.greedy == 57 / 64
    for _ in range(5):
        watch.hear(outcome(success=True))
    assert watch.is_ready and watch.judge([True] * 58 + [False] * 6)
    assert not watch.judge([True] * 8), "too few to tell"
    strict = _Watch(DomSettings(stop_at=0.5, exam_at=0.95, stop_window=10), make_problem(tmp_path))
    assert not strict.judge([True] * 60 + [False] * 4) and strict.judge([True] * 61 + [False] * 3), "3 of 64 may fail"
    copy = _Watch(DomSettings(stop_at=0.9, stop_window=10), make_problem(tmp_path))
    copy.load(watch.state())
    assert copy.state() == watch.state()


def test_it_learns_made_up_pages_and_ends_with_a_passed_exam(tmp_path: Path) -> None:
    reports: list[Progress] = []
    settings = {**SMALL, "rollout_steps": 16, "learning_rate": 3e-3, "minibatch": 32}
    problem = make_problem(tmp_path, lambda n: ToyPages(n, two_steps=True), settings=settings)
    policy = train(problem, 20_000, schedule=20_000, listen=listening(reports))
    assert policy.steps < 20_000 and reports[-1].losses["greedy_success"] >= 0.98
    pages = Pages(ToyPages(8, two_steps=True))
    pages.restart(10**6)
    played = make_policy(policy.spec, policy.tensors)
    successes, steps = pages.examine(lambda seen, masks: played.act(seen), EXAM, 10_000, lambda outcome: True)
    assert len(successes) == EXAM and sum(successes) >= 60 and steps < 400


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_killed_run_goes_on_bit_for_bit(recurrent: bool, tmp_path: Path) -> None:
    settings = {**SMALL, "recurrent": recurrent, "timeout_cost": float(not recurrent)}
    whole = train(make_problem(tmp_path / "whole", settings=settings), 320)
    count = 0

    def kill(progress: Progress) -> Command:
        nonlocal count
        count += 1
        if progress.step >= 170:
            raise KeyboardInterrupt
        return Command.CONTINUE

    import experimenter.trainers.reporter as reporter

    before, reporter.INTERVAL_S = reporter.INTERVAL_S, 0.0
    try:
        with pytest.raises(KeyboardInterrupt):
            train(make_problem(tmp_path / "cut", settings=settings), 320, listen=kill)
    finally:
        reporter.INTERVAL_S = before
    assert count > 1 and (tmp_path / "cut" / "checkpoint").is_dir()
    assert_same(whole, train(make_problem(tmp_path / "cut", settings=settings), 320))
    other = train(make_problem(tmp_path / "other", settings=settings), 320, seed=4)
    assert any(not np.array_equal(value, other.tensors[name]) for name, value in whole.tensors.items())


def test_checkpoints_of_another_setting_are_refused_and_skills_are_a_start(tmp_path: Path) -> None:
    policy = train(make_problem(tmp_path / "job"), 64)
    with pytest.raises(JobError, match="gamma"):
        train(make_problem(tmp_path / "job", settings={**SMALL, "gamma": 0.5}), 128)
    save_policy(tmp_path / "skill", policy.spec, policy.tensors)
    slow = {**SMALL, "learning_rate": 1e-8}
    warm = train(make_problem(tmp_path / "warm", start=tmp_path / "skill", settings=slow), 32)
    assert all(np.allclose(value, policy.tensors[name], atol=1e-5) for name, value in warm.tensors.items())
    with pytest.raises(JobError, match="use its settings"):
        train(make_problem(tmp_path / "b", start=tmp_path / "skill", settings={**SMALL, "width": 32}), 32)


@pytest.mark.skipif(not list_installed(), reason="no browser here: apt-get install chromium")
def test_it_learns_to_click_a_button_in_a_browser(tmp_path: Path) -> None:
    """A tenth of the buttons are right by chance; a few seconds of training find most of them in a real browser."""
    family = get_family("web")
    task = family.resolve_task({"task": TASKS.index("click-test-2")})
    started = time.process_time()

    def make(n: int) -> BatchEnv:
        return family.make_vec(task, n)

    problem = make_problem(tmp_path, make, task=task, settings={"stop_at": 0.9, "stop_window": 64})
    policy = train(problem, 3000, schedule=3000, seed=0)
    assert policy.steps < 3000 and time.process_time() - started < 60
    found = evaluate(family, task, make_policy(policy.spec, policy.tensors), range(10**6, 10**6 + 10))
    assert sum(found.success) >= 9
