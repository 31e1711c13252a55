"""What a program pays for a recorded tape: by hand, and the same through the confined process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import FloatArray
from experimenter.errors import SandboxError
from experimenter.records import RewardKind, RewardProgram
from experimenter.rewards.audit_scores import Scores, score, score_confined
from experimenter.rewards.program import compile_program

CARD = get_family("gym:CartPole-v1").card()
SOURCE = """
def compute_reward(state, action, next_state):
    moved = next_state['cart_position'] - state['cart_position']
    push = 10.0 * action[:, 0]
    return moved + push, {'moved': moved, 'push': push}
"""


@dataclass(frozen=True, kw_only=True)
class ToyTape:
    state: dict[str, FloatArray]
    action: FloatArray
    next_state: dict[str, FloatArray]
    episode: np.ndarray


def make_tape() -> ToyTape:
    """Two episodes, interleaved: the cart moves 1, 2 with pushes 1, 0, and 5 with push 1."""
    zero = np.zeros(3)
    rest = {v.name: zero for v in CARD.state}
    return ToyTape(
        state={**rest, "cart_position": np.array([0.0, 0.0, 1.0])},
        next_state={**rest, "cart_position": np.array([1.0, 5.0, 3.0])},
        action=np.array([[1.0], [1.0], [0.0]]),
        episode=np.array([0, 1, 0]),
    )


EXPECTED = Scores(returns=(13.0, 15.0), terms={"moved": (3.0, 5.0), "push": (10.0, 10.0)})


def make_program(source: str) -> RewardProgram:
    return RewardProgram(kind=RewardKind.CODE, source=source)


def test_returns_are_summed_by_episode() -> None:
    compiled = compile_program(make_program(SOURCE), CARD, allow_unconfined=True)
    assert score(compiled, make_tape()) == EXPECTED


def test_generated_code_is_asked_in_a_confined_process() -> None:
    assert score_confined(make_program(SOURCE), CARD, [make_tape(), make_tape()]) == [EXPECTED, EXPECTED]


def test_a_program_that_fails_is_said_in_one_line() -> None:
    bad = SOURCE.replace("10.0 * action[:, 0]", "np.log(action[:, 0] - 1.0)")
    with pytest.raises(SandboxError, match="could not be asked about recorded episodes") as caught:
        score_confined(make_program(bad), CARD, [make_tape()])
    assert "\n" not in str(caught.value)


def test_one_that_reads_files_is_refused() -> None:
    with pytest.raises(SandboxError, match="could not be asked"):
        score_confined(make_program("import os\n" + SOURCE), CARD, [make_tape()])
