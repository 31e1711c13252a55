"""`dqn`, `awr`, `phase` and `archer` on pages without a browser: they learn, and they go on from a checkpoint bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dom_toys import ToyPages

from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.trainers import reporter
from experimenter.trainers.base import Command, Problem, Progress, TrainBudget, TrainedPolicy
from experimenter.trainers.device import one_thread
from experimenter.trainers.dom import make_trainer
from experimenter.trainers.dom_algorithm import Algorithm, make_algorithm
from experimenter.trainers.dom_collect import Pages
from experimenter.trainers.dom_demonstrations import WARM_UPDATES, begin_with_demonstrations, clone_into
from experimenter.trainers.dom_network import DomNetwork
from experimenter.trainers.dom_settings import make_settings
from experimenter.trainers.dom_trajectories import Episodes, tabulate
from experimenter.trainers.dom_updates import Pupil

SMALL: dict[str, ParamValue] = {
    "width": 16,
    "layers": 1,
    "heads": 2,
    "pair_width": 8,
    "num_envs": 4,
    "rollout_steps": 16,
}
QUICK: dict[str, dict[str, ParamValue]] = {
    "dqn": {
        "dqn_start": 64,
        "dqn_batch": 32,
        "dqn_target_every": 10,
        "dqn_explore": 512,
        "dqn_n_step": 2,
        "dqn_every": 16,
    },
    "awr": {"awr_draw": 32},
    "phase": {"phase_steps": 128},
    "archer": {"archer_batch": 32, "archer_critic_updates": 2, "archer_actor_updates": 3, "archer_warm_up": 0},
}
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("dqn", {}),
    ("dqn", {"dqn_exploration": "noisy"}),
    ("awr", {}),
    ("phase", {}),
    ("archer", {}),
    ("archer", {"archer_choices": False}),
]


def make(algorithm: str, **changes: Any) -> tuple[DomNetwork, Algorithm]:
    settings = make_settings("web", {"algorithm": algorithm, **SMALL, **QUICK.get(algorithm, {}), **changes})
    network = DomNetwork(settings, 1)
    return network, make_algorithm(settings, network, 2)


def run(pages: Pages, algorithm: Algorithm, rollouts: int, rate: float = 2e-3) -> list[float]:
    """Success of the episodes of each rollout; checks that the metrics are finite."""
    rates = []
    for _ in range(rollouts):
        rollout = pages.collect(algorithm, 16, 0, lambda taken: False)
        assert rollout is not None
        algorithm.observe(rollout)
        assert all(np.isfinite(value) and type(value) is float for value in algorithm.update(rate).values())
        rates.append(float(np.mean([one.outcome.success for one in rollout.finished])))
    return rates


@pytest.mark.parametrize(
    ("name", "changes"), [pytest.param(*way, marks=pytest.mark.slow if way[1] else ()) for way in WAYS]
)
def test_a_killed_run_goes_on_bit_for_bit(
    name: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the trainer and its checkpoint files, which come every 64 env steps."""
    monkeypatch.setattr(reporter, "INTERVAL_S", 0.0)

    def train(folder: Path, kill_at: int = 10**9) -> TrainedPolicy:
        def listen(progress: Progress) -> Command:
            if progress.step >= kill_at:
                raise KeyboardInterrupt
            return Command.CONTINUE

        probe = ToyPages(1)
        settings = {"algorithm": name, **SMALL, **QUICK[name], "checkpoint_steps": 64, "dqn_start": 16, **changes}
        problem = Problem(
            make_vec=ToyPages,
            observation_space=probe.observation_space,
            action_space=probe.action_space,
            folder=folder,
            family="web",
            settings={**settings, "phase_steps": 96, "archer_batch": 16},
        )
        return make_trainer().train(problem, TrainBudget(steps=256, schedule_steps=256), 3, listen)

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", kill_at=150)
    resumed = train(tmp_path / "cut")
    assert whole.steps == resumed.steps == 256
    for key, tensor in whole.tensors.items():
        assert np.array_equal(tensor, resumed.tensors[key]), key


