"""The bench of one policy for many tasks: its tasks, its job, its figures. Nothing is trained here but in the slow test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envs.catalog import get_family
from envs.web.browsers import list_installed
from envs.web.oracles import find_oracle
from envs.web.survey import load_support
from envs.web.tasks import ALL_TASKS
from experimenter.bench import dom_multi
from experimenter.bench.dom_multi import COMPOSED, TRAINED, UNSEEN, MultiCourse, Stage
from experimenter.errors import UsageError
from experimenter.execution.job import make_teacher


def test_at_least_forty_tasks_are_trained_and_none_that_is_held_out() -> None:
    assert len(set(TRAINED)) == len(TRAINED) >= 40 and len(set(UNSEEN)) == len(UNSEEN) >= 10
    assert not set(TRAINED) & set(UNSEEN) and set(TRAINED) | set(UNSEEN) <= set(ALL_TASKS)
    assert {task for pair in COMPOSED for task in pair} <= set(TRAINED) and len(set(COMPOSED)) == len(COMPOSED)
    assert all(find_oracle(task) for task in TRAINED)


def test_every_task_may_be_trained_in_the_fast_browser() -> None:
    support = load_support()["lightpanda"]
    assert all(support[task]["trains"] for task in (*TRAINED, *UNSEEN))


def test_a_course_of_named_tasks() -> None:
    course = dom_multi.make_course(["click-test", "enter-text"], 500)
    assert course.tasks == ("click-test", "enter-text") and [stage.steps for stage in course.stages] == [500]
    assert len(MultiCourse().stages) == 2 and MultiCourse().stages[0].prefilled == (0,)
    assert dom_multi.make_course() == MultiCourse()
    with pytest.raises(UsageError, match="trained on 'focus-text'"):
        dom_multi.make_course(["focus-text"])


def test_the_teacher_draws_every_task_and_start_and_nothing_else() -> None:
    course = dom_multi.make_course(["click-test", "enter-text"])
    job = dom_multi.make_job(course, course.stages[1], 1)
    teacher = make_teacher(job, get_family("web"))
    drawn = [teacher.sample() for _ in range(200)]
    names = {(ALL_TASKS[int(params["task"])], params["prefilled"]) for params in drawn}
    assert names == {(task, count) for task in course.tasks for count in (0, 1, 2, 3)}
    assert {params["depth"] for params in drawn} == {1} and job.seed == 1
    assert job.settings["stop_at"] == 0.0  # it has no one task to be examined in


def make_judged(one: float, other: float) -> dict[str, Any]:
    return {"trained": {"a": one, "b": other}, "unseen": {"c": other}, "composed": {"a+b": 0.0}}


def test_the_summary_counts_tasks_above_95_percent_in_every_seed() -> None:
    runs = [{"pages": 50, "judged": make_judged(1.0, 0.5)}, {"pages": 50, "judged": make_judged(0.96, 0.98)}]
    told = dom_multi.summarise(runs, make_judged(0.5, 0.1))
    row = told["trained"]
    assert (row["seeds"], row["count"], row["solved"]) == (2, 2, [1, 2])
    assert row["mean"] == pytest.approx(0.86) and (row["least"], row["most"]) == (0.75, 0.97)
    assert row["untrained"] == pytest.approx(0.3) and row["tasks"]["b"] == [0.5, 0.98]
    assert 0.80 < row["low"] < 0.81 and 0.90 < row["high"] < 0.91  # Wilson, 172 of 200
    lines = dom_multi.table({"summary": told}).splitlines()
    assert lines[1].split()[:3] == ["trained", "2", "0.860"] and lines[3].split()[-1] == "0"
    assert any(line.split() == ["b", "0.50-0.98"] for line in lines)


@pytest.mark.slow
@pytest.mark.skipif("lightpanda" not in list_installed(), reason="no Lightpanda here")
def test_a_policy_is_trained_judged_and_kept(tmp_path: Path) -> None:
    stages = (Stage(steps=1536), Stage(steps=512, prefilled=(0, 1)))
    course = MultiCourse(tasks=("click-test", "click-test-2"), stages=stages)
    first = dom_multi.measure(course, [0], tmp_path, pages=4)
    assert first["summary"]["trained"]["tasks"]["click-test"] == [1.0]
    assert set(first["summary"]["unseen"]["tasks"]) == set(UNSEEN)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert dom_multi.measure(course, [0], tmp_path, pages=4) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == stamps
