from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics

from envs.catalog import get_family
from envs.family import BatchEnv, EpisodeOutcome, StepBatch
from envs.task import ParamValue
from envs.walker.terrain import FINISH_M, START_M

FAMILY = get_family("walker")
CARD = FAMILY.card()


def make_batch(n: int = 2, horizon: int | None = None, **params: ParamValue) -> BatchEnv:
    return FAMILY.make_vec(FAMILY.resolve_task(params, horizon=horizon), n)


def play(env: BatchEnv, seed: int, steps: int) -> list[StepBatch]:
    rng, moves = np.random.default_rng(seed), []
    env.reset(seed)
    for step in range(steps):
        if step % 10 == 0:
            actions = rng.uniform(-1, 1, (env.num_envs, 4)).astype(np.float32)
        moves.append(env.step(actions))
    return moves


def test_a_seed_repeats_bit_for_bit_whatever_came_before() -> None:
    env = make_batch(3, stump_height=0.5)
    first = play(env, 4, 400)
    assert sum(len(move.outcomes) for move in first) > 2
    play(env, 5, 50)
    for again in (play(env, 4, 400), play(make_batch(3, stump_height=0.5), 4, 400)):
        for a, b in zip(first, again, strict=True):
            assert np.array_equal(a.observation, b.observation)
            assert np.array_equal(a.reward, b.reward)
            assert a.outcomes == b.outcomes


def test_worlds_of_one_batch_differ() -> None:
    observation = make_batch(3).reset(0)
    assert len({row.tobytes() for row in observation}) == 3


def test_finished_worlds_restart_in_place() -> None:
    env = make_batch(4, horizon=60)
    for move in play(env, 0, 200):
        done = move.terminated | move.truncated
        assert {outcome.slot for outcome in move.outcomes} == set(np.flatnonzero(done).tolist())
        same = (move.observation == move.final_observation).all(axis=1)
        assert (same == ~done).all()
        for outcome in move.outcomes:
            assert outcome.length <= 60
            assert bool(move.truncated[outcome.slot]) == (outcome.extras["fell"] == 0)
            assert bool(move.next_state["fallen"][outcome.slot]) == (outcome.extras["fell"] == 1)


def test_horizon_truncates_and_does_not_terminate() -> None:
    env = make_batch(2, horizon=5)
    env.reset(0)
    moves = [env.step(np.zeros((2, 4))) for _ in range(5)]
    assert [bool(move.truncated.any()) for move in moves] == [False] * 4 + [True]
    assert not moves[-1].terminated.any()
    assert [outcome.length for outcome in moves[-1].outcomes] == [5, 5]


def test_outcome_by_hand() -> None:
    env = make_batch(1, horizon=10)
    env.reset(0)
    moves = [env.step(np.array([[0.5, 0.0, -1.5, 0.1]])) for _ in range(10)]
    (outcome,) = moves[-1].outcomes
    effort = (0.5 + 0.0 + 1.0 + 0.1) / 4  # the third action is clipped
    distance = float(moves[-1].next_state["hull_x"][0])
    assert moves[0].next_state["effort"] == pytest.approx([effort])
    assert outcome.extras["effort"] == pytest.approx(effort)
    assert outcome.extras["distance_m"] == pytest.approx(distance)
    assert outcome.extras["mean_speed"] == pytest.approx(distance / 0.2)
    assert outcome.fitness == pytest.approx(max(0.0, distance / (FINISH_M - START_M)) - 0.2 * effort)
    assert outcome.native_return == pytest.approx(sum(float(move.reward[0]) for move in moves))
    assert not outcome.success


def test_a_fall_costs_a_hundred_and_ends_the_episode() -> None:
    falls = [
        (float(move.reward[outcome.slot]), bool(move.terminated[outcome.slot]), outcome.success)
        for move in play(make_batch(4), 1, 300)
        for outcome in move.outcomes
    ]
    assert len(falls) > 3
    assert set(falls) == {(-100.0, True, False)}


def walk(env: BatchEnv, seed: int) -> EpisodeOutcome:
    """Walk with Gymnasium's hand-written controller."""
    controller: Any = BipedalWalkerHeuristics()
    controller.a = np.zeros(4)
    observation = env.reset(seed)
    while True:
        move = env.step(controller.step_heuristic(observation[0])[None])
        if move.outcomes:
            return move.outcomes[0]
        observation = move.observation


