"""The moving threshold: its moves worked out by hand, and the traps of the published curriculum."""

from __future__ import annotations

from typing import Any

import pytest

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula.threshold import ThresholdTeacher, make_teacher

FAMILY = get_family("quantum")
TARGET: dict[str, ParamValue] = {"problem": 3, "bond_length": 3.4}


def teacher(target: dict[str, ParamValue] = TARGET, **settings: Any) -> ThresholdTeacher:
    given = {"target_share": 0.0, "move_every": 4, "successes": 2, "margin": 1.0, **settings}
    made = make_teacher(FAMILY.card(), target, given, 0)
    assert isinstance(made, ThresholdTeacher)
    return made


def attempt(taught: ThresholdTeacher, error_mha: float, *, success: bool | None = None) -> None:
    params = taught.sample()
    reached = error_mha < float(params["threshold"]) if success is None else success
    taught.update(
        EpisodeOutcome(
            slot=0, params=params, fitness=0, success=reached, native_return=0, length=1,
            extras={"energy_error": error_mha * 1e-3},
        )
    )  # fmt: skip


def test_it_moves_to_the_best_error_plus_the_margin_and_down_by_tenths() -> None:
    taught = teacher()
    assert taught.threshold == 100.0
    for error in (60.0, 50.0, 70.0):
        attempt(taught, error)
    assert taught.threshold == pytest.approx(99.9)  # two successes: a tenth of the margin
    attempt(taught, 55.0)
    assert taught.threshold == pytest.approx(51.0)  # fourth episode: best error 50 and the margin 1
    for _ in range(2):
        attempt(taught, 50.5)
    assert taught.threshold == pytest.approx(50.9)


def test_it_is_lowered_ten_times_at_most_between_moves() -> None:
    taught = teacher(move_every=1000, successes=1)
    for _ in range(30):
        attempt(taught, 1.0)
    assert taught.threshold == pytest.approx(99.0)


def test_it_never_goes_below_the_target_nor_above_the_bound() -> None:
    taught = teacher(start=5000.0)
    assert taught.threshold == 100.0
    for _ in range(8):
        attempt(taught, 0.0, success=True)
    assert taught.threshold == 1.6
    assert taught.sample() == FAMILY.resolve_task(TARGET).params


def test_a_best_error_that_no_episode_reached_cannot_freeze_it() -> None:
    # the published configurations start "best" below every reachable energy, which fixes the threshold for good
    taught = teacher()
    for _ in range(4):
        attempt(taught, 150.0)
    assert taught.best == 150.0 and taught.threshold == 100.0  # failures alone never raise it
    for error in (30.0, 31.0, 32.0, 33.0):
        attempt(taught, error)
    assert taught.threshold == pytest.approx(31.0)


def test_some_episodes_are_on_the_target_and_halting_is_for_training_only() -> None:
    taught = teacher(target_share=0.5, halting=True)
    drawn = [taught.sample() for _ in range(200)]
    on_target = [params for params in drawn if params["threshold"] == 1.6]
    assert 60 < len(on_target) < 140
    assert all(params["halting"] == 0 for params in on_target)
    assert all(params["halting"] == 1 for params in drawn if params["threshold"] != 1.6)


def test_late_outcomes_of_an_easier_threshold_do_not_lower_it() -> None:
    taught = teacher(successes=1, move_every=1000)
    easy = {**taught.sample(), "threshold": 100.0}
    attempt(taught, 1.0)
    lowered = taught.threshold
    taught.update(
        EpisodeOutcome(
            slot=0, params=easy, fitness=0, success=True, native_return=0, length=1, extras={"energy_error": 0.0}
        )
    )
    assert taught.threshold == lowered
