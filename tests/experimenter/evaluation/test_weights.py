"""A person's weights on further measures: counted only when asked for, and never on a measure that does not exist."""

from __future__ import annotations

import pytest

from envs.catalog import get_family
from experimenter.errors import UsageError
from experimenter.evaluation.rollout import extras_by_episode
from experimenter.evaluation.weights import check_weights, family_measures, weighted_fitness
from experimenter.records import Evaluation


def make_evaluation(**extras: tuple[float, ...]) -> Evaluation:
    return Evaluation(
        seeds=(1, 2), fitness=(0.5, 1.0), success=(False, True), native_return=(1.0, 2.0), length=(10, 20),
        extras_by_episode=extras,
    )  # fmt: skip


def test_without_weights_the_fitness_is_the_fitness() -> None:
    assert weighted_fitness(make_evaluation(effort=(4.0, 8.0)), {}) == (0.5, 1.0)


def test_each_episode_gets_its_own_weighted_sum() -> None:
    evaluation = make_evaluation(effort=(4.0, 8.0), speed=(1.0, 3.0))
    # 0.5 - 0.125 * 4 + 2 * 1 = 2 and 1 - 0.125 * 8 + 2 * 3 = 6
    assert weighted_fitness(evaluation, {"effort": -0.125, "speed": 2.0}) == (2.0, 6.0)


def test_an_unknown_measure_is_one_line_with_the_measures_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"walker has no measure 'effrt'\. Did you mean 'effort'\?.*: effort, fell\."
    ) as caught:
        check_weights({"effrt": -1.0}, ("fell", "effort"), "walker")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="further measures: none"):
        weighted_fitness(make_evaluation(), {"effort": 1.0})


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), True, "much"])
def test_a_weight_is_a_finite_number(weight: float) -> None:
    with pytest.raises(UsageError, match="give a finite number"):
        check_weights({"effort": weight}, ("effort",))


def test_only_measures_of_every_episode_are_kept_by_episode() -> None:
    extras = [{"a": 1, "b": 2.0, "c": float("nan")}, {"a": 3.0, "c": 1.0}]
    assert extras_by_episode(extras) == {"a": (1.0, 3.0)}
    assert extras_by_episode([]) == {}


def test_a_result_of_an_earlier_version_has_no_measures_by_episode() -> None:
    plain = make_evaluation().model_dump(exclude={"extras_by_episode"})
    assert Evaluation.model_validate(plain).extras_by_episode == {}


def test_a_family_says_its_measures_by_playing_a_few_steps() -> None:
    cart = get_family("gym:CartPole-v1")
    assert family_measures(cart, cart.resolve_task()) == ("furthest_from_middle_m", "seconds_upright")
    walker = get_family("walker")
    assert "effort" in family_measures(walker, walker.resolve_task())
