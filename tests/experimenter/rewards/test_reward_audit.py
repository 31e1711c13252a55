"""The audit's two rules, with rank correlations worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experimenter.records import CurvePoint
from experimenter.rewards.audit import audit_curve, dominant_term, spearman
from skills.evidence import average_ranks


def make_curve(
    reward: list[float], fitness: list[float], terms: dict[str, float] | None = None, success: float | None = None
) -> list[CurvePoint]:
    pairs = enumerate(zip(reward, fitness, strict=True))
    return [CurvePoint(step=100 * i, reward=r, fitness=f, terms=terms or {}, success=success) for i, (r, f) in pairs]


def test_ranks_share_ties() -> None:
    assert average_ranks([10.0, 20.0, 20.0, 5.0]).tolist() == [2.0, 3.5, 3.5, 1.0]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # without ties rho = 1 - 6 sum d^2 / (n (n^2 - 1)); ranks 1 2 3 4 5 and 2 1 4 3 5: d^2 = 1+1+1+1+0, 1 - 24/120
        ([1, 2, 3, 4, 5], [20, 10, 40, 30, 50], 0.8),
        ([1, 2, 3], [1, 10, 100], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        # ties: ranks 1 2 3 4 and 1.5 1.5 3.5 3.5; centred products 1.5+0.5+0.5+1.5 = 4, norms sqrt(5 * 4)
        ([1, 2, 3, 4], [0, 0, 1, 1], 4 / 20**0.5),
        ([1, 2, 3], [5, 5, 5], None),
        ([1], [1], None),
        ([1, None, 3], [1, 2, 3], 1.0),
    ],
)
def test_spearman_by_hand(first: list[float | None], second: list[float | None], expected: float | None) -> None:
    found = spearman(first, second)
    assert found == (None if expected is None else pytest.approx(expected))


UP = [float(i) for i in range(12)]
DOWN = UP[::-1]
FLAT = [0.0] * 12


def test_reward_that_rises_alone_is_suspicious() -> None:
    for fitness in (DOWN, FLAT):
        found = audit_curve(make_curve(UP, fitness))
        assert len(found.suspicions) == 1
        assert "while fitness does not" in found.suspicions[0]
    assert audit_curve(make_curve(UP, DOWN)).correlation == pytest.approx(-1.0)


def test_healthy_stuck_and_short_curves_are_not() -> None:
    assert audit_curve(make_curve(UP, UP)).suspicions == ()
    assert audit_curve(make_curve(FLAT, DOWN)).suspicions == ()
    assert audit_curve(make_curve(DOWN, DOWN)).suspicions == ()
    assert audit_curve(make_curve(UP[:7], DOWN[:7])).correlation is None
    assert audit_curve(make_curve(UP[:7], DOWN[:7])).suspicions == ()


def test_a_solved_task_has_no_fitness_left_to_gain() -> None:
    assert audit_curve(make_curve(UP, FLAT, success=1.0)).suspicions == ()
    assert audit_curve(make_curve(UP, FLAT, success=0.5)).suspicions != ()


def test_the_rules_are_scale_free() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=12).tolist()
    small = audit_curve(make_curve(noise, UP, {"a": 1.0, "b": -3.0}))
    large = audit_curve(make_curve([1e6 * x + 5 for x in noise], [1e-3 * x for x in UP], {"a": 1e6, "b": -3e6}))
    assert small.correlation == large.correlation
    assert small.dominant_share == large.dominant_share == 0.75


def test_dominance_counts_magnitudes() -> None:
    assert dominant_term(make_curve(UP, UP, {"a": 1.0, "b": -19.0})) == ("b", 0.95)
    found = audit_curve(make_curve(UP, UP, {"a": 1.0, "b": -19.0}))
    assert found.suspicions == ("the term 'b' makes up 95% of all terms' magnitude",)
    assert audit_curve(make_curve(UP, UP, {"a": 1.0, "b": -9.0})).suspicions == ()
    assert dominant_term(make_curve(UP, UP, {"only": 1.0})) == (None, None)
    assert dominant_term([]) == (None, None)
