"""The widening teacher: its band grows with the student, and some parameters are no axes of any teacher."""

from __future__ import annotations

import json

import pytest

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from envs.task import ParamValue
from experimenter.curricula import ladder, widen
from experimenter.errors import UsageError

CARD = get_family("quadrotor").card()
TARGET: dict[str, ParamValue] = {"drones": 8, "density": 0.8, "action_mode": 4}


def make_teacher(**settings: ParamValue) -> widen.WidenTeacher:
    chosen: dict[str, ParamValue] = {"start": "density=0,goal_distance=2", "steps": 4, "window": 3, **settings}
    teacher = widen.make_teacher(CARD, TARGET, chosen, 0)
    assert isinstance(teacher, widen.WidenTeacher)
    return teacher


def tell(teacher: widen.WidenTeacher, success: bool, params: dict[str, ParamValue]) -> None:
    teacher.update(EpisodeOutcome(slot=0, params=params, fitness=0.5, success=success, native_return=0.0, length=1))


def on_edge(teacher: widen.WidenTeacher) -> dict[str, ParamValue]:
    share = teacher.edge
    return {
        **CARD_DEFAULTS,
        **TARGET,
        "density": 0.8 if share == 1 else share * 0.8,
        "goal_distance": 10.0 if share == 1 else 2.0 + share * 8.0,
    }


CARD_DEFAULTS: dict[str, ParamValue] = {parameter.name: parameter.default for parameter in CARD.params}


def test_the_edge_moves_by_passes_and_fails_on_the_edge_alone() -> None:
    teacher = make_teacher()
    for _ in range(3):
        tell(teacher, True, on_edge(teacher))
    assert teacher.edge == 0.25
    for _ in range(9):
        tell(teacher, True, {**on_edge(teacher), "density": 0.1})  # inside the band: decides nothing
    assert teacher.edge == 0.25
    for _ in range(2):
        tell(teacher, False, on_edge(teacher))
    tell(teacher, True, on_edge(teacher))  # a third: between the marks? 1/3 is above 0.3, so it stays
    assert teacher.edge == 0.25
    for _ in range(3):
        tell(teacher, False, on_edge(teacher))
    assert teacher.edge == 0.0


def test_samples_lie_in_the_band_and_half_of_them_on_its_edge() -> None:
    teacher = make_teacher()
    teacher.step = 2
    drawn = [teacher.sample() for _ in range(400)]
    assert all(0 <= float(one["density"]) <= 0.4 and 2 <= float(one["goal_distance"]) <= 6 for one in drawn)
    assert all(one["drones"] == 8 and one["action_mode"] == 4 for one in drawn)
    edge = sum(one["density"] == pytest.approx(0.4) for one in drawn)
    assert 160 < edge < 240
    teacher.step = 4
    assert {**CARD_DEFAULTS, **TARGET} in [teacher.sample() for _ in range(20)]


def test_goes_on_bit_for_bit_from_its_state() -> None:
    one, other = make_teacher(), make_teacher()
    for _ in range(7):
        tell(one, True, one.sample())
    other.load_state(json.loads(json.dumps(one.state())))
    assert [one.sample() for _ in range(20)] == [other.sample() for _ in range(20)] and one.edge == other.edge


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("density", "cannot read the start 'density'; write name=value"),
        ("densty=0", "unknown task parameter of quadrotor: 'densty'. Did you mean 'density'"),
        ("density=3", "density = 3.0 is not from 0 to 0.8"),
        ("drones=1", "drones is the same in every episode of a training"),
    ],
)
def test_a_bad_start_is_one_line(start: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_teacher(start=start)


def test_the_ladder_climbs_in_density_and_leaves_kinds_and_shapes_alone() -> None:
    """A batch flies 8 drones whatever a teacher says: were `drones` an axis, no outcome would lie on a rung."""
    teacher = ladder.make_teacher(CARD, TARGET, {"window": 2}, 0)
    first = teacher.sample()
    assert (first["drones"], first["action_mode"], first["density"]) == (8, 4, 0.0)
    for _ in range(2):
        teacher.update(EpisodeOutcome(slot=0, params=first, fitness=1.0, success=True, native_return=0.0, length=1))
    assert isinstance(teacher, ladder.LadderTeacher) and teacher.rung == 1


def test_a_way_from_an_easy_start_goes_a_unit_at_a_time() -> None:
    target: dict[str, ParamValue] = {"goal_distance": 10.0, "density": 0.0}
    spec = widen.lead_from({"goal_distance": 4}, target)
    assert (spec.name, spec.settings["start"], spec.settings["steps"]) == ("widen", "goal_distance=4", 6)
    assert widen.lead_from({"goal_distance": 10}, target).settings["steps"] == 1
    assert widen.lead_from({"goal_distance": 30}, target).settings["steps"] == 10
    teacher = widen.make_teacher(CARD, {**CARD_DEFAULTS, **target}, spec.settings, 0)
    assert teacher.sample()["goal_distance"] == 4.0
