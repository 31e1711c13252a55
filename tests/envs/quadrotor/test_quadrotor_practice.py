"""Practice: shaping, ramp and replay change what a trainer gets, and nothing that an evaluation sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.family import StepBatch
from envs.quadrotor import layout as at
from envs.quadrotor.batch import QuadrotorBatch
from envs.quadrotor.family import QuadrotorFamily
from envs.quadrotor.practice import Lesson
from envs.quadrotor.replay import BACK_STEPS, EVERY_STEPS, RESUMED_STEPS, USES
from envs.task import ParamValue

FAMILY = QuadrotorFamily()


def make_batch(n: int = 2, *, horizon: int = 600, **params: ParamValue) -> QuadrotorBatch:
    batch = FAMILY.make_vec(FAMILY.resolve_task(params, horizon=horizon), n)
    assert isinstance(batch, QuadrotorBatch)
    return batch


def hover(batch: QuadrotorBatch) -> NDArray[np.float32]:
    """Level thrust that just carries: the drones stay about where they are."""
    share = 2.0 * batch.swarm.rows(at.HOVER)[:, 0] - 1.0
    return np.repeat(share[:, None], 4, axis=1).astype(np.float32)


def strike(batch: QuadrotorBatch) -> StepBatch:
    """Put drone 1 of room 0 onto drone 0 and step."""
    table = batch.swarm.table
    table[at.POS : at.POS + 3, 1] = table[at.POS : at.POS + 3, 0] + [0.01, 0.0, 0.0]
    return batch.step(hover(batch))


def test_rooms_start_at_different_times_and_their_first_episode_does_not_count() -> None:
    batch = make_batch(8, horizon=40, drones=1)
    batch.practise()
    batch.reset(3)
    steps = batch.swarm.world_table[:, at.STEP].copy()
    assert len(set(steps)) > 3 and steps.max() < 40
    ended = np.zeros(8, int)
    outcomes = 0
    for _ in range(80):
        step = batch.step(hover(batch))
        ended += step.truncated
        outcomes += len(step.outcomes)
        assert all(outcome.length == 40 for outcome in step.outcomes)
    assert (ended == 2).all()  # each room: the rest of its first episode, then a whole one within 80 steps
    assert outcomes == 8


def test_without_practice_nothing_changes() -> None:
    plain, practised = make_batch(2, drones=2, density=0.2), make_batch(2, drones=2, density=0.2)
    plain.reset(5)
    practised.practise()
    practised.reset(5)
    for _ in range(30):
        one, other = plain.step(hover(plain)), practised.step(hover(practised))
        assert np.array_equal(one.observation, other.observation)
        assert one.reward == pytest.approx(other.reward)  # the default lesson is the native reward


def test_a_lesson_weighs_contacts_and_pays_progress() -> None:
    rewards = {}
    for weight in (1.0, 0.2):
        batch = make_batch(1, drones=2)
        batch.practise().teach(Lesson(contact_weight=weight))
        batch.reset(1)
        rewards[weight] = strike(batch).reward[:2].sum()
    # two drones, 5 each for the contact, and the proximity term: 0.01 x 10 x about 1
    assert rewards[1.0] - rewards[0.2] == pytest.approx(-0.8 * 2 * (5 + 0.1), abs=0.1)
    batch = make_batch(1, drones=1)
    practice = batch.practise()
    practice.teach(Lesson(progress=2.0, goal_bonus=3.0, goal_bonus_m=0.5))
    batch.reset(1)
    native = batch.swarm.weights.copy()
    swarm = batch.swarm
    before = practice.before_step()
    swarm.table[at.DISTANCE, 0] = before[0] - 0.03
    near = np.exp(-((before[0] - 0.03) ** 2) / 0.25)
    assert practice.after_step(before)[0] == pytest.approx(2.0 * 0.03 + 0.01 * 3.0 * near)
    swarm.table[at.DISTANCE, 0] = before[0] - 4.0  # a goal that jumps is no progress beyond 5 m/s
    assert practice.after_step(before)[0] == pytest.approx(2.0 * 0.05, abs=0.04)
    practice.teach(Lesson())
    assert np.array_equal(swarm.weights, native)


def test_hover_keeps_its_own_reward() -> None:
    batch = make_batch(1, goal=0)
    practice = batch.practise()
    practice.teach(Lesson(progress=5.0, goal_bonus=5.0))
    batch.reset(0)
    assert practice.after_step(practice.before_step() + 1.0)[0] == 0.0


def test_a_contact_stores_the_room_as_it_was_and_a_reset_resumes_it() -> None:
    batch = make_batch(1, horizon=400, drones=2)
    practice = batch.practise()
    practice.teach(Lesson(replay=1.0))
    batch.reset(2)
    practice.unscored[:] = False
    batch.swarm.world_table[0, at.STEP] = 0
    seen: dict[int, NDArray[np.float64]] = {}
    for step in range(1, 281):
        batch.step(hover(batch))
        seen[step] = batch.swarm.rows(at.POS, 3)
    assert practice.replay.stored == 0
    strike(batch)  # step 281: snapshots at 250, 200, 150, 100 are kept
    assert practice.replay.stored == 1 and practice.replay.uses_left[0] == USES
    for _ in range(282, 400):
        assert not batch.step(hover(batch)).outcomes
    last = batch.step(hover(batch))
    assert last.truncated.all() and len(last.outcomes) == 2  # a whole episode counts
    assert np.array_equal(batch.swarm.rows(at.POS, 3), seen[100])  # resumed: 1.5 to 2 s before the contact
    assert BACK_STEPS + EVERY_STEPS >= 281 - 100
    assert practice.replay.uses_left[0] == USES - 1 and practice.unscored.tolist() == [True]
    resumed = 0
    while True:
        step_batch = batch.step(hover(batch))
        resumed += 1
        if step_batch.truncated.any():
            break
    assert not step_batch.outcomes  # a resumed episode does not
    assert resumed == min(RESUMED_STEPS, 400 - 100)


def test_a_resumed_room_gets_its_own_task_back() -> None:
    batch = make_batch(1, horizon=1500, drones=2)
    practice = batch.practise()
    practice.teach(Lesson(replay=1.0))
    batch.reset(2)
    batch.swarm.world_table[0, at.STEP] = 0
    for _ in range(280):
        batch.step(hover(batch))
    strike(batch)
    batch.swarm.world_table[0, at.STEP] = 1499
    batch.step(hover(batch))
    assert batch.swarm.world_table[0, at.HORIZON] == 100 + RESUMED_STEPS
    practice.teach(Lesson(replay=0.0))
    batch.swarm.world_table[0, at.STEP] = 100 + RESUMED_STEPS - 1
    batch.step(hover(batch))
    assert batch.swarm.world_table[0, at.HORIZON] == 1500 and batch.swarm.world_table[0, at.STEP] == 0


def test_two_resumptions_have_different_futures_and_one_seed_the_same() -> None:
    ends = []
    for rng in (np.random.default_rng(0), np.random.default_rng(1), np.random.default_rng(0)):
        batch = make_batch(1, drones=2, noise=1.0)
        practice = batch.practise()
        batch.reset(2)
        practice.replay.rows[0], practice.replay.uses_left[0] = batch.swarm.snapshot([0])[0], 1
        assert practice.replay.resume([0], rng) == [0]
        assert practice.replay.resume([0], rng) == []  # used up
        for _ in range(20):
            batch.step(hover(batch))
        ends.append(batch.swarm.rows(at.POS, 3))
    assert np.array_equal(ends[0], ends[2]) and not np.array_equal(ends[0], ends[1])


def test_stored_moments_survive_a_checkpoint() -> None:
    one, other = make_batch(1, drones=2), make_batch(1, drones=2)
    for batch in (one, other):
        batch.practise()
        batch.reset(0)
    one.practise().replay.rows[0], one.practise().replay.uses_left[0] = one.swarm.snapshot([0])[0], 4
    one.practise().replay.stored = 1
    other.practise().load(*one.practise().save())
    kept = other.practise().replay
    assert kept.stored == 1 and kept.uses_left[0] == 4 and np.array_equal(kept.rows[0], one.swarm.snapshot([0])[0])
    three = make_batch(1, drones=3)
    with pytest.raises(ValueError, match="do not fit rooms of 3 drones"):
        three.practise().load(*one.practise().save())
