"""The replays of `dom`: sum tree, priorities, n-step returns and whole episodes, worked out by hand on made-up pages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dom_toys import ToyPages

from envs.family import EpisodeOutcome
from envs.web.actions import COUNT, SLOTS
from envs.web.encoding import SIZE, WIDTH
from experimenter.trainers.dom_algorithm import DomRollout, Finished
from experimenter.trainers.dom_pages import Page, pack_page, stack_pages
from experimenter.trainers.dom_replay import NStep, PrioritisedReplay, SumTree, Transition
from experimenter.trainers.dom_trajectories import Episodes, Trajectory, TrajectoryReplay, tabulate


def make_page(mark: float = 1.0) -> Page:
    observation, mask = np.zeros(SIZE, np.float32), np.zeros(COUNT, np.bool_)
    observation[0], observation[SLOTS * WIDTH] = 1.0, mark
    mask[0] = True
    return pack_page(observation, mask)


def make_trajectory(success: bool, *rewards: float) -> Trajectory:
    pages = tuple(make_page(float(place)) for place in range(len(rewards)))
    return Trajectory(
        pages=pages, actions=tuple(range(len(rewards))), rewards=rewards, success=success, params={"task": 3}
    )


def test_a_page_comes_back_as_it_was_packed() -> None:
    pages = ToyPages(3)
    seen = pages.reset(4)
    masks = np.random.default_rng(0).random((3, COUNT)) < 0.5
    back, legal = stack_pages([pack_page(row, mask) for row, mask in zip(seen, masks, strict=True)])
    np.testing.assert_allclose(back, seen, atol=2e-3)
    assert np.array_equal(legal, masks)
    assert len(pack_page(seen[0], masks[0]).rows) == 3  # three buttons, not all slots


def test_the_sum_tree_lays_its_leaves_end_to_end() -> None:
    tree = SumTree(5)
    tree.set(np.arange(5), np.array([1.0, 0.0, 3.0, 2.0, 4.0]))
    assert tree.total == 10.0
    found = tree.find(np.array([0.0, 0.99, 1.0, 3.99, 4.0, 5.99, 6.0, 9.99]))
    assert found.tolist() == [0, 0, 2, 2, 3, 3, 4, 4]
    tree.set(np.array([2]), np.array([0.5]))
    assert tree.total == 7.5 and tree.get(np.array([2, 4])).tolist() == [0.5, 4.0]
    assert tree.find(np.array([7.5])).tolist() == [4]  # rounding past the end is never an empty leaf


def test_transitions_are_drawn_in_proportion_to_their_priority() -> None:
    replay = PrioritisedReplay(8, 0.5)
    replay.add([Transition(make_page(place), place, 0.0, 0.9, make_page()) for place in range(4)])
    replay.reward_errors(np.arange(4), np.array([1.0, 4.0, 9.0, 16.0]) - 1e-6)
    rng, counts = np.random.default_rng(0), np.zeros(4)
    for _ in range(100):
        sample = replay.draw(20, 0.0, rng)
        counts += np.bincount(sample.index, minlength=4)
        assert np.all(sample.weight == 1.0)
    # alpha 0.5: priorities 1, 2, 3, 4 of 10
    np.testing.assert_allclose(counts / counts.sum(), [0.1, 0.2, 0.3, 0.4], atol=0.01)
    drawn = replay.draw(40, 1.0, rng)
    weights = dict(zip(drawn.index.tolist(), drawn.weight.tolist(), strict=True))
    # beta 1: 1 / P over the largest of them, that of index 0
    assert [weights[place] for place in range(4)] == pytest.approx([1.0, 1 / 2, 1 / 3, 1 / 4], rel=1e-4)


def test_new_transitions_come_in_with_the_highest_priority_and_push_out_the_oldest() -> None:
    replay = PrioritisedReplay(4, 1.0)
    replay.add([Transition(make_page(), place, 0.0, 0.9, make_page()) for place in range(4)])
    replay.reward_errors(np.arange(4), np.array([0.1, 0.1, 0.1, 5.0]))
    replay.add([Transition(make_page(), 9, 0.0, 0.9, make_page())])
    drawn = replay.draw(400, 0.0, np.random.default_rng(0))
    shares = {action: float((drawn.action == action).mean()) for action in (9, 1, 3)}
    assert len(replay) == 4 and 0 not in drawn.action
    assert shares == pytest.approx({9: 5 / 10.2, 1: 0.1 / 10.2, 3: 5 / 10.2}, abs=0.01)


def test_n_step_returns_by_hand() -> None:
    steps, pages = NStep(3, 0.5), [make_page(place) for place in range(6)]
    assert steps.add(0, pages[0], 10, 1.0, pages[1], False) == []
    assert steps.add(0, pages[1], 11, 2.0, pages[2], False) == []
    (first,) = steps.add(0, pages[2], 12, 4.0, pages[3], False)
    # 1 + 0.5 * 2 + 0.25 * 4 = 3, then gamma^3
    assert (first.action, first.reward, first.discount) == (10, 3.0, 0.125) and first.successor is pages[3]
    rest = steps.add(0, pages[3], 13, 8.0, pages[3], True)
    # 2 + 2 + 2 = 6; 4 + 4 = 8; 8: nothing comes after
    assert [(one.action, one.reward, one.discount) for one in rest] == [(11, 6.0, 0.0), (12, 8.0, 0.0), (13, 8.0, 0.0)]


def make_rollout(**changes: Any) -> DomRollout:
    """Four steps of two worlds: the first ends at times 1 and 3, the second is cut at time 2."""
    times, worlds = 4, 2
    observations = np.zeros((times, worlds, SIZE), np.float32)
    observations[:, :, 0] = 1.0
    observations[:, :, SLOTS * WIDTH] = np.arange(times)[:, None] + 10 * np.arange(worlds)
    flags = {name: np.zeros((times, worlds), np.bool_) for name in ("first", "terminated", "truncated")}
    flags["first"][[0, 0, 2, 3], [0, 1, 0, 1]] = True
    flags["terminated"][[1, 3], 0] = True
    flags["truncated"][2, 1] = True
    ends = ((1, 0, True), (3, 0, False), (2, 1, False))
    outcomes = [
        EpisodeOutcome(slot=slot, params={"task": time}, fitness=0.0, success=good, native_return=0.0, length=2)
        for time, slot, good in ends
    ]
    given: dict[str, Any] = {
        "observations": observations,
        "masks": np.ones((times, worlds, COUNT), np.bool_),
        "actions": np.arange(times * worlds).reshape(times, worlds),
        "log_probs": np.zeros((times, worlds), np.float32),
        "rewards": np.arange(times * worlds, dtype=np.float64).reshape(times, worlds),
        "valid": np.ones((times, worlds), np.bool_),
        "successors": np.full((worlds, SIZE), 0.5, np.float32),
        "cuts": {(2, 1): np.zeros(SIZE, np.float32)},
        "finished": tuple(
            Finished(time=time, slot=slot, outcome=one) for (time, slot, _), one in zip(ends, outcomes, strict=True)
        ),
        **flags,
    }
    return DomRollout(**{**given, **changes})


def test_a_rollout_gives_transitions_that_end_with_their_episodes() -> None:
    told = NStep(2, 0.5).read(make_rollout())
    seen = sorted((one.action, one.reward, one.discount) for one in told)
    # world 0: actions 0 2 | 4 6 with rewards 0 2 | 4 6; world 1: actions 1 3 5 | 7, cut at 5, and 7 waits
    assert seen == [
        (0, 1.0, 0.0), (1, 2.5, 0.25), (2, 2.0, 0.0), (3, 5.5, 0.0), (4, 7.0, 0.0), (5, 5.0, 0.0), (6, 6.0, 0.0)
    ]  # fmt: skip
    (open_one,) = [one for one in told if one.discount > 0]
    assert float(open_one.successor.tail[0]) == 12.0


def test_a_step_that_the_browser_spoilt_enters_no_replay() -> None:
    valid = np.ones((4, 2), np.bool_)
    valid[1, 1] = False
    told = NStep(2, 0.5).read(make_rollout(valid=valid))
    assert sorted(one.action for one in told) == [0, 2, 4, 5, 6]
    kept = Episodes().read(make_rollout(valid=valid))
    assert [one.params["task"] for one in kept] == [1, 3]


def test_episodes_are_put_together_over_rollouts_and_dropped_at_a_restart() -> None:
    episodes = Episodes()
    first = episodes.read(make_rollout())
    assert [(one.actions, one.rewards, one.success) for one in first] == [
        ((0, 2), (0.0, 2.0), True),
        ((1, 3, 5), (1.0, 3.0, 5.0), False),
        ((4, 6), (4.0, 6.0), False),
    ]
    # world 1 went on from its step 7 of the last rollout: without a first page at time 0, the steps join
    joined = np.zeros((4, 2), np.bool_)
    joined[[0, 2, 3], [0, 0, 1]] = True
    second = episodes.read(make_rollout(first=joined))
    assert [one.actions for one in second if one.params["task"] == 2] == [(7, 1, 3, 5)]
    # with one, the pages were restarted, and what had been begun is gone
    third = episodes.read(make_rollout())
    assert [one.actions for one in third if one.params["task"] == 2] == [(1, 3, 5)]


def test_a_table_knows_where_its_trajectories_begin_and_end() -> None:
    table = tabulate([make_trajectory(True, 0.0, 0.0, 1.0), make_trajectory(False, -1.0)])
    assert table.left.tolist() == [2, 1, 0, 0] and table.first.tolist() == [0, 3]
    assert table.outcome.tolist() == [1, 1, 1, 0] and table.episode.tolist() == [0, 0, 0, 1]
    assert table.action.tolist() == [0, 1, 2, 0] and table.observation[:, SLOTS * WIDTH].tolist() == [0, 1, 2, 0]


def test_a_replay_of_successes_keeps_no_failure_and_forgets_the_oldest() -> None:
    replay = TrajectoryReplay(2, successes_only=True)
    good = [make_trajectory(True, float(place)) for place in range(3)]
    replay.add([good[0], make_trajectory(False, 0.0), good[1], good[2]])
    assert replay.newest(5) == good[1:]
    assert {id(one) for one in replay.draw(9, np.random.default_rng(0))} == {id(one) for one in good[1:]}


def test_replays_survive_a_checkpoint() -> None:
    steps = PrioritisedReplay(8, 0.6)
    steps.add(NStep(2, 0.5).read(make_rollout()))
    steps.reward_errors(np.arange(3), np.array([3.0, 0.5, 0.1]))
    again = PrioritisedReplay(8, 0.6)
    state, arrays = steps.save()
    again.load(state, arrays)
    one, two = (replay.draw(16, 0.4, np.random.default_rng(3)) for replay in (steps, again))
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in vars(one))
    assert len(arrays["replay_page_counts"]) < 2 * len(steps)  # shared pages are stored once

    whole = TrajectoryReplay(8, successes_only=False)
    whole.add([make_trajectory(True, 0.0, 1.0), make_trajectory(False, -1.0)])
    back = TrajectoryReplay(8, successes_only=False)
    back.load(*whole.save())
    first, second = tabulate(whole.newest(8)), tabulate(back.newest(8))
    assert all(np.array_equal(getattr(first, name), getattr(second, name)) for name in vars(first))
    assert [one.params for one in back.newest(8)] == [{"task": 3}, {"task": 3}]
