"""The torch back end flies as the numba one does: states, observations, rewards, ends, restarts, on the CPU in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from envs.catalog import get_family
from envs.quadrotor import layout as at
from envs.quadrotor.params import check_params
from envs.quadrotor.swarm import Swarm, View, make_swarm
from envs.quadrotor.torch_swarm import TorchSwarm, choose_device
from envs.task import ParamValue

Params = dict[str, ParamValue]
ROOMS: Params = {"drones": 8, "density": 0.2, "disturbance": 1.0, "randomisation": 0.2, "wind": 1.0}
CASES: list[tuple[Params, View, int]] = [
    (ROOMS, View(), 500),
    ({"drones": 1, "goal": 0, "tilt": 80.0, "start_speed": 1.0, "leash": 0.6, "action_mode": 1, "airframe": 1, "history": 4},
     View(history=4, integrator="rk4"), 500),
    ({"drones": 3, "density": 0.5, "crash_ends": 1, "start_speed": 5.0, "latency": 3, "action_mode": 4}, View(neighbours=4), 120),
    ({"drones": 2, "goal": 10, "action_mode": 2, "motor_lag": 0, "drag": 1.0}, View(substeps=3), 60),
    ({"drones": 3, "goal": 5, "action_mode": 3}, View(), 60),
]  # fmt: skip


def make_pair(params: Params, view: View, worlds: int, horizon: int) -> tuple[Swarm, Swarm]:
    checked = check_params(params)
    fast = Swarm(worlds, checked, horizon, view)
    slow = make_swarm(worlds, checked, horizon, View(**{**view.__dict__, "backend": "torch", "device": "cpu"}))
    assert isinstance(slow, TorchSwarm)
    return fast, slow


@pytest.mark.parametrize(("params", "view", "steps"), CASES)
def test_torch_flies_as_numba_does(params: Params, view: View, steps: int) -> None:
    fast, slow = make_pair(params, view, 3, 190 if steps > 190 else 45)
    assert np.array_equal(fast.reset(5), slow.reset(5))
    rng, ended, touched = np.random.default_rng(1), 0, 0.0
    for _ in range(steps):
        actions = rng.uniform(-0.5, 0.6, (fast.agents, 4)).astype(np.float32)
        over = fast.step(actions)
        assert slow.step(actions) == over
        ended += over
        touched += float(fast.table[at.NEW : at.NEW + 4, : fast.agents].sum() + fast.terminated.sum())
        assert np.array_equal(fast.terminated, slow.terminated) and np.array_equal(fast.truncated, slow.truncated)
        assert np.allclose(fast.reward, slow.reward, atol=1e-5)
        assert np.allclose(fast.final_observation, slow.final_observation, atol=1e-5)
        assert np.allclose(fast.observation, slow.observation, atol=1e-5)
    state = slice(0, at.CRASHED + 1)
    for row in range(at.CRASHED + 1):
        assert np.allclose(fast.table[row, : fast.agents], slow.table[row, : slow.agents], atol=1e-5), row
    assert np.allclose(fast.ended[state], slow.ended[state], atol=1e-5)
    assert ended > 0
    assert touched > 0 or steps < 100


def test_noise_and_downwash_repeat_per_seed_and_differ_between_seeds() -> None:
    def fly(seed: int) -> tuple[np.ndarray, np.ndarray]:
        _, swarm = make_pair({"drones": 4, "noise": 1.0, "downwash": 1}, View(), 2, 50)
        swarm.reset(seed)
        for _ in range(20):
            swarm.step(np.full((8, 4), 0.05, np.float32))
        return swarm.observation.copy(), swarm.table.copy()

    (one, table), (again, _), (other, _) = fly(3), fly(3), fly(4)
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    # thrust noise of the published size: 0.0093 at rest, less in the first steps
    assert 0.002 < np.abs(table[at.THRUST_NOISE : at.THRUST_NOISE + 4, :8]).mean() < 0.05


def test_downwash_pushes_the_lower_drone_only() -> None:
    _, swarm = make_pair({"drones": 2, "downwash": 1, "goal": 0, "room": 12.0}, View(), 1, 50)
    swarm.reset(0)
    for agent, place in enumerate(([0.0, 0.0, 5.0], [0.02, 0.0, 4.6])):
        swarm.table[at.POS : at.POS + 3, agent] = place
        swarm.table[at.VEL : at.RATE + 3, agent] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        swarm.table[at.ROTOR : at.ROTOR + 4, agent] = 0.0
    swarm.step(np.full((2, 4), -1.0, np.float32), restart=False)
    # published: (6 / 17)(7 - 10 * 0.4) = 1.059 m/s^2, give or take 0.1
    extra = -(swarm.table[at.VEL + 2, 1] - swarm.table[at.VEL + 2, 0]) / 0.01
    assert extra == pytest.approx(6 / 17 * 3, abs=0.1)
    assert swarm.table[at.VEL + 2, 0] == pytest.approx(-0.0981, abs=1e-12)


def test_snapshots_move_between_the_back_ends() -> None:
    fast, slow = make_pair(ROOMS, View(), 3, 300)
    fast.reset(1)
    slow.reset(2)
    actions = np.full((24, 4), 0.1, np.float32)
    fast.step(actions)
    slow.restore([0, 1, 2], fast.snapshot([0, 1, 2]))
    for _ in range(30):
        fast.step(actions)
        slow.step(actions)
    assert np.allclose(fast.observation, slow.observation, atol=1e-5)


def test_the_family_takes_the_back_end_by_name() -> None:
    family = get_family("quadrotor:torch:cpu")
    task = family.resolve_task({"drones": 2, "density": 0.2}, horizon=20)
    assert task.family == "quadrotor:torch:cpu"
    env = family.make_vec(task, 2)
    plain = get_family("quadrotor").make_vec(task, 2)
    assert np.array_equal(env.reset(3), plain.reset(3))
    actions = np.zeros((4, 4), np.float32)
    for _ in range(20):
        ours, theirs = env.step(actions), plain.step(actions)
    assert np.allclose(ours.observation, theirs.observation, atol=1e-5)
    assert [one.length for one in ours.outcomes] == [20] * 4
    for name, values in theirs.next_state.items():
        assert np.allclose(ours.next_state[name], values, atol=1e-5), name


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(ValueError, match=r"no CUDA GPU here; use device 'auto' or 'cpu'\.$"):
        get_family("quadrotor:torch:cuda")
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="device 'tpu9' is unknown"):
        choose_device("tpu9")
    with pytest.raises(ValueError, match="back end 'jax'"):
        make_swarm(1, check_params({}), 10, View(backend="jax"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_flies_as_numba_does() -> None:
    checked = check_params(ROOMS)
    fast, slow = Swarm(4, checked, 60), make_swarm(4, checked, 60, View(backend="torch", device="cuda"))
    fast.reset(5)
    slow.reset(5)
    for _ in range(100):
        actions = np.full((32, 4), 0.08, np.float32)
        assert fast.step(actions) == slow.step(actions)
    assert np.allclose(fast.observation, slow.observation, atol=1e-2)  # float32 there
