"""What every teacher must do, over everything that the registry lists, plug-ins included."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from envs.task import ParamValue
from experimenter import registry
from experimenter.curricula.base import Teacher
from experimenter.errors import UsageError

FAMILY = get_family("walker")
CARD = FAMILY.card()
TARGET: dict[str, ParamValue] = {"stump_height": 1.8, "stump_spacing": 2.5, "stair_height": 1.0, "stair_steps": 7}
TEACHERS = registry.list_names("teachers")


def make_teacher(
    name: str, target: Mapping[str, ParamValue] = TARGET, seed: int = 0, **settings: ParamValue
) -> Teacher:
    teacher: Teacher = registry.load("teachers", name)(card=CARD, target=target, settings=settings, seed=seed)
    return teacher


def attempt(params: Mapping[str, ParamValue], rng: np.random.Generator) -> EpisodeOutcome:
    """A student that does well on low stumps."""
    fitness = float(rng.normal(1 - float(params["stump_height"]) / 2, 0.1))
    return EpisodeOutcome(
        slot=0, params=params, fitness=fitness, success=fitness > 0.4, native_return=300 * fitness, length=100
    )


def teach(teacher: Teacher, episodes: int, seed: int = 0) -> list[dict[str, ParamValue]]:
    """Eight worlds at once: outcomes come back late and in bunches, as in training."""
    rng, samples = np.random.default_rng(seed), []
    for _ in range(episodes // 8):
        bunch = [teacher.sample() for _ in range(8)]
        for params in bunch:
            teacher.update(attempt(params, rng))
        samples += bunch
    return samples


def test_the_built_in_teachers_are_registered() -> None:
    assert {"fixed", "uniform", "ladder", "alp_gmm"} <= set(TEACHERS)


@pytest.mark.parametrize("name", TEACHERS)
def test_it_knows_its_name(name: str) -> None:
    assert make_teacher(name).name == name


@pytest.mark.parametrize("name", TEACHERS)
def test_samples_are_complete_plain_and_within_bounds(name: str) -> None:
    for params in teach(make_teacher(name), 480):
        assert set(params) == {parameter.name for parameter in CARD.params}
        for parameter in CARD.params:
            value = params[parameter.name]
            assert type(value) is (int if parameter.integer else float)
            assert parameter.low <= value <= parameter.high
        assert FAMILY.resolve_task(params).params == params


@pytest.mark.parametrize("name", TEACHERS)
def test_samples_lie_between_the_easy_task_and_the_target(name: str) -> None:
    for params in teach(make_teacher(name), 480):
        assert 0 <= float(params["stump_height"]) <= 1.8
        assert 2.5 <= float(params["stump_spacing"]) <= 6
        assert 3 <= float(params["stair_steps"]) <= 7
        assert params["pit_gap"] == params["roughness"] == 0


@pytest.mark.parametrize("name", TEACHERS)
def test_a_seed_repeats(name: str) -> None:
    assert teach(make_teacher(name, seed=3), 480) == teach(make_teacher(name, seed=3), 480)


@pytest.mark.parametrize("name", TEACHERS)
def test_state_survives_saving_bit_for_bit(name: str) -> None:
    original, restored = make_teacher(name, seed=1), make_teacher(name, seed=2)
    teach(original, 520)
    restored.load_state(json.loads(json.dumps(original.state(), allow_nan=False)))
    assert teach(original, 520, seed=5) == teach(restored, 520, seed=5)
    assert json.dumps(original.state()) == json.dumps(restored.state())


@pytest.mark.parametrize("name", TEACHERS)
def test_a_saved_state_does_not_change_afterwards(name: str) -> None:
    teacher = make_teacher(name)
    teach(teacher, 200)
    state = teacher.state()
    before = json.dumps(state)
    teach(teacher, 200, seed=9)
    assert json.dumps(state) == before


@pytest.mark.parametrize("name", TEACHERS)
def test_a_target_that_is_the_easy_task_is_always_given(name: str) -> None:
    easy = FAMILY.resolve_task().params
    assert all(params == easy for params in teach(make_teacher(name, target={}), 320))


@pytest.mark.parametrize("name", TEACHERS)
def test_a_student_without_any_variation_is_no_trouble(name: str) -> None:
    teacher = make_teacher(name)
    for _ in range(320):
        params = teacher.sample()
        teacher.update(EpisodeOutcome(slot=0, params=params, fitness=0.0, success=False, native_return=0.0, length=1))


@pytest.mark.parametrize("name", TEACHERS)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"stump_hight": 1.0}, "Did you mean 'stump_height'"),
        ({"stump_height": 9.0}, r"stump_height = 9\.0 is not from 0 to 3"),
        ({"stump_height": "high"}, "stump_height = 'high' is not from 0 to 3"),
    ],
)
def test_a_bad_target_is_one_clear_line(name: str, target: dict[str, ParamValue], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make_teacher(name, target=target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TEACHERS)
def test_an_unknown_setting_is_one_clear_line(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown setting of the {name} teacher: 'speed'") as caught:
        make_teacher(name, speed=3)
    assert "\n" not in str(caught.value)


def test_an_unknown_teacher_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="Did you mean 'alp_gmm'"):
        registry.load("teachers", "alp_gm")
