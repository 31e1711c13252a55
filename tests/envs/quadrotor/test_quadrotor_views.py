"""One kernel, several views: what SB3 and PettingZoo see is what the family's batch gives for the same seed and actions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.quadrotor import layout as at
from envs.quadrotor.batch import QuadrotorBatch
from envs.quadrotor.family import QuadrotorFamily
from envs.quadrotor.sb3_view import SwarmVecEnv
from envs.task import TaskSpec

HORIZON = 12


def make_task(drones: int = 3, horizon: int = HORIZON, **params: float) -> TaskSpec:
    return QuadrotorFamily().resolve_task({"drones": drones, "density": 0.2, "noise": 1.0, **params}, horizon=horizon)


def actions(steps: int, agents: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).uniform(-1, 1, (steps, agents, 4)).astype(np.float32)


def test_sb3_sees_what_the_batch_gives() -> None:
    task = make_task()
    batch, view = QuadrotorBatch(task, 2), SwarmVecEnv(task, 2, seed=5)
    first: Any = view.reset()
    assert np.array_equal(batch.reset(5), first)
    for step, action in enumerate(actions(2 * HORIZON + 3, 6), start=1):
        expected = batch.step(action)
        observation, reward, done, infos = view.step(action)
        assert np.array_equal(observation, expected.observation)
        assert np.array_equal(reward, expected.reward.astype(np.float32))
        assert done.all() == (step % HORIZON == 0)
        for slot, outcome in enumerate(expected.outcomes):
            assert np.array_equal(infos[slot]["terminal_observation"], expected.final_observation[slot])
            assert infos[slot]["TimeLimit.truncated"] and infos[slot]["outcome"] == outcome
            assert infos[slot]["episode"]["l"] == HORIZON
        assert done.any() or not any(infos)


def test_sb3_tells_a_crash_from_the_time_limit() -> None:
    view = SwarmVecEnv(make_task(crash_ends=1, horizon=100), 1)
    view.reset()
    view.swarm.table[at.POS + 2, 1] = 0.02  # drone 1 is put into the floor
    _, _, done, infos = view.step(np.zeros((3, 4), np.float32))
    assert done.all() and [info["TimeLimit.truncated"] for info in infos] == [True, False, True]
    assert infos[1]["outcome"].extras["crashed"] == 1.0


def test_sb3_trains_on_it() -> None:
    from stable_baselines3 import PPO

    view = SwarmVecEnv(make_task(), 2)
    model = PPO("MlpPolicy", view, n_steps=16, batch_size=48, n_epochs=1, device="cpu", seed=0)
    before = model.policy.state_dict()["action_net.weight"].clone()
    model.learn(16 * 6)
    assert model.num_timesteps == 96
    assert not bool((before == model.policy.state_dict()["action_net.weight"]).all())
    assert len(model.ep_info_buffer or []) == 6


def test_pettingzoo_passes_its_own_test_and_gives_what_the_batch_gives() -> None:
    pytest.importorskip("pettingzoo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its test package imports its own old games
        from pettingzoo.test import parallel_api_test

    from envs.quadrotor.pettingzoo_view import SwarmParallel

    parallel_api_test(SwarmParallel(make_task()), num_cycles=30)
    task = make_task()
    batch, view = QuadrotorBatch(task, 1), SwarmParallel(task)
    first = batch.reset(9)
    observations, _ = view.reset(seed=9)
    assert all(np.array_equal(observations[f"drone_{index}"], first[index]) for index in range(3))
    for action in actions(HORIZON, 3):
        expected = batch.step(action)
        observations, rewards, terminated, truncated, infos = view.step(
            {name: action[index] for index, name in enumerate(view.agents)}
        )
        assert list(rewards.values()) == expected.reward.tolist()
        assert np.array_equal(np.stack(list(observations.values())), expected.final_observation)
    assert not any(terminated.values()) and all(truncated.values()) and view.agents == []
    assert [info["outcome"].length for info in infos.values()] == [HORIZON] * 3
    with pytest.raises(ValueError, match="call reset"):
        view.step({})
    view.reset()
    with pytest.raises(ValueError, match="no action for drone_1, drone_2"):
        view.step({"drone_0": np.zeros(4, np.float32)})


def test_the_single_world_passes_gymnasiums_check() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*(Box observation space|not within the observation space|metadata|spec).*"
        )
        check_env(QuadrotorFamily().make(make_task(drones=1)), skip_render_check=True)
