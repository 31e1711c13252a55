from __future__ import annotations

from curriculum_toys import TARGET, make_card, make_outcome

from envs.task import ParamValue
from experimenter.curricula.ladder import LadderTeacher, make_rungs, make_teacher
from experimenter.curricula.space import make_space


def make_ladder(**settings: ParamValue) -> LadderTeacher:
    teacher = make_teacher(make_card(), TARGET, {"window": 4, "review": 0.0, **settings}, seed=0)
    assert isinstance(teacher, LadderTeacher)
    return teacher


def answer(teacher: LadderTeacher, *successes: bool) -> None:
    for success in successes:
        teacher.update(make_outcome(teacher.sample(), float(success), success))


def test_rungs_follow_the_cards_step() -> None:
    # height goes from 0 to 4 in steps of 0.5: eight steps, nine rungs; spacing runs along
    rungs = make_rungs(make_space(make_card(), TARGET))
    assert [rung["height"] for rung in rungs] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    assert [rung["spacing"] for rung in rungs] == [4.0, 3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0]


def test_rungs_of_whole_numbers_do_not_repeat() -> None:
    assert [rung["count"] for rung in make_rungs(make_space(make_card(), {"count": 5}), count=10)] == [3, 4, 5]


def test_it_climbs_on_passing_and_not_before_the_window_is_full() -> None:
    teacher = make_ladder(rungs=2)
    answer(teacher, True, True, True)
    assert teacher.sample()["height"] == 0.0
    answer(teacher, False)  # three of four is 0.75, above the mark of 0.7
    assert teacher.sample()["height"] == 2.0
    answer(teacher, True, True, False, False)  # half: stays
    assert teacher.sample()["height"] == 2.0
    answer(teacher, True, True, True)  # the last four: F T T T
    assert teacher.sample() == TARGET


def test_it_stays_on_the_target() -> None:
    teacher = make_ladder(rungs=1)
    answer(teacher, *[True] * 40)
    assert teacher.sample() == TARGET


def test_it_steps_down_when_all_fails() -> None:
    teacher = make_ladder(rungs=4)
    answer(teacher, *[True] * 8)
    assert teacher.rung == 2
    answer(teacher, *[False] * 4)
    assert teacher.rung == 1
    answer(teacher, *[False] * 20)
    assert teacher.rung == 0


def test_late_outcomes_of_a_lower_rung_do_not_count() -> None:
    teacher = make_ladder(rungs=2)
    easy = teacher.sample()
    answer(teacher, *[True] * 4)
    for _ in range(10):
        teacher.update(make_outcome(easy, 1.0, True))
    assert teacher.rung == 1


def test_a_share_of_episodes_reviews_lower_rungs() -> None:
    teacher = make_ladder(rungs=4, review=0.5)
    while teacher.rung < 4:
        teacher.update(make_outcome(teacher.sample(), 1.0, True))
    heights = [teacher.sample()["height"] for _ in range(400)]
    assert 150 < sum(height != 4.0 for height in heights) < 250
    assert set(heights) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_fitness_may_be_the_gate() -> None:
    teacher = make_ladder(rungs=2, signal="fitness", pass_mark=0.4)
    for _ in range(4):
        teacher.update(make_outcome(teacher.sample(), 0.5, False))
    assert teacher.rung == 1
