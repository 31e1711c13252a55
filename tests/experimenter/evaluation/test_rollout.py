"""Held-out episodes on real families: each result depends on its own seed alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from experimenter.evaluation.rollout import (
    ColumnWorlds,
    RolloutError,
    evaluate,
    mean_extras,
    merge_outcomes,
    record_rollout,
    run_episodes,
    world_succeeds,
)
from skills.artifact import MlpPolicy, make_policy


def make_linear(observations: int, actions: int, *, head: str = "clip", scale: float = 1.0) -> MlpPolicy:
    rng = np.random.default_rng(2)
    spec: dict[str, Any] = {"kind": "mlp", "activation": "tanh", "layers": 1, "head": head, "normalise": False}
    if head == "clip":
        spec |= {"low": [-1.0] * actions, "high": [1.0] * actions}
    tensors = {
        "w0": (scale * rng.normal(size=(actions, observations))).astype(np.float32),
        "b0": np.zeros(actions, np.float32),
    }
    policy = make_policy(spec, tensors)
    assert isinstance(policy, MlpPolicy)
    return policy


@pytest.mark.parametrize(
    ("name", "shape", "head"), [("gym:CartPole-v1", (4, 2), "argmax"), ("walker", (24, 4), "clip")]
)
def test_an_episode_does_not_depend_on_the_others(name: str, shape: tuple[int, int], head: str) -> None:
    family = get_family(name)
    task = family.resolve_task(horizon=120)
    policy = make_linear(*shape, head=head)
    seeds = [10**6, 10**6 + 1, 10**6 + 2]
    together = evaluate(family, task, policy, seeds)
    backwards = evaluate(family, task, policy, seeds[::-1])
    alone = [evaluate(family, task, policy, [seed]) for seed in seeds]
    assert together.fitness == backwards.fitness[::-1] == tuple(one.fitness[0] for one in alone)
    assert together.native_return == tuple(one.native_return[0] for one in alone)
    assert together.seeds == tuple(seeds) and len(together.length) == 3
    assert len(set(together.native_return)) == 3


@pytest.mark.parametrize(
    ("name", "observations", "actions", "head"),
    [
        ("gym:CartPole-v1", 4, 2, "argmax"),
        ("gym:Acrobot-v1", 6, 3, "argmax"),
        ("gym:MountainCar-v0", 2, 3, "argmax"),
        ("gym:MountainCarContinuous-v0", 2, 1, "clip"),
        ("gym:Pendulum-v1", 3, 1, "clip"),
        ("gym:LunarLander-v3", 8, 4, "argmax"),
        ("gym:LunarLanderContinuous-v3", 8, 2, "clip"),
        ("gym:Hopper-v5", 11, 3, "clip"),
        ("gym:HalfCheetah-v5", 17, 6, "clip"),
        ("gym:Reacher-v5", 10, 2, "clip"),
        ("gym:MiniGrid-DoorKey-5x5-v0", 151, 7, "argmax"),
        ("walker", 24, 4, "clip"),
    ],
)
def test_worlds_side_by_side_give_each_episode_bit_for_bit(
    name: str, observations: int, actions: int, head: str
) -> None:
    family = get_family(name)
    task = family.resolve_task(horizon=150)
    policy = make_linear(observations, actions, head=head)
    env = family.make_vec(task, 2)
    assert isinstance(env, ColumnWorlds) and env.steps_together
    env.close()
    seeds = list(range(10**6, 10**6 + 7))
    together = evaluate(family, task, policy, seeds)
    alone = [evaluate(family, task, policy, [seed]) for seed in seeds]
    assert together.native_return == tuple(one.native_return[0] for one in alone)
    assert together.fitness == tuple(one.fitness[0] for one in alone)
    assert together.length == tuple(one.length[0] for one in alone)


def test_a_bad_action_side_by_side_names_its_world() -> None:
    class Bad:
        def act(self, observation: NDArray[Any]) -> NDArray[Any]:
            # the first observation of one world only is beyond this bound
            return np.where(observation[:, :1] > threshold, np.nan, 0.0).astype(np.float32)

    family = get_family("gym:Pendulum-v1")
    task = family.resolve_task(horizon=5)
    env = family.make_vec(task, 1)
    firsts = {seed: float(env.reset(seed)[0, 0]) for seed in (1, 2, 3)}
    env.close()
    worst = max(firsts, key=lambda seed: firsts[seed])
    threshold = sorted(firsts.values())[1]
    with pytest.raises(RolloutError, match=f"non-finite action in the world of seed {worst}"):
        evaluate(family, task, Bad(), [1, 2, 3])


def test_cartpole_by_hand() -> None:
    class Left:
        def act(self, observation: NDArray[Any]) -> NDArray[Any]:
            return np.zeros(len(observation), np.int64)

    family = get_family("gym:CartPole-v1")
    found = evaluate(family, family.resolve_task(), Left(), [10**6, 10**6 + 1])
    # always pushing left drops the pole after 8 to 11 steps; the native reward is 1 a step
    assert all(8 <= length <= 11 for length in found.length)
    assert found.native_return == tuple(float(length) for length in found.length)
    assert found.success == (False, False)


def test_rollout_as_frames() -> None:
    family = get_family("gym:CartPole-v1")
    task = family.resolve_task()
    policy = make_linear(4, 2, head="argmax")
    rollout = record_rollout(family, task, policy, 10**6, every=3)
    (outcome,) = run_episodes(family, task, policy, [10**6])
    assert rollout.outcome.native_return == outcome.native_return
    assert len(rollout.frames) == -(-outcome.length // 3)
    assert {frame.shape[2] for frame in rollout.frames} == {3} and rollout.frames[0].dtype == np.uint8
    assert any((frame != rollout.frames[0]).any() for frame in rollout.frames[1:])


def test_a_policy_that_overflows_is_refused() -> None:
    class Broken:
        def act(self, observation: NDArray[Any]) -> NDArray[Any]:
            return np.full((len(observation), 4), np.nan, np.float32)

    family = get_family("walker")
    with pytest.raises(RolloutError, match="non-finite action in the world of seed 1000000"):
        evaluate(family, family.resolve_task(), Broken(), [10**6])
    with pytest.raises(ValueError, match="at least one seed"):
        evaluate(family, family.resolve_task(), Broken(), [])


def test_extras_are_means_of_finite_values() -> None:
    assert mean_extras([{"a": 1.0, "b": float("nan")}, {"a": 3.0}]) == {"a": 2.0}


def make_outcome(*, success: bool, fitness: float = 0.0, slot: int = 0, **extras: float) -> EpisodeOutcome:
    return EpisodeOutcome(
        slot=slot,
        params={},
        fitness=fitness,
        success=success,
        native_return=4.0 - 2.0 * slot,
        length=9 - 2 * slot,
        extras=extras,
    )


def test_a_world_of_several_agents_is_one_episode() -> None:
    one = make_outcome(success=True, fitness=1.0, effort=1.0)
    other = make_outcome(success=False, slot=1, effort=2.0)
    merged = merge_outcomes([one, other])
    assert (merged.fitness, merged.success, merged.native_return, merged.length) == (0.5, False, 3.0, 9)
    assert merged.extras == {"effort": 1.5, "agent_success": 0.5, "all_succeeded": 0.0}
    assert merge_outcomes([other]) is other


@pytest.mark.parametrize(
    ("agents", "failed", "succeeds"),
    [(1, 0, True), (1, 1, False), (7, 1, False), (8, 1, True), (8, 2, False), (32, 4, True), (32, 5, False)],
)
def test_one_agent_in_eight_may_fail(agents: int, failed: int, succeeds: bool) -> None:
    assert world_succeeds([True] * (agents - failed) + [False] * failed) is succeeds
    if agents > 1:
        flags = [False] * failed + [True] * (agents - failed)
        merged = merge_outcomes([make_outcome(success=flag) for flag in flags])
        assert merged.success is succeeds and merged.extras["all_succeeded"] == float(failed == 0)


def test_a_world_that_rests_stands_still() -> None:
    for name, actions in (("walker", 4), ("gym:Hopper-v5", 3)):
        family = get_family(name)
        env = family.make_vec(family.resolve_task(), 2)
        assert isinstance(env, ColumnWorlds)
        first = env.reset_each([7, 7])
        assert (first[0] == first[1]).all()
        env.rest(1)
        action = np.full((2, actions), 0.5, np.float32)
        for _ in range(3):
            batch = env.step(action)
        assert (batch.observation[1] == first[1]).all() and (batch.observation[0] != first[0]).any()
        assert batch.reward[1] == 0.0 and not batch.terminated[1]
        env.reset_each([7, 8])
        assert (env.step(action).observation[1] != first[1]).any()  # a reset wakes it
        env.close()


def test_a_world_that_rests_and_cannot_stand_still_has_no_outcome() -> None:
    family = get_family("gym:CartPole-v1")
    env = family.make_vec(family.resolve_task(), 2)
    assert isinstance(env, ColumnWorlds)
    env.reset_each([1, 2])
    env.rest(1)
    ended = [outcome for _ in range(60) for outcome in env.step(np.zeros(2, np.int64)).outcomes]
    assert len(ended) >= 4 and {outcome.slot for outcome in ended} == {0}
    env.reset_each([1, 2])
    assert {outcome.slot for _ in range(20) for outcome in env.step(np.zeros(2, np.int64)).outcomes} == {0, 1}
    env.close()
