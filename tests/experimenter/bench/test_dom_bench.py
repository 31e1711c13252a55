"""The bench of the trainer `dom`: courses, steps to a share, what is kept, tables. Nothing is trained here but in the slow test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.web.chromium import is_installed
from experimenter.bench import dom
from experimenter.errors import UsageError
from experimenter.records import CurvePoint


def make_run(
    task: str, seed: int, greedy: float, sampled: float, *, to: int | None, steps: int = 4000
) -> dict[str, Any]:
    judged = {"pages": 100, "low": 0.0, "high": 1.0, "length": 2.0, "failed": []}
    return {
        "task": task,
        "seed": seed,
        "steps": steps,
        "steps_to_solved": to,
        "cpu_s": 10.0 + seed,
        "greedy": {**judged, "success": greedy},
        "sampled": {**judged, "success": sampled},
    }


def test_courses_are_those_that_the_documentation_claims_unless_named() -> None:
    claimed = {course.task: course for course in dom.list_courses()}
    assert set(claimed) == {*dom.EASY, *dom.HARD}
    assert all(claimed[task].steps == 15_000 and claimed[task].teacher == "fixed" for task in dom.EASY)
    assert claimed["search-engine"].teacher == "widen" and claimed["search-engine"].steps == 300_000
    assert claimed["read-table"].teacher_settings["start"] == "prefilled=2"
    (other,) = dom.list_courses(["click-tab"], 500)
    assert (other.task, other.steps, other.teacher) == ("click-tab", 500, "fixed")
    assert other.settings == {} and dom.list_courses(["click-tab"], prior=0.0)[0].settings == {"prior": 0.0}
    with pytest.raises(UsageError, match="unknown task 'click-tap'"):
        dom.list_courses(["click-tap"])


def test_a_share_counts_only_once_enough_episodes_of_the_task_itself_were_seen() -> None:
    told = ((100, 0.99, 150), (200, 0.94, 210), (300, 0.95, 260), (400, 1.0, 300))
    curve = [
        CurvePoint(step=step, losses={"sampled_success": share, "target_episodes": float(count)})
        for step, share, count in told
    ]
    assert dom.steps_to(curve, 0.95) == 300 and dom.steps_to(curve[:2], 0.95) is None


def test_what_is_kept_is_not_made_again(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"x": 1}

    assert dom.keep(tmp_path / "a.json", make) == dom.keep(tmp_path / "a.json", make) == {"x": 1}
    assert made == [1] and [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_summary_pools_pages_and_names_the_worst_seed() -> None:
    runs = [make_run("a", 0, 1.0, 0.9, to=1000), make_run("a", 1, 0.94, 0.9, to=2000, steps=9000)]
    row = dom.summarise(runs)["a"]
    assert (row["seeds"], row["greedy"], row["worst_greedy"], row["sampled"]) == (2, 0.97, 0.94, 0.9)
    assert (row["steps_to_solved"], row["most_steps"], row["cpu_s"]) == (1500.0, 9000, 10.5)
    assert 0.93 < row["greedy_low"] < 0.95 and 0.98 < row["greedy_high"] < 0.99  # Wilson, 194 of 200
    runs.append(make_run("a", 2, 0.5, 0.5, to=None))
    summary = dom.summarise(runs)
    assert summary["a"]["steps_to_solved"] is None
    assert dom.table({"summary": summary}).splitlines()[1].split()[:3] == ["a", "3", "-"]


def test_a_sampled_policy_draws_and_a_greedy_one_does_not() -> None:
    class Fair:
        def scores(self, observation: Any) -> Any:
            return np.zeros((len(observation), 2), np.float32)

    drawn = dom.SampledPolicy(Fair(), 0).act(np.zeros((200, 1)))  # type: ignore[arg-type]  # only its scores are asked for
    assert set(drawn.tolist()) == {0, 1}


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")
def test_a_finished_seed_is_never_trained_again(tmp_path: Path) -> None:
    courses = dom.list_courses(["click-test"], 800)
    first = dom.measure(courses, [0], tmp_path, pages=5)
    assert first["summary"]["click-test"]["greedy"] == 1.0
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert dom.measure(courses, [0], tmp_path, pages=5) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == stamps
