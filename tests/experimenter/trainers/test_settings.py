"""Settings: defaults, overrides and the errors that a typing mistake gets."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete

from envs.task import ParamValue
from experimenter.errors import EnvironmentNotReady, UsageError
from experimenter.trainers import ppo_settings, sb3
from experimenter.trainers.device import resolve_device
from experimenter.trainers.sb3_zoo import ALGORITHMS, algorithm_settings
from experimenter.trainers.settings import parse_hidden, resolve_settings
from experimenter.trainers.worlds import resolve_shape, restart_seed

DEFAULTS: dict[str, ParamValue] = {"gamma": 0.99, "epochs": 10, "decay": True, "hidden": "64x64"}


def test_overrides_take_the_type_of_the_default() -> None:
    found = resolve_settings("ppo", DEFAULTS, {"gamma": 1, "epochs": 4.0, "decay": False})
    assert found == {"gamma": 1.0, "epochs": 4, "decay": False, "hidden": "64x64"}
    assert isinstance(found["gamma"], float) and isinstance(found["epochs"], int)


def test_an_unknown_name_gets_the_nearest_and_all() -> None:
    with pytest.raises(UsageError, match=r"unknown setting 'gama'.*Did you mean 'gamma'.*decay, epochs, gamma, hidden"):
        resolve_settings("ppo", DEFAULTS, {"gama": 0.9})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("epochs", 2.5, "whole number"), ("epochs", True, "whole number"), ("gamma", "x", "a number"),
     ("decay", 1, "true or false"), ("hidden", 64, "text")],
)  # fmt: skip
def test_a_wrong_type_says_what_is_right(name: str, value: ParamValue, kind: str) -> None:
    with pytest.raises(UsageError, match=rf"{name}=.*must be.*{kind}"):
        resolve_settings("ppo", DEFAULTS, {name: value})


def test_hidden_layers() -> None:
    assert parse_hidden("400x300") == [400, 300]
    for bad in ("", "64,64", "64x", "0x64", "-3"):
        with pytest.raises(UsageError, match="such as 64x64"):
            parse_hidden(bad)


def test_out_of_range_names_the_range() -> None:
    with pytest.raises(UsageError, match=r"gamma=1\.5.*between 0 and 1"):
        ppo_settings.make_settings("walker", {"gamma": 1.5})
    with pytest.raises(UsageError, match=r"n_envs=0.*between 1 and"):
        sb3.make_settings("walker", {"n_envs": 0})


def test_short_schedules_get_many_small_updates() -> None:
    def made(steps: int | None) -> tuple[int, float]:
        settings = ppo_settings.make_settings("walker", {}, steps)
        return settings.num_envs * settings.rollout_steps, settings.learning_rate

    assert made(None) == made(2_500_000) == (8192, 6e-4)
    assert made(300_000) == (1024, 1e-3) and made(300_001) == made(1_500_000) == (1024, 5e-4)
    assert ppo_settings.make_settings("gym:CartPole-v1", {}, 1000) == ppo_settings.make_settings("gym:CartPole-v1", {})
    assert ppo_settings.make_settings("walker", {"num_envs": 3}, 1000).num_envs == 3


def test_the_walker_has_the_zoo_settings() -> None:
    ppo = algorithm_settings("ppo", "walker")
    assert (ppo["n_envs"], ppo["n_steps"], ppo["batch_size"], ppo["gamma"], ppo["clip_range"]) == (
        32,
        2048,
        64,
        0.999,
        0.18,
    )
    assert ppo == algorithm_settings("ppo", "gym:BipedalWalker-v3")
    for algorithm in ("sac", "tqc"):
        tuned = algorithm_settings(algorithm, "walker")
        assert (tuned["learning_rate"], tuned["tau"], tuned["use_sde"], tuned["hidden"]) == (
            7.3e-4,
            0.02,
            True,
            "400x300",
        )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tuned_names_are_all_settings_of_the_algorithm(algorithm: str) -> None:
    names = set(algorithm_settings(algorithm, "gym:Nothing-v0"))
    families = ("walker", "CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0",
                "LunarLander-v3", "LunarLanderContinuous-v3", "HalfCheetah-v5", "Hopper-v5", "Walker2d-v5", "Reacher-v5")  # fmt: skip
    for family in families:
        assert set(algorithm_settings(algorithm, f"gym:{family}".replace("gym:walker", "walker"))) == names


def test_an_unknown_algorithm_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"unknown algorithm 'a2c'.*ppo, sac, td3, tqc, dqn"):
        sb3.make_settings("walker", {"algorithm": "a2c"})


def test_devices() -> None:
    assert resolve_device("cpu", [64]).type == "cpu"
    assert resolve_device("auto", [64]).type == "cpu"
    with pytest.raises(UsageError, match="Known: auto, cpu, cuda"):
        resolve_device("tpu", [64])
    with pytest.raises(EnvironmentNotReady, match="cuda:99"):
        resolve_device("cuda:99", [64])


def test_shapes_and_action_scales() -> None:
    box = Box(-1.0, 1.0, (3,), np.float32)
    shape = resolve_shape("ppo", box, Box(np.array([-2, 0, -np.inf], np.float32), np.array([2, 1, np.inf], np.float32)))
    assert shape.scale.tolist() == [2.0, 0.5, 1.0]
    assert shape.middle.tolist() == [0.0, 0.5, 0.0]
    assert resolve_shape("ppo", box, Discrete(4)).action == 4
    with pytest.raises(UsageError, match="flat Box observations"):
        resolve_shape("ppo", Dict({"a": box}), Discrete(4))
    with pytest.raises(UsageError, match="Discrete actions from 0"):
        resolve_shape("ppo", box, Discrete(4, start=1))


def test_restart_seeds_differ_and_stay_above_held_out_ones() -> None:
    seeds = {restart_seed(seed, step) for seed in range(20) for step in range(0, 2000, 100)}
    assert len(seeds) == 400
    assert all(2**31 <= seed < 2**32 for seed in seeds)
