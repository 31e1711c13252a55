"""Goals in words for the quantum family, read by rule: molecule, geometry by its unit, noise."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.roles.words import read_params

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `quantum`")
LIH, WATER, PAPER = 3, 6, 5


@pytest.mark.parametrize(
    ("goal", "params"),
    [
        (
            "find the shortest circuit for LiH at 3.4 A that reaches chemical accuracy under depolarising noise",
            {"problem": LIH, "bond_length": 3.4, "noise_kind": 0, "noise_level": 0.001},
        ),
        ("LiH at 1.2 angstrom without noise", {"problem": LIH, "bond_length": 1.2, "noise_level": 0.0}),
        ("the ground state of water within 2 mHa", {"problem": WATER, "threshold": 2.0}),
        ("H2O on Mumbai", {"problem": WATER, "noise_kind": 5, "noise_level": 0.001}),
        ("h2o-8-paper, noiseless", {"problem": PAPER, "noise_level": 0.0}),
        ("H2 under bit flip noise of level 0.002", {"problem": 2, "noise_kind": 1, "noise_level": 0.002}),
        ("lih-6, oracle-free", {"problem": 4, "reward_kind": 3}),
    ],
)
def test_words_set_the_task(goal: str, params: dict[str, ParamValue]) -> None:
    found, unknown = read_params(get_family("quantum").card(), goal)
    assert (found, unknown) == (params, [])
