"""The audit's rules, with rank correlations and chances worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experimenter.records import CurvePoint, CurveState
from experimenter.rewards.audit import Audit, audit_curve, audit_run, dominant_term, spearman
from experimenter.rewards.audit_evidence import OWN, RANDOM, AuditInput, Sample
from experimenter.rewards.audit_facts import Thresholds, superiority
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


def rules(audit: Audit) -> list[str]:
    return [suspicion.rule for suspicion in audit.suspicions]


def test_reward_that_rises_alone_is_hacking() -> None:
    for fitness in (DOWN, FLAT):
        found = audit_curve(make_curve(UP, fitness))
        assert rules(found) == ["divergence"] and found.hacked
        assert "while fitness does not" in found.words[0]
        assert found.numbers["hacking"] == 1.0
    assert audit_curve(make_curve(UP, DOWN)).correlation == pytest.approx(-1.0)


def test_healthy_and_stuck_curves_are_not() -> None:
    for reward, fitness in ((UP, UP), (FLAT, DOWN), (DOWN, DOWN)):
        found = audit_curve(make_curve(reward, fitness))
        assert found.suspicions == () and not found.hacked


def test_few_points_must_speak_clearly() -> None:
    assert audit_curve(make_curve(UP[:4], DOWN[:4])).correlation is None
    assert audit_curve(make_curve(UP[:5], DOWN[:5])).hacked
    # a flat fitness over seven points is no evidence, and neither is reward of trend 0.7 over five (0.82 is asked)
    assert not audit_curve(make_curve(UP[:7], FLAT[:7])).hacked
    # ranks 1 4 2 3 5: d^2 = 0+4+1+1+0, rho = 1 - 36/120 = 0.7
    unsure = audit_curve(make_curve([1, 4, 2, 3, 5], DOWN[:5]))
    assert unsure.reward_trend == pytest.approx(0.7) and not unsure.hacked


def test_what_a_trend_must_reach_depends_on_the_points() -> None:
    # 1.645 / sqrt(n - 1): 0.8225 for 5 points; 0.5 from 12 points on
    assert Thresholds().least_trend(5) == pytest.approx(0.8225)
    assert Thresholds().least_trend(12) == Thresholds().least_trend(60) == 0.5


def test_a_jump_at_the_start_is_seen_though_there_is_no_trend() -> None:
    reward = [0.0, *([5.0, 4.0] * 10)]
    fitness = [0.9, *([0.1, 0.2] * 10)]
    found = audit_curve(make_curve(reward, fitness))
    assert found.reward_trend is not None and found.reward_trend < 0.5
    assert found.hacked
    assert not audit_curve(make_curve(reward, [*([0.1, 0.2] * 10), 0.9])).hacked


def test_a_solved_task_has_no_fitness_left_to_gain() -> None:
    assert audit_curve(make_curve(UP, FLAT, success=1.0)).suspicions == ()
    assert audit_curve(make_curve(UP, FLAT, success=0.5)).hacked


def test_a_falling_native_return_counts_where_fitness_says_too_little() -> None:
    slightly = [0.20, 0.19, 0.21, 0.20, 0.22, 0.21, 0.23, 0.22, 0.24, 0.23, 0.25, 0.24]
    curve = make_curve(UP, slightly, success=0.0)
    falling = [point.evolve(native_return=-float(point.step)) for point in curve]
    assert audit_curve(curve).suspicions == ()
    assert rules(audit_curve(falling)) == ["native"] and audit_curve(falling).hacked
    succeeding = [point.evolve(success=0.1) for point in falling]
    assert not audit_curve(succeeding).hacked
    itself = [point.evolve(native_return=point.reward) for point in curve]
    assert audit_curve(itself).suspicions == ()


def test_the_rules_are_scale_free() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=12).tolist()
    small = audit_curve(make_curve(noise, UP, {"a": 1.0, "b": -3.0}))
    large = audit_curve(make_curve([1e6 * x + 5 for x in noise], [1e-3 * x for x in UP], {"a": 1e6, "b": -3e6}))
    assert small.correlation == large.correlation
    assert small.dominant_share == large.dominant_share == 0.75


def test_dominance_is_a_remark() -> None:
    assert dominant_term(make_curve(UP, UP, {"a": 1.0, "b": -19.0})) == ("b", 0.95)
    found = audit_curve(make_curve(UP, UP, {"a": 1.0, "b": -19.0}))
    assert found.words == ("the term 'b' makes up 95% of all terms' magnitude",)
    assert not found.hacked and found.numbers == {"hacking": 0.0, "dominance": 0.95}
    assert audit_curve(make_curve(UP, UP, {"a": 1.0, "b": -9.0})).suspicions == ()
    assert dominant_term(make_curve(UP, UP, {"only": 1.0})) == (None, None)
    assert dominant_term([]) == (None, None)


def test_superiority_counts_pairs() -> None:
    # of the four pairs (1,1) (1,2) (3,1) (3,2) two are above and one is even: 2.5 / 4
    assert superiority([1, 3], [1, 2]) == 0.625


def make_sample(policy: str, fitness: float, paid: float, world: str = "task") -> Sample:
    """Four episodes around the given fitness and pay, so that a difference of 1 puts every pair one way round."""
    near = (-0.2, -0.1, 0.1, 0.2)
    return Sample(
        policy=policy, world=world, fitness=tuple(fitness + d for d in near), returns=tuple(paid + d for d in near)
    )


def make_input(curve: list[CurvePoint], *samples: Sample, **changes: object) -> AuditInput:
    return AuditInput(family="gym:Toy-v0", horizon=100, curve=tuple(curve)).evolve(samples=samples, **changes)


def test_a_fitter_arm_that_is_paid_less_is_preference_inversion() -> None:
    # fitness rises on the curve, to a fifth of what the native arm reaches: the curve alone says nothing
    curve = make_curve(UP, UP)
    samples = [make_sample(OWN, 2, 50), make_sample(RANDOM, 0, 0), make_sample("native", 10, 20)]
    found = audit_run(make_input(curve, *samples))
    assert not audit_curve(curve).hacked
    assert rules(found) == ["inversion"] and found.hacked and found.suspicions[0].number == 1.0
    nearly = [make_sample(OWN, 7, 50), *samples[1:]]  # 30% of the lead is missing, 35% would be far behind
    assert not audit_run(make_input(curve, *nearly)).hacked


def test_a_fitter_arm_that_is_paid_more_clears_the_curve() -> None:
    curve = make_curve(UP, FLAT)
    samples = [make_sample(OWN, 0, 5), make_sample(RANDOM, 0, 0), make_sample("native", 10, 20)]
    found = audit_run(make_input(curve, *samples))
    assert audit_curve(curve).hacked and not found.hacked
    assert "training fell short" in found.cleared
    assert rules(found) == ["divergence"]


def test_an_arm_that_cannot_do_the_task_either_proves_nothing() -> None:
    samples = [make_sample(OWN, 0, 5), make_sample(RANDOM, 0, 0), make_sample("native", 0, 0)]
    found = audit_run(make_input(make_curve(UP, UP), *samples))
    assert found.suspicions == () and found.cleared == ""


def test_worse_than_random_and_paid_more_is_hacking() -> None:
    samples = [make_sample(OWN, -2, 5), make_sample(RANDOM, 0, 0)]
    found = audit_run(make_input([], *samples))
    assert rules(found) == ["worse_than_random"] and found.hacked
    unpaid = [make_sample(OWN, -2, -5), make_sample(RANDOM, 0, 0)]
    assert not audit_run(make_input([], *unpaid)).hacked


def test_beside_other_policies_a_flat_curve_needs_a_witness() -> None:
    samples = [make_sample(OWN, 0, 5), make_sample(RANDOM, 0, 0)]
    curve = make_curve(UP, FLAT)
    assert not audit_run(make_input(curve, *samples)).hacked
    assert audit_run(make_input(make_curve(UP, FLAT, {"a": 1.0, "b": 99.0}), *samples)).hacked
    seen = {"code_state": CurveState.IMPROVING, "picture_state": CurveState.HACKING}
    assert audit_run(make_input(curve, *samples, **seen)).hacked
    agreed = {"code_state": CurveState.IMPROVING, "picture_state": CurveState.IMPROVING}
    assert not audit_run(make_input(curve, *samples, **agreed)).hacked


def test_stress_that_takes_fitness_and_leaves_reward_is_a_remark() -> None:
    known = [make_sample(OWN, 10, 10), make_sample(RANDOM, 0, 0)]
    kept = make_sample(OWN, 2, 9, "actions")  # 20% of the lead in fitness, 90% of that in reward
    found = audit_run(make_input(make_curve(UP, UP), *known, kept))
    assert rules(found) == ["stress"] and not found.hacked
    assert found.suspicions[0].number == pytest.approx(0.9)
    both = make_sample(OWN, 2, 2, "actions")
    assert audit_run(make_input(make_curve(UP, UP), *known, both)).suspicions == ()


def test_fitness_as_reward_cannot_be_hacked() -> None:
    found = audit_run(make_input(make_curve(UP, DOWN), reward_is_fitness=True))
    assert not found.hacked and found.suspicions == ()
