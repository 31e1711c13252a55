"""Classic control: our batched physics against Gymnasium's own, and fitness worked out by hand."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import EpisodeOutcome, FloatArray
from envs.gym.acrobot import TipHeight
from envs.gym.cartpole import UprightTime
from envs.gym.mountain_car import FlagProgress
from envs.gym.pendulum import UprightShare
from envs.gym.recipe import Ending


def make_ending(**overrides: object) -> Ending:
    values: dict[str, object] = {
        "slot": 0,
        "length": 4,
        "horizon": 10,
        "terminated": False,
        "native_return": 0.0,
        "params": {},
    }
    return Ending(**{**values, **overrides})  # type: ignore[arg-type]  # the overrides name its fields


@pytest.mark.parametrize(
    "gym_id", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1"]
)
def test_batched_worlds_equal_gymnasium(gym_id: str) -> None:
    """Same seeds and actions for 600 steps, resets included: observations within 1e-6, same rewards and endings."""
    family, n = get_family(f"gym:{gym_id}"), 3
    batch = family.make_vec(family.resolve_task(horizon=150), n)
    singles = [gymnasium.make(gym_id, max_episode_steps=150) for _ in range(n)]
    seeds = [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(7).spawn(n)]
    expected = np.stack([env.reset(seed=seed)[0] for env, seed in zip(singles, seeds, strict=True)])
    assert np.array_equal(batch.reset(7), expected)
    rng = np.random.default_rng(0)
    for _ in range(600):
        if isinstance(batch.action_space, gymnasium.spaces.Discrete):
            actions = rng.integers(int(batch.action_space.n), size=n)
        else:
            actions = (rng.uniform(-1, 1, (n, 1)) * batch.action_space.high).astype(np.float32)  # type: ignore[attr-defined]
        step = batch.step(actions)
        for slot, env in enumerate(singles):
            observation, reward, terminated, truncated, _ = env.step(actions[slot])
            assert np.abs(observation - step.final_observation[slot]).max() <= 1e-6
            assert abs(float(reward) - step.reward[slot]) <= 1e-6
            assert (terminated, truncated and not terminated) == (step.terminated[slot], step.truncated[slot])
            if terminated or truncated:
                assert np.abs(env.reset()[0] - step.observation[slot]).max() <= 1e-6


def run_episodes(name: str, policy: object, params: dict[str, float] | None = None, n: int = 4) -> list[EpisodeOutcome]:
    family = get_family(name)
    env = family.make_vec(family.resolve_task(params or {}), n)
    observation = env.reset(1)
    outcomes: list[EpisodeOutcome] = []
    while len(outcomes) < n:
        step = env.step(policy(observation))  # type: ignore[operator]
        observation = step.observation
        outcomes += step.outcomes
    env.close()
    return outcomes


def test_a_balancing_policy_succeeds_and_a_constant_push_fails() -> None:
    def balance(obs: FloatArray) -> FloatArray:
        return (obs @ np.array([0.1, 0.2, 1.0, 0.5]) > 0).astype(np.int64)  # type: ignore[no-any-return]

    for outcome in run_episodes("gym:CartPole-v1", balance):
        assert (outcome.fitness, outcome.success, outcome.length, outcome.native_return) == (1.0, True, 500, 500.0)
    for outcome in run_episodes("gym:CartPole-v1", lambda obs: np.zeros(len(obs), np.int64)):
        assert not outcome.success
        assert outcome.fitness == (outcome.length - 1) / 500  # the step on which it falls is not upright


def test_cartpole_counts_only_steps_on_track_and_upright() -> None:
    scorer = UprightTime(1)
    scorer.begin(0, {"cart_position": np.zeros(1), "pole_angle": np.zeros(1)})
    for position, angle in [(0.0, 0.0), (2.0, 0.1), (2.5, 0.0), (0.0, 0.3)]:
        scorer.advance({"cart_position": np.array([position]), "pole_angle": np.array([angle])}, np.zeros(1))
    score = scorer.close(make_ending(), {})
    assert (score.fitness, score.success, score.extras["furthest_from_middle_m"]) == (0.2, False, 2.5)


def test_pendulum_needs_an_unbroken_upright_end() -> None:
    scorer, ending = UprightShare(1), make_ending(length=100, horizon=100)
    scorer.begin(0, {})
    for angle in [0.0] * 40 + [1.0] * 10 + [-0.1] * 50:
        scorer.advance({"angle": np.array([angle])}, np.zeros((1, 1)))
    assert scorer.close(ending, {}).fitness == 0.9
    assert scorer.close(ending, {}).success
    scorer.advance({"angle": np.array([0.5])}, np.zeros((1, 1)))
    assert not scorer.close(ending, {}).success


def test_mountain_car_pays_half_for_progress_and_half_for_an_early_flag() -> None:
    scorer = FlagProgress(1, goal=0.5, discrete=True)
    scorer.begin(0, {"position": np.array([-0.5])})
    halfway = (-np.pi / 6 + 0.5) / 2
    scorer.advance({"position": np.array([halfway])}, np.array([2]))
    assert scorer.close(make_ending(params={"goal_speed": 0.0}), {}).fitness == pytest.approx(0.25)
    scorer.advance({"position": np.array([0.5])}, np.array([1]))
    score = scorer.close(make_ending(length=4, terminated=True, params={"goal_speed": 0.0}), {})
    assert score.fitness == pytest.approx(0.5 + 0.5 * 0.6) and score.success
    assert score.extras["mean_throttle"] == 0.25  # one push and one coast over four steps


def test_mountain_car_is_won_by_pushing_along_and_a_goal_speed_is_asked_for() -> None:
    def along(obs: FloatArray) -> FloatArray:
        return np.where(obs[:, 1] >= 0, 2, 0)

    easy = run_episodes("gym:MountainCar-v0", along)
    assert all(outcome.success and outcome.fitness > 0.5 for outcome in easy)
    fast = run_episodes("gym:MountainCar-v0", along, {"goal_speed": 0.05})
    assert sum(outcome.length for outcome in fast) > sum(outcome.length for outcome in easy)
    assert [outcome.extras["goal_speed_m_per_step"] for outcome in fast] == [0.05] * 4


def test_acrobot_height_is_counted_from_hanging() -> None:
    scorer = TipHeight(1)
    scorer.begin(0, {"tip_height": np.array([-2.0])})
    scorer.advance({"tip_height": np.array([-0.5])}, np.zeros(1))
    scorer.advance({"tip_height": np.array([-1.5])}, np.zeros(1))
    assert scorer.close(make_ending(), {}).fitness == pytest.approx(0.25)  # 1.5 of 3 metres, halved
    outcomes = run_episodes("gym:Acrobot-v1", lambda obs: np.where(obs[:, 4] > 0, 0, 2))
    assert any(outcome.success and outcome.fitness > 0.5 for outcome in outcomes)


def test_heavier_gravity_makes_the_pole_fall_sooner() -> None:
    def push_left(obs: FloatArray) -> FloatArray:
        return np.zeros(len(obs), np.int64)

    light = run_episodes("gym:CartPole-v1", push_left, {"gravity": 2.0})
    heavy = run_episodes("gym:CartPole-v1", push_left, {"gravity": 25.0})
    assert sum(o.length for o in heavy) < sum(o.length for o in light)
