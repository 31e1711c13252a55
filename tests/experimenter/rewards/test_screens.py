"""The preference screen by hand-worked numbers, and what screens lose."""

from __future__ import annotations

import pytest

from experimenter.rewards.screens import MIN_PAIRS, ScreenReport, judge_preference, losses, preference


def test_preference_counts_informative_pairs_only() -> None:
    fitness = [0.0, 0.5, 1.0, 0.55]
    # margin 0.1: the pair (0.5, 0.55) says nothing, five pairs are left
    assert preference([1.0, 2.0, 3.0, 2.0], fitness) == (1.0, 5)
    assert preference([3.0, 2.0, 1.0, 2.0], fitness) == (0.0, 5)
    assert preference([1.0, 1.0, 1.0, 1.0], fitness) == (0.5, 5), "ties count half"
    assert preference([1.0, 0.0, 2.0, 0.0], fitness) == (pytest.approx(3 / 5), 5)


def test_equal_episodes_say_nothing() -> None:
    assert preference([1.0, 2.0], [0.3, 0.3]) == (None, 0)
    assert preference([], []) == (None, 0)


def test_the_opposite_of_the_task_is_refused_with_its_number() -> None:
    fitness = [i / 7 for i in range(8)]
    opposite = judge_preference("d", [-one for one in fitness], fitness, 0.1)
    assert not opposite.passed and opposite.value == 0.0 and "0%" in opposite.reason
    assert judge_preference("d", fitness, fitness, 0.1).passed
    few = judge_preference("d", [2.0, 1.0], [0.0, 1.0], 0.1)
    assert few.passed and few.value == 0.0, f"one pair of the {MIN_PAIRS} needed refuses nobody"
    failed = judge_preference("d", "line 3: division by zero", [], 0.1)
    assert not failed.passed and "line 3" in failed.reason


def test_losses_are_winners_that_a_screen_refused() -> None:
    def make(screen: str, digest: str, passed: bool, cost_s: float) -> ScreenReport:
        return ScreenReport(screen=screen, digest=digest, passed=passed, cost_s=cost_s)

    reports = [
        make("preference", "a", True, 1.0), make("preference", "b", False, 3.0), make("preference", "c", False, 2.0),
        make("probe", "a", True, 10.0),
    ]  # fmt: skip
    found = {loss.screen: loss for loss in losses(reports, ["a", "c"])}
    preference_loss = found["preference"]
    assert (preference_loss.decisions, preference_loss.refused, preference_loss.winners, preference_loss.lost) == (
        3,
        2,
        2,
        1,
    )
    assert preference_loss.cost_s == pytest.approx(2.0)
    assert (found["probe"].winners, found["probe"].lost) == (1, 0)
