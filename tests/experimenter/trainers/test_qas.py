"""The trainer qas: n-step windows by hand, double DQN targets, masks, resume bit for bit, circuits as policies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from envs.task import ParamValue
from experimenter import registry
from experimenter.evaluation.rollout import evaluate
from experimenter.trainers.base import Command, Listener, Problem, Progress, TrainBudget, TrainedPolicy
from experimenter.trainers.qas_learner import Legality, QasLearner
from experimenter.trainers.qas_returns import Replay, Sample, Windows
from experimenter.trainers.qas_settings import QasSettings
from skills.artifact import load_policy, save_policy

quantum = pytest.mark.skipif(not find_spec("numba"), reason="needs the extra quantum")
H2: dict[str, ParamValue] = {"problem": 0, "bond_length": 0.7414, "max_gates": 12}
SMALL: dict[str, ParamValue] = {
    "num_envs": 8,
    "hidden": "32",
    "search_evaluations": 4000,
    "replays": 4,
    "learning_starts": 64,
}


def at(value: float) -> Any:
    return np.array([value], np.float32)


def step(windows: Windows, here: float, reward: float, there: float, **end: bool) -> list[tuple[float, ...]]:
    flags = {"terminated": False, "truncated": False, **end}
    closed = windows.add(0, at(here), int(here), reward, at(there), **flags)
    return [(float(w.observation[0]), w.reward, w.discount, float(w.successor[0])) for w in closed]


def test_windows_carry_the_discount_of_their_own_length() -> None:
    windows = Windows(1, 3, 0.5)
    assert step(windows, 0, 1.0, 1) == []
    assert step(windows, 1, 2.0, 2) == []
    assert step(windows, 2, 4.0, 3) == [(0, 1 + 2 / 2 + 4 / 4, 0.125, 3)]
    assert step(windows, 3, 8.0, 4) == [(1, 2 + 4 / 2 + 8 / 4, 0.125, 4)]


def test_a_true_end_closes_all_windows_without_bootstrap_and_the_next_episode_starts_empty() -> None:
    windows = Windows(1, 3, 0.5)
    step(windows, 0, 1.0, 1)
    assert step(windows, 1, 2.0, 2, terminated=True) == [(0, 2.0, 0.0, 2), (1, 2.0, 0.0, 2)]
    assert step(windows, 5, 1.0, 6) == []
    assert step(windows, 6, 1.0, 7) == []
    assert step(windows, 7, 1.0, 8) == [(5, 1.75, 0.125, 8)]


def test_a_cut_keeps_the_value_of_the_final_observation() -> None:
    windows = Windows(1, 3, 0.5)
    step(windows, 0, 1.0, 1)
    assert step(windows, 1, 2.0, 9, truncated=True) == [(0, 2.0, 0.25, 9), (1, 2.0, 0.5, 9)]
    step(windows, 0, 4.0, 1)
    (restarted,) = windows.cut(np.array([[3.0]], np.float32))
    assert (restarted.reward, restarted.discount, float(restarted.successor[0])) == (4.0, 0.5, 3.0)


def test_the_replay_forgets_the_oldest_and_survives_saving() -> None:
    replay, windows = Replay(3, 1), Windows(1, 1, 0.5)
    for place in range(4):
        for window in windows.add(0, at(place), place, float(place), at(place + 1), terminated=False, truncated=False):
            replay.add(window)
    assert set(replay.draw(64, np.random.default_rng(0)).action.tolist()) == {1, 2, 3}
    other = Replay(3, 1)
    other.load(*replay.save())
    one, two = (each.draw(8, np.random.default_rng(1)) for each in (replay, other))
    assert np.array_equal(one.observation, two.observation) and np.array_equal(one.action, two.action)


def make_learner(mask: int = 3, **settings: Any) -> QasLearner:
    chosen = QasSettings(hidden="4", **settings)
    return QasLearner(3, Legality(3, mask), chosen, 0, torch.device("cpu"))


def put(network: torch.nn.Sequential, values: list[float]) -> None:
    """Make the network give `values` whatever it sees."""
    last = network[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor(values))


def test_the_target_takes_the_online_choice_among_legal_actions() -> None:
    learner = make_learner(learning_rate=1e-8)
    put(learner.network, [9.0, 5.0, 1.0])
    put(learner.target, [7.0, 2.0, 8.0])
    # legal in s': actions 1 and 2; online prefers 1, whose target value is 2: y = 3 + 0.5 * 2; Q(s, 2) = 1
    sample = Sample(
        np.ones((1, 3), np.float32),
        np.array([2]),
        np.array([3.0], np.float32),
        np.array([0.5], np.float32),
        np.array([[0.0, 1.0, 1.0]], np.float32),
    )
    assert learner.update(sample, 0)["value_loss"] == pytest.approx(abs(4.0 - 1.0) - 0.5)


def test_neither_random_nor_greedy_actions_are_illegal() -> None:
    learner, rng = make_learner(), np.random.default_rng(0)
    put(learner.network, [9.0, 5.0, 1.0])
    seen = np.tile(np.array([[0.0, 1.0, 1.0]], np.float32), (200, 1))
    assert set(learner.act(seen, 1.0, rng).tolist()) == {1, 2}
    assert set(learner.act(seen, 0.0, rng).tolist()) == {1}
    assert set(make_learner(mask=0).act(seen, 1.0, rng).tolist()) == {0, 1, 2}


def make_quantum(
    folder: Path, settings: dict[str, ParamValue], params: dict[str, ParamValue] = H2, name: str = "quantum"
) -> Problem:
    family = get_family(name)
    task = family.resolve_task(params)
    probe = family.make_vec(task, 1)
    return Problem(
        make_vec=lambda n: family.make_vec(task, n),
        observation_space=probe.observation_space,
        action_space=probe.action_space,
        folder=folder,
        family=name,
        settings=settings,
        task=task,
    )


def train(
    folder: Path,
    steps: int,
    settings: dict[str, ParamValue],
    name: str = "qas",
    listen: Listener = lambda progress: Command.CONTINUE,
) -> TrainedPolicy:
    trainer = registry.load("trainers", name)()
    problem = make_quantum(folder, {**SMALL, **settings} if name == "qas" else settings)
    policy: TrainedPolicy = trainer.train(problem, TrainBudget(steps=steps, schedule_steps=1600), 3, listen)
    return policy


@quantum
@pytest.mark.parametrize("name", ["qas", "maskable_ppo"])
def test_h2_becomes_a_two_gate_skill_that_held_out_worlds_confirm(name: str, tmp_path: Path) -> None:
    settings: dict[str, ParamValue] = {} if name == "qas" else {"search_evaluations": 4000, "replays": 4}
    policy = train(tmp_path / "job", 800, settings, name)
    spec = policy.spec
    assert spec["kind"] == "circuit" and spec["is_accurate"]
    assert spec["counts"] == {"gates": 2, "two_qubit_gates": 1, "rotations": 1, "depth": 2}
    assert abs(spec["error"]) < 1e-8 and spec["noisy_energy"] == spec["energy"]
    assert spec["search"]["successes"] > 0 and spec["search"]["evaluations"] > 800
    save_policy(tmp_path / "policy", spec, policy.tensors)
    family = get_family("quantum")
    played = evaluate(family, family.resolve_task(H2), load_policy(tmp_path / "policy"), [10**6, 10**6 + 1])
    assert played.success == (True, True)
    assert played.length == (2, 2)


@quantum
def test_killed_and_resumed_is_the_same_training(tmp_path: Path) -> None:
    settings: dict[str, ParamValue] = {"checkpoint_steps": 200}
    whole = train(tmp_path / "whole", 800, settings)

    def kill_later(progress: Progress) -> Command:
        if (tmp_path / "cut" / "checkpoint").is_dir():
            shutil.copytree(tmp_path / "cut" / "checkpoint", tmp_path / "kept" / "checkpoint", dirs_exist_ok=True)
            raise KeyboardInterrupt
        return Command.CONTINUE

    from experimenter.trainers import reporter

    before, reporter.INTERVAL_S = reporter.INTERVAL_S, 0.0
    try:
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut", 800, settings, listen=kill_later)
    finally:
        reporter.INTERVAL_S = before
    state = json.loads((tmp_path / "kept" / "checkpoint" / "state.json").read_text())
    assert 0 < state["step"] < 800
    resumed = train(tmp_path / "kept", 800, settings)
    assert resumed.spec == whole.spec
    finals = [(tmp_path / name / "checkpoint" / "arrays.safetensors").read_bytes() for name in ("whole", "kept")]
    assert finals[0] == finals[1]


@quantum
def test_energy_evaluations_are_a_budget(tmp_path: Path) -> None:
    policy = train(tmp_path, 10**6, {"max_evaluations": 2000, "search_evaluations": 0})
    assert policy.steps < 10_000
    assert 2000 <= policy.spec["search"]["evaluations"] < 20_000


@quantum
def test_without_a_success_the_policy_is_the_nearest_miss_and_says_so(tmp_path: Path) -> None:
    family = get_family("quantum")
    problem = make_quantum(tmp_path, {**SMALL}, {"problem": 3, "max_gates": 2})
    trainer = registry.load("trainers", "qas")()
    policy = trainer.train(problem, TrainBudget(steps=64, schedule_steps=64), 0, lambda progress: Command.CONTINUE)
    assert not policy.spec["is_accurate"] and policy.spec["search"]["successes"] == 0
    assert policy.spec["error"] > 1.6e-3
    save_policy(tmp_path / "policy", policy.spec, policy.tensors)
    task = family.resolve_task({"problem": 3, "max_gates": 2})
    assert evaluate(family, task, load_policy(tmp_path / "policy"), [10**6]).success == (False,)


@quantum
@pytest.mark.parametrize("name", ["qas", "maskable_ppo"])
def test_a_made_problem_is_trained_like_a_shipped_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from envs.quantum.problems import load_problem, make_problem
    from envs.quantum.stored import store_problem

    monkeypatch.setenv("EXPERIMENTER_HOME", str(tmp_path))
    known = load_problem("h2-2")
    family = f"quantum:{store_problem(make_problem('own', known.terms, title='own', geometry='H2')).stem}"
    settings = SMALL if name == "qas" else {"search_evaluations": 4000, "replays": 4}
    problem = make_quantum(tmp_path, {**settings}, {"max_gates": 12}, family)
    trainer = registry.load("trainers", name)()
    policy = trainer.train(problem, TrainBudget(steps=800, schedule_steps=1600), 3, lambda progress: Command.CONTINUE)
    spec = policy.spec
    assert spec["is_accurate"] and spec["counts"]["gates"] == 2
    assert spec["energy"] == pytest.approx(known.exact, abs=1e-8)
    assert spec["task_params"]["molecule"] == family.removeprefix("quantum:")


@quantum
def test_only_episodes_of_the_target_task_count() -> None:
    from envs.quantum.actions import encode
    from envs.quantum.gates import CNOT, RY
    from experimenter.trainers.qas_circuits import Circuits

    task = get_family("quantum").resolve_task(H2)
    circuits = Circuits(QasSettings(), task, 0)
    actions = [encode(RY, 0), encode(CNOT, 1, 0)]

    def outcome(error: float, **changed: ParamValue) -> EpisodeOutcome:
        extras = {"energy_error": error, "evaluations": 5.0}
        params = {**task.params, **changed}
        return EpisodeOutcome(slot=0, params=params, fitness=0, success=True, native_return=0, length=2, extras=extras)

    circuits.take(outcome(1e-9, noise_level=0.01), actions, 10)  # another machine
    circuits.take(outcome(3e-3, threshold=10.0), actions, 20)  # success at an easier threshold only
    assert circuits.successes == 0 and circuits.misses == [(3e-3, actions)]
    circuits.take(outcome(1e-9, threshold=10.0), actions, 30)
    assert circuits.successes == 1 and [len(found.circuit) for found in circuits.found] == [2]
    assert circuits.first is not None and circuits.first[0] == 30
    again = Circuits(QasSettings(), task, 0)
    again.load(json.loads(json.dumps(circuits.save())))
    assert again.found == circuits.found and again.save() == circuits.save()


@pytest.fixture
def cartpole(make_problem: Callable[..., Problem]) -> Problem:
    return make_problem("gym:CartPole-v1", settings={"num_envs": 8, "explore_share": 0.3, "updates": 4})


@pytest.mark.slow
def test_it_learns_to_balance_a_pole(cartpole: Problem, tmp_path: Path) -> None:
    trainer = registry.load("trainers", "qas")()
    policy = trainer.train(cartpole, TrainBudget(steps=30_000, schedule_steps=30_000), 0, lambda p: Command.CONTINUE)
    save_policy(tmp_path / "policy", policy.spec, policy.tensors)
    family = get_family("gym:CartPole-v1")
    played = evaluate(family, family.resolve_task(), load_policy(tmp_path / "policy"), range(10**6, 10**6 + 10))
    assert np.mean(played.native_return) > 150
