"""Compiling reward programs and wrapping worlds with them."""

from __future__ import annotations

import numpy as np
import pytest
from toy_worlds import CountingWorlds, make_toy_card

from envs.family import BatchEnv
from experimenter.errors import ProgramRefused, SandboxError
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.program import RewardFault, compile_program
from experimenter.rewards.wrapper import RewardWrapper
from experimenter.sandbox.guard import ReadOnlyState

CODE = """
def compute_reward(state, action, next_state):
    progress = next_state["position"] - state["position"]
    effort = -0.5 * np.abs(action[:, 0])
    return progress + effort, {"progress": progress, "effort": effort}
"""


def make_code(body: str) -> RewardProgram:
    return RewardProgram(kind=RewardKind.CODE, source=f"def compute_reward(state, action, next_state):\n    {body}\n")


def make_wrapper(program: RewardProgram, horizon: int = 3) -> RewardWrapper:
    return RewardWrapper(CountingWorlds(horizon=horizon), program, make_toy_card(), allow_unconfined=True)


def push(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(values)[:, None]


def test_code_is_paid_from_state_clipped_action_and_successor() -> None:
    worlds = make_wrapper(RewardProgram(kind=RewardKind.CODE, source=CODE))
    assert isinstance(worlds, BatchEnv)
    worlds.reset(0)
    batch = worlds.step(push(0.5, 4.0))  # the worlds clip 4.0 to 1.0, and so must the program's view
    # world 0: 0.5 - 0.25 = 0.25; world 1: 1 - 0.5 = 0.5
    assert batch.reward.tolist() == [0.25, 0.5]
    assert worlds.drain() == {"progress": 0.75, "effort": -0.375}


def test_the_first_step_of_an_episode_starts_from_its_own_state() -> None:
    worlds = make_wrapper(RewardProgram(kind=RewardKind.CODE, source=CODE), horizon=2)
    worlds.reset(0)
    rewards = [worlds.step(push(1.0, 0.0)).reward.tolist() for _ in range(5)]
    # world 0 goes 0, 1, 2 and back to 0: were the old state 2 kept, the third step would pay -1 - 0.5
    assert rewards == [[0.5, 0.0]] * 5
    # two episodes of world 0 returned 1.0 each, two of world 1 returned 0.0; the open ones do not count
    assert worlds.drain()["return"] == 0.5
    assert "return" not in worlds.drain()


def test_native_passes_and_fitness_pays_at_the_end() -> None:
    native, fitness = (make_wrapper(RewardProgram(kind=kind)) for kind in (RewardKind.NATIVE, RewardKind.FITNESS))
    for worlds in (native, fitness):
        worlds.reset(0)
    paid = [(native.step(push(1.0, 0.5)), fitness.step(push(1.0, 0.5))) for _ in range(3)]
    assert [batch.reward.tolist() for batch, _ in paid] == [[7.0, 7.0]] * 3
    assert [batch.reward.tolist() for _, batch in paid] == [[0.0, 0.0], [0.0, 0.0], [3.0, 2.5]]
    assert native.drain() == {"return": 21.0}
    assert fitness.drain() == {"return": 2.75}


def test_everything_else_passes_through() -> None:
    plain, worlds = CountingWorlds(), make_wrapper(RewardProgram(kind=RewardKind.CODE, source=CODE))
    assert np.array_equal(worlds.reset(3), plain.reset(3))
    for _ in range(4):
        wrapped, bare = worlds.step(push(0.5, -0.5)), plain.step(push(0.5, -0.5))
        assert np.array_equal(wrapped.observation, bare.observation)
        assert np.array_equal(wrapped.final_observation, bare.final_observation)
        assert wrapped.outcomes == bare.outcomes
        assert np.array_equal(worlds.named_state()["pair"], plain.named_state()["pair"])
    assert worlds.render().shape == (2, 2, 3)
    worlds.close()


def test_reset_forgets_open_episodes() -> None:
    worlds = make_wrapper(RewardProgram(kind=RewardKind.NATIVE))
    worlds.reset(0)
    worlds.step(push(0.0, 0.0))
    worlds.reset(0)
    for _ in range(3):
        worlds.step(push(0.0, 0.0))
    assert worlds.drain()["return"] == 21.0


def test_a_term_called_return_does_not_hide_the_return() -> None:
    worlds = make_wrapper(make_code('return action[:, 0] * 1.0, {"return": action[:, 0]}'), horizon=1)
    worlds.reset(0)
    worlds.step(push(1.0, 0.0))
    assert worlds.drain() == {"return_": 0.5, "return": 0.5}


@pytest.mark.parametrize(
    ("body", "kind", "term", "says"),
    [
        ('return np.sqrt(action[:, 0] - 1.0), {"t": action[:, 0]}', "nan", None, "the reward is NaN"),
        ('return action[:, 0], {"t": 1.0 / action[:, 0]}', "nan", "t", "term 't' is infinite"),
        ('return action, {"t": action[:, 0]}', "shape", None, r"the reward has shape \[n, 1\]"),
        ('return action[:, 0], {"t": action}', "shape", "t", "term 't' has shape"),
        ("return action[:, 0]", "type", None, "must return"),
        ('return "much", {}', "type", None, "array of numbers, not str"),
        ('return action[:, 0], {"t": "x"}', "type", "t", "term 't' must be an array"),
        ('return state["position"] + next_state["pair"][:, 5], {}', "exception", None, "line 2: IndexError"),
        ('s = state\n    return s["fitness"], {}', "exception", None, "no state variable 'fitness'"),
    ],
)
def test_faults_name_the_term(body: str, kind: str, term: str | None, says: str) -> None:
    worlds = make_wrapper(make_code(body))
    worlds.reset(0)
    with pytest.raises(RewardFault, match=says) as caught:
        worlds.step(push(0.0, 0.0))
    assert (caught.value.kind, caught.value.term, caught.value.stage) == (kind, term, "reward")


def test_code_needs_a_confined_process() -> None:
    with pytest.raises(SandboxError, match="confined process"):
        RewardWrapper(CountingWorlds(), RewardProgram(kind=RewardKind.CODE, source=CODE), make_toy_card())


def test_refused_code_is_not_compiled() -> None:
    with pytest.raises(ProgramRefused, match="line 2: import of 'os'"):
        compile_program(make_code("import os"), make_toy_card(), allow_unconfined=True)
    with pytest.raises(ProgramRefused, match="line 1: ZeroDivisionError"):
        source = "x = 1 / 0\n" + CODE
        compile_program(RewardProgram(kind=RewardKind.CODE, source=source), make_toy_card(), allow_unconfined=True)
    with pytest.raises(ProgramRefused, match="native baseline has no program"):
        compile_program(RewardProgram(kind=RewardKind.NATIVE), make_toy_card())


def test_arguments_cannot_be_written() -> None:
    state = ReadOnlyState({"x": np.zeros(2)})
    with pytest.raises(ValueError, match="read-only"):
        state["x"][0] = 1.0
    assert dict(state).keys() == {"x"}
    assert len(state) == 1
    with pytest.raises(KeyError, match="Did you mean 'x'"):
        state["xx"]


def test_integer_and_boolean_rewards_become_floats() -> None:
    reward = compile_program(
        make_code('return action[:, 0] > 0, {"t": (action[:, 0] > 0).astype(int)}'),
        make_toy_card(),
        allow_unconfined=True,
    )
    values, terms = reward({}, push(1.0, -1.0), {})
    assert values.dtype == np.float64
    assert values.tolist() == [1.0, 0.0]
    assert terms["t"].tolist() == [1.0, 0.0]
