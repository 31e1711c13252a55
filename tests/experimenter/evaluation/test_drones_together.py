"""Rooms of drones stepped side by side give every episode bit for bit as each room alone."""

from __future__ import annotations

import numpy as np
import pytest

from envs.catalog import get_family
from envs.quadrotor.batch import QuadrotorBatch
from envs.task import ParamValue
from experimenter.evaluation.rollout import ColumnWorlds, evaluate
from skills.artifact import Policy, make_policy

EFFECTS: dict[str, ParamValue] = {"noise": 1.0, "downwash": 1, "disturbance": 1.0, "randomisation": 0.2, "wind": 1.0}


def make_pilot(size: int) -> Policy:
    """A small random network that flies about for a while: thrust around hover."""
    rng = np.random.default_rng(7)
    sizes = [(16, size), (4, 16)]
    tensors = {f"w{i}": rng.normal(0, 0.1, shape).astype(np.float32) for i, shape in enumerate(sizes)}
    tensors |= {"b0": np.zeros(16, np.float32), "b1": np.full(4, 0.08, np.float32)}
    spec = {"kind": "mlp", "layers": 2, "activation": "tanh", "head": "clip", "low": [-1.0] * 4, "high": [1.0] * 4}
    return make_policy({**spec, "normalise": False}, tensors)


@pytest.mark.parametrize(
    "params",
    [
        {"drones": 8, "density": 0.2, **EFFECTS},
        {"drones": 3, "density": 0.4, "crash_ends": 1, **EFFECTS},
        {"drones": 1, "goal": 0, "tilt": 60.0, "leash": 0.6, "action_mode": 1, **EFFECTS},
    ],
)
def test_rooms_side_by_side_give_each_episode_bit_for_bit(params: dict[str, ParamValue]) -> None:
    family = get_family("quadrotor")
    task = family.resolve_task(params, horizon=160)
    env = family.make_vec(task, 1)
    assert isinstance(env, ColumnWorlds) and env.steps_together
    policy = make_pilot(env.observation_space.shape[0])  # type: ignore[index]  # a Box has a shape
    seeds = [10**6 + place for place in range(5)]
    together = evaluate(family, task, policy, seeds)
    alone = [evaluate(family, task, policy, [seed]) for seed in seeds]
    assert together.native_return == tuple(one.native_return[0] for one in alone)
    assert together.fitness == tuple(one.fitness[0] for one in alone)
    assert together.success == tuple(one.success[0] for one in alone)
    assert together.length == tuple(one.length[0] for one in alone)
    for name, values in together.extras_by_episode.items():
        assert values == tuple(one.extras_by_episode[name][0] for one in alone), name
    assert len(set(together.native_return)) == len(seeds)


def test_each_room_needs_its_seed() -> None:
    family = get_family("quadrotor")
    env = family.make_vec(family.resolve_task({"drones": 2}), 3)
    assert isinstance(env, QuadrotorBatch)
    with pytest.raises(ValueError, match="2 seeds for 3 rooms"):
        env.reset_each([1, 2])
