"""MuJoCo bodies: observations are Gymnasium's own, distances come from true positions, parameters reach the model."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from envs.gym.locomotion import BODIES, ForwardDistance
from envs.gym.mujoco import send_warnings_to_log
from envs.gym.reacher import FinalCloseness
from envs.gym.recipe import Ending


@pytest.mark.parametrize(
    "gym_id", ["Hopper-v5", "HalfCheetah-v5", "Walker2d-v5", "Reacher-v5", "InvertedDoublePendulum-v5"]
)
def test_default_worlds_are_the_stock_ones(gym_id: str) -> None:
    family = get_family(f"gym:{gym_id}")
    batch = family.make_vec(family.resolve_task(horizon=40), 1)
    send_warnings_to_log()
    stock = gymnasium.make(gym_id, max_episode_steps=40)
    expected, _ = stock.reset(seed=int(np.random.SeedSequence(3).spawn(1)[0].generate_state(1)[0]))
    assert np.array_equal(batch.reset(3)[0], expected.astype(np.float32))
    rng = np.random.default_rng(0)
    first_x = float(stock.unwrapped.data.qpos[0])  # type: ignore[attr-defined]
    for _ in range(40):
        action = rng.uniform(-1, 1, batch.action_space.shape).astype(np.float32)
        expected, reward, terminated, truncated, _ = stock.step(action)
        step = batch.step(action[None])
        assert np.array_equal(step.final_observation[0], expected.astype(np.float32))
        assert step.reward[0] == pytest.approx(float(reward))
        names = list(step.next_state)[: len(expected)]
        assert [float(step.next_state[name][0]) for name in names] == pytest.approx(expected.tolist())
        if terminated or truncated:
            break
    (outcome,) = step.outcomes
    if gym_id in BODIES:
        assert outcome.fitness == pytest.approx(float(stock.unwrapped.data.qpos[0]) - first_x)  # type: ignore[attr-defined]
    stock.close()
    batch.close()


def make_ending(**overrides: object) -> Ending:
    values: dict[str, object] = {
        "slot": 0,
        "length": 1000,
        "horizon": 1000,
        "terminated": False,
        "native_return": 0.0,
        "params": {"required_speed": 2.0},
    }
    return Ending(**{**values, **overrides})  # type: ignore[arg-type]  # the overrides name its fields


@pytest.mark.parametrize(
    ("end_x", "tilt", "terminated", "success"),
    [
        (101.0, 0.2, False, True),  # 100 m in 50 s is 2 m/s
        (100.9, 0.2, False, False),  # a little short
        (150.0, np.pi, False, False),  # fast, but on its back
        (150.0, 0.2, True, False),  # fast, but fallen
    ],
)
def test_success_needs_speed_on_the_feet(end_x: float, tilt: float, terminated: bool, success: bool) -> None:
    scorer = ForwardDistance(1, BODIES["HalfCheetah-v5"])
    scorer.begin(0, {"x_position": np.array([1.0])})
    for _ in range(1000):
        scorer.advance({"torso_angle": np.array([tilt + 2 * np.pi])}, np.zeros((1, 6)))
    score = scorer.close(make_ending(terminated=terminated), {"x_position": np.array([end_x])})
    assert score.success is success
    assert score.fitness == pytest.approx(end_x - 1.0)
    assert score.extras["required_distance_m"] == 100.0


def test_parameters_are_written_afresh_for_every_episode() -> None:
    family = get_family("gym:Hopper-v5")
    given = [
        {"required_speed": 1.0, "slope": 10.0, "friction": 0.5, "gravity": 10.0},
        {"required_speed": 1.0, "slope": 0.0, "friction": 1.0, "gravity": 9.81},
    ]
    draws = iter(given)
    env = family.make_vec(family.resolve_task(horizon=1), 1, lambda: next(draws))
    env.reset(0)
    model = env._simulator._worlds[0].core.model  # type: ignore[attr-defined]
    uphill = np.deg2rad(10.0)
    assert model.opt.gravity.tolist() == pytest.approx([-10.0 * np.sin(uphill), 0.0, -10.0 * np.cos(uphill)])
    assert model.geom_friction[1, 0] == pytest.approx(0.45)  # stock 0.9
    step = env.step(np.zeros((1, 3), np.float32))
    assert step.truncated[0] and dict(step.outcomes[0].params) == given[0]
    assert model.opt.gravity.tolist() == pytest.approx([0.0, 0.0, -9.81])
    assert model.geom_friction[1, 0] == pytest.approx(0.9)
    env.close()


def test_a_slope_pulls_a_limp_hopper_back() -> None:
    family = get_family("gym:HalfCheetah-v5")

    def place_after(slope: float) -> float:
        env = family.make_vec(family.resolve_task({"slope": slope, "friction": 0.3}, horizon=60), 1)
        env.reset(0)
        for _ in range(60):
            step = env.step(np.zeros((1, 6), np.float32))
        env.close()
        return step.outcomes[0].fitness

    assert place_after(12.0) < place_after(0.0) - 0.1


def test_reacher_targets_stay_in_the_circle_and_closeness_is_of_the_last_steps() -> None:
    family = get_family("gym:Reacher-v5")
    env = family.make_vec(family.resolve_task({"target_radius": 0.05}, horizon=1), 8)
    env.reset(0)
    for _ in range(5):
        state = env.named_state()
        assert np.hypot(state["target_x"], state["target_y"]).max() <= 0.05
        to_target = state["fingertip_x"] - state["target_x"]
        assert to_target == pytest.approx(state["to_fingertip_x"], abs=1e-6)
        env.step(np.zeros((8, 2), np.float32))
    env.close()
    scorer = FinalCloseness(1)
    scorer.begin(0, {})
    for distance in [0.2] * 15 + [0.02] * 10:
        scorer.advance({"to_fingertip_x": np.array([distance]), "to_fingertip_y": np.zeros(1)}, np.zeros((1, 2)))
    score = scorer.close(make_ending(length=25), {})
    assert score.fitness == pytest.approx(0.9) and score.success


def test_double_pendulum_counts_steps_with_the_tip_up() -> None:
    family = get_family("gym:InvertedDoublePendulum-v5")
    env = family.make_vec(family.resolve_task({"start_spread": 0.05}, horizon=100), 1)
    env.reset(0)
    outcomes: tuple[EpisodeOutcome, ...] = ()
    length = 0
    while not outcomes:
        step = env.step(np.ones((1, 1), np.float32))
        outcomes, length = step.outcomes, length + 1
    assert outcomes[0].fitness == (length - 1) / 100 and not outcomes[0].success
    assert step.next_state["tip_height"][0] <= 1.0
    env.close()