@pytest.mark.parametrize(("name", "changes"), WAYS)
def test_updates_change_the_network_that_acts(name: str, changes: dict[str, Any]) -> None:
    network, algorithm = make(name, **changes)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    pages = Pages(ToyPages(4))
    pages.restart(3)
    run(pages, algorithm, 3)
    head = "q_head" if algorithm.head == "q" else "policy_head"
    assert any(not torch.equal(before[key], value) for key, value in network.state_dict().items() if head in key)


def test_actions_are_legal_and_told_with_their_probability() -> None:
    pages = ToyPages(4)
    seen = pages.reset(1)
    masks = np.zeros((4, 539), np.bool_)
    masks[:, [1, 2]] = True
    for name, changes in WAYS:
        _, algorithm = make(name, **changes)
        for _ in range(20):
            actions, logs = algorithm.act(seen, masks)
            assert set(actions.tolist()) <= {1, 2} and np.all(logs <= 1e-6)


@pytest.mark.parametrize("name", ["phase", pytest.param("awr", marks=pytest.mark.slow)])
def test_it_learns_to_click_the_named_button(name: str) -> None:
    """Random clicking finds it in under two thirds of the episodes of three buttons."""
    with one_thread():
        _, algorithm = make(name, width=32, heads=4, minibatch=64, phase_epochs=4)
        pages = Pages(ToyPages(4))
        pages.restart(3)
        rates = run(pages, algorithm, 24)
    assert np.mean(rates[:2]) < 0.7 < 0.85 < np.mean(rates[-6:])


def test_an_unknown_exploration_is_one_line() -> None:
    with pytest.raises(UsageError, match="dqn_exploration='greedy' of the trainer dom must be epsilon or noisy"):
        make("dqn", dqn_exploration="greedy")


def test_what_the_student_expects_is_told_with_the_task_that_it_was_of() -> None:
    for name in ("awr", "phase"):
        _, algorithm = make(name)
        pages = Pages(ToyPages(4))
        pages.restart(3)
        run(pages, algorithm, 2)
        expected = algorithm.expected  # type: ignore[attr-defined]  # optional side of an algorithm
        assert len(expected) > 10 and all(params == {"task": 0} and 0 < value < 1 for params, value in expected)


@pytest.mark.parametrize("name", ["ppo", "awr", "phase", "archer"])
def test_demonstrations_are_cloned_before_anything_else(name: str) -> None:
    """Of the untrained policy's own successes as demonstrations, the probability rises before the first rollout."""
    _, acting = make("phase")
    pages = Pages(ToyPages(4))
    pages.restart(3)
    rollout = pages.collect(acting, 16, 0, lambda taken: False)
    assert rollout is not None
    shown = [one for one in Episodes().read(rollout) if one.success]
    table = tabulate(shown)
    network, algorithm = make(name)
    pupil = Pupil(network)

    def likelihood() -> float:
        logs = pupil.read(table, lambda told: torch.log_softmax(told.logits, dim=1))
        return float(logs.gather(1, pupil.tensor(table.action)[:, None]).mean())

    before = likelihood()
    settings = make_settings("web", {**SMALL, "algorithm": name, "clone_epochs": 60, "learning_rate": 2e-3})
    pulses = iter([False, False, True])
    clone_into(*make(name), settings, shown, 0, lambda: next(pulses))
    assert next(pulses, None) is None, "a sign of life before each gradient step, and a stop ends it"
    clone_into(network, algorithm, settings, shown, 0)
    assert likelihood() > before + 0.5
    kept = getattr(algorithm, "_replay", None)
    assert name not in ("awr", "phase") or (kept is not None and len(kept) == len(shown))
    assert name != "ppo" or getattr(algorithm, "critic_only") == WARM_UPDATES  # noqa: B009  # not in the protocol


def test_values_alone_cannot_be_cloned_into() -> None:
    network, algorithm = make("dqn")
    settings = make_settings("web", {**SMALL, "algorithm": "dqn", "demonstrations": "oracle"})
    with pytest.raises(UsageError, match="dqn has no policy to clone into"):
        begin_with_demonstrations(network, algorithm, settings, None, seed=0)