def test_reaching_the_finish_is_success() -> None:
    outcome = walk(make_batch(1, horizon=2000), seed=3)
    assert outcome.success
    assert outcome.extras["distance_m"] > FINISH_M - START_M
    assert 0.9 < outcome.fitness < 1
    assert outcome.native_return > 300
    assert 1600 < outcome.length < 2000


def test_stumps_stop_the_blind_controller() -> None:
    outcome = walk(make_batch(1, horizon=2000, stump_height=2.5), seed=3)
    assert not outcome.success
    assert outcome.extras["distance_m"] < 20


def test_named_state_matches_the_card() -> None:
    env = make_batch(3)
    play(env, 0, 30)
    state = env.named_state()
    assert list(state) == [variable.name for variable in CARD.state]
    for variable in CARD.state:
        assert state[variable.name].shape == (3, *variable.shape)
        assert state[variable.name].dtype == np.float64
    assert not any("fitness" in name or "success" in name for name in state)


def test_named_state_stays_in_the_ranges_of_the_card() -> None:
    for move in play(make_batch(4, stump_height=1.0), 2, 400):
        for variable in CARD.state:
            slack = 0.3 * (variable.high - variable.low)  # springs of the solver, impacts
            values = move.next_state[variable.name]
            assert (values >= variable.low - slack).all(), variable.name
            assert (values <= variable.high + slack).all(), variable.name


def test_named_state_in_physical_units() -> None:
    env = make_batch(1, horizon=2000)
    controller: Any = BipedalWalkerHeuristics()
    controller.a = np.zeros(4)
    observation, states = env.reset(3), [env.named_state()]
    for _ in range(200):
        move = env.step(controller.step_heuristic(observation[0])[None])
        observation, states = move.observation, [*states, move.next_state]
    series = {name: np.array([state[name][0] for state in states]) for name in states[0]}
    # four seconds at 50 steps a second: distance is mean speed times time, angle the sum of turning speed
    assert series["hull_x"][-1] - series["hull_x"][0] == pytest.approx(series["velocity_x"].mean() * 4, rel=0.05)
    assert series["hull_angle"][-1] == pytest.approx(series["hull_angular_velocity"].sum() / 50, abs=0.1)
    assert series["hull_height"][0] == pytest.approx(series["hull_y"][0], abs=1e-3)  # the start pad is flat
    assert observation[0, 6] == pytest.approx(series["leg1_knee_angle"][-1] + 1.0, abs=1e-6)
    assert 1.9 < np.median(series["hull_y"]) < 2.4


def test_named_state_is_the_callers() -> None:
    env = make_batch(1)
    env.reset(0)
    kept = env.step(np.zeros((1, 4))).next_state
    copy = {name: values.copy() for name, values in kept.items()}
    env.named_state()["hull_x"][:] = 99
    kept["velocity_x"][:] = 99
    env.step(np.ones((1, 4)))
    assert np.array_equal(kept["hull_x"], copy["hull_x"])
    assert env.named_state()["velocity_x"][0] < 10


def test_each_episode_draws_its_parameters() -> None:
    drawn = iter(range(1, 1000))
    task = FAMILY.resolve_task(horizon=4)
    env = FAMILY.make_vec(task, 2, lambda: {"stump_height": next(drawn) / 1000})
    env.reset(0)
    outcomes = [outcome for _ in range(8) for outcome in env.step(np.zeros((2, 4))).outcomes]
    assert [outcome.params["stump_height"] for outcome in outcomes] == [0.001, 0.002, 0.003, 0.004]


def test_a_bad_drawn_parameter_is_named() -> None:
    env = FAMILY.make_vec(FAMILY.resolve_task(), 1, lambda: {"pit_gap": 11.0})
    with pytest.raises(ValueError, match=r"pit_gap = 11\.0 is not a number from 0 to 10"):
        env.reset(0)


def test_misuse_is_said_clearly() -> None:
    env = make_batch(1)
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros((1, 4)))
    env.reset(0)
    with pytest.raises(ValueError, match="got nan"):
        env.step(np.full((1, 4), np.nan))


def test_frames_show_the_walker_moving() -> None:
    env = make_batch(1, pit_gap=3.0)
    env.reset(0)
    first = env.render(0)
    assert first.shape == (320, 480, 3)
    assert first.dtype == np.uint8
    assert (first == (127, 51, 229)).all(axis=-1).sum() > 500  # the hull's colour
    for _ in range(15):
        env.step(np.array([[1.0, -1.0, -1.0, 1.0]]))
    assert (env.render(0) != first).any()
