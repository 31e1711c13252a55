"""Sequences of skills over toy worlds: points on a line that the options push right or left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from skills.options import Option, SequencePolicy, Switch, play_sequence


class Push:
    """A policy that always acts the same."""

    def __init__(self, action: float) -> None:
        self.action = action

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return np.full((len(observation), 1), self.action)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    slot: int
    length: int
    fitness: float


@dataclass(frozen=True, kw_only=True)
class Step:
    observation: NDArray[Any]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    next_state: dict[str, NDArray[Any]]
    outcomes: tuple[Outcome, ...]


class Line:
    """n points at x = slot; an action moves a point; an episode ends after `horizon` steps with fitness x."""

    def __init__(self, n: int, horizon: int) -> None:
        self.num_envs, self.horizon = n, horizon

    def reset(self, seed: int) -> NDArray[Any]:
        self.x = np.arange(self.num_envs, dtype=np.float64)
        self.t = 0
        return self.x[:, None].copy()

    def step(self, actions: NDArray[Any]) -> Step:
        self.x = self.x + actions[:, 0]
        self.t += 1
        state = {"x": self.x.copy(), "v": np.column_stack([actions[:, 0], -actions[:, 0]])}
        over = np.full(self.num_envs, self.t == self.horizon)
        outcomes = (
            tuple(Outcome(slot=i, length=self.t, fitness=float(x)) for i, x in enumerate(self.x)) if over[0] else ()
        )
        if over[0]:
            self.reset(0)
        return Step(
            observation=self.x[:, None].copy(),
            terminated=over & False,
            truncated=over,
            next_state=state,
            outcomes=outcomes,
        )


def right_then_left(until: Switch) -> SequencePolicy:
    return SequencePolicy([Option(name="right", policy=Push(1.0), until=until), Option(name="left", policy=Push(-2.0))])


def test_a_step_count_hands_over() -> None:
    (episode,) = play_sequence(Line(1, 6), right_then_left(Switch(after_steps=4)), seed=0, max_steps=100)
    assert (episode.handovers, episode.reached) == ((4,), "left")
    assert episode.outcome == Outcome(slot=0, length=6, fitness=0.0)  # 4 to the right, 2 times 2 to the left


def test_each_world_hands_over_in_its_own_time() -> None:
    episodes = play_sequence(Line(3, 5), right_then_left(Switch(variable="x", value=3.0)), seed=0, max_steps=100)
    assert [episode.handovers for episode in episodes] == [(3,), (2,), (1,)]  # from 0, 1 and 2 up to 3
    assert [episode.outcome.fitness for episode in episodes] == [-1.0, -3.0, -5.0]  # 3 - 2 * 2, 3 - 2 * 3, 3 - 2 * 4


def test_an_event_hands_over() -> None:
    policy = right_then_left(Switch(on_event=True))
    episodes = play_sequence(Line(2, 4), policy, seed=0, max_steps=100, event=lambda state: state["x"] == 2.0)
    assert [episode.handovers for episode in episodes] == [(2,), (1,)]


def test_a_sequence_of_three_and_the_last_plays_on() -> None:
    options = [
        Option(name=name, policy=Push(push), until=Switch(after_steps=2))
        for name, push in [("a", 1.0), ("b", 0.0), ("c", 5.0)]
    ]
    (episode,) = play_sequence(Line(1, 8), SequencePolicy(options), seed=0, max_steps=100)
    assert (episode.handovers, episode.reached, episode.outcome.fitness) == ((2, 4), "c", 22.0)  # 2 + 0 + 4 * 5


def test_a_new_episode_starts_at_the_first_option() -> None:
    policy, worlds = right_then_left(Switch(after_steps=1)), Line(2, 3)
    observation = worlds.reset(0)
    policy.reset(2)
    places = []
    for _ in range(5):
        batch = worlds.step(policy.act(observation))
        policy.observe(batch.next_state, ended=batch.terminated | batch.truncated)
        places.append(policy.place.tolist())
        observation = batch.observation
    assert places == [[1, 1], [1, 1], [0, 0], [1, 1], [1, 1]]


def test_an_episode_that_ends_never_counts_as_a_handover() -> None:
    policy = right_then_left(Switch(after_steps=3))
    policy.reset(1)
    for _ in range(2):
        policy.observe({})
    moved = policy.observe({}, ended=np.array([True]))
    assert (moved.tolist(), policy.place.tolist()) == ([False], [0])


def test_any_part_of_a_switch_is_enough() -> None:
    switch = Switch(after_steps=10, variable="v", component=1, relation="<", value=0.0)
    state = {"v": np.array([[0.0, -1.0], [0.0, 1.0], [0.0, 1.0]])}
    fired = switch.fires(state, np.array([1, 1, 10]), np.zeros(3, dtype=np.bool_))
    assert fired.tolist() == [True, False, True]


def test_a_switch_that_is_not_set_never_fires() -> None:
    assert not Switch().fires({}, np.array([10**6]), np.array([True])).any()


def test_discrete_policies_keep_their_type() -> None:
    class Choose:
        def __init__(self, action: int) -> None:
            self.action = action

        def act(self, observation: NDArray[Any]) -> NDArray[Any]:
            return np.full(len(observation), self.action, dtype=np.int64)

    policy = SequencePolicy(
        [Option(name="a", policy=Choose(1), until=Switch(after_steps=1)), Option(name="b", policy=Choose(2))]
    )
    policy.reset(2)
    policy.place[1] = 1
    actions = policy.act(np.zeros((2, 3)))
    assert actions.tolist() == [1, 2]
    assert actions.dtype == np.int64


def test_mistakes_are_one_clear_line() -> None:
    with pytest.raises(ValueError, match="at least one option"):
        SequencePolicy([])
    with pytest.raises(ValueError, match="expected one of >=, >, <=, <"):
        Switch(variable="x", relation="==")
    with pytest.raises(ValueError, match="at least 1"):
        Switch(after_steps=0)
    nothing = np.zeros(1, dtype=np.bool_)
    with pytest.raises(ValueError, match="no state variable 'z' to switch on: expected one of v, x"):
        Switch(variable="z").fires({"x": np.zeros(1), "v": np.zeros(1)}, np.array([1]), nothing)
    with pytest.raises(ValueError, match="say which component"):
        Switch(variable="v").fires({"v": np.zeros((1, 2))}, np.array([1]), nothing)
    mixed = SequencePolicy([Option(name="one", policy=Push(1.0)), Option(name="two", policy=Wide())])
    mixed.reset(2)
    mixed.place[1] = 1
    with pytest.raises(ValueError, match="two acts in another space"):
        mixed.act(np.zeros((2, 1)))


class Wide:
    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return np.zeros((len(observation), 2))
