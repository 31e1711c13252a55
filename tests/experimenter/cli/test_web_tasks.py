"""The task table of the web family and the summary of the bench, from made-up and stored measurements. No browser."""

from __future__ import annotations

import pytest

from envs.web.miniwob import TASKS
from envs.web.tasks import ALL_TASKS
from experimenter.bench.web import count_fidelity, table
from experimenter.cli.web import print_tasks, web_tasks


def test_every_task_has_a_row_with_what_each_browser_can_do() -> None:
    rows = web_tasks()
    assert [row["task"] for row in rows] == list(ALL_TASKS) and [row["number"] for row in rows] == list(
        range(len(ALL_TASKS))
    )
    told = next(row for row in rows if row["task"] == "login-user")
    assert told["oracle"] and told["chromium"]["runs"] and told["lightpanda"]["trains"]
    assert sum(bool(row["lightpanda"].get("runs")) for row in rows) >= 123
    assert all(row["chromium"]["runs"] and row["chromium"]["same_page"] for row in rows[: len(TASKS)])


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_tasks(
        [
            {
                "number": 0,
                "task": "one",
                "oracle": True,
                "chromium": {"runs": True, "same_page": True, "oracle": 1.0, "trusted": 0.5, "trains": True},
                "lightpanda": {"runs": True, "same_page": False, "oracle": None, "trains": False},
            }
        ]
    )
    words = capsys.readouterr().out.split()
    assert words[-9:] == ["one", "yes", "yes", "100%", "50%", "yes", "no", "-", "no"]


ROWS: dict[str, dict[str, object]] = {
    "a": {"runs": True, "same_instruction": 1.0, "same_elements": 1.0, "same_outcomes": None, "trains": True},
    "b": {"runs": True, "same_instruction": 1.0, "same_elements": 0.5, "same_outcomes": 1.0, "trains": False},
    "c": {"runs": False, "trains": False},
}


def test_fidelity_counts_tasks_that_both_run() -> None:
    assert count_fidelity(ROWS) == {
        "both_run": 2,
        "same_instruction": 2,
        "same_elements": 1,
        "same_outcomes": 2,
        "trains": 1,
    }


def test_the_bench_tells_ratios_and_fidelity() -> None:
    rate = {"steps_per_s": 500.0, "cpu_ms_per_step": 1.0}
    told = table(
        {
            "browsers": {
                "lightpanda": {
                    "click-test": {"backend": rate, "env": rate, "ratio_selenium": 12.4, "cpu_ratio_selenium": 20.0}
                }
            },
            "selenium": {"click-test": {"steps_per_s": 40.0, "cpu_ms_per_step": 20.0}},
            "tasks": {"lightpanda": 123},
            "fidelity": count_fidelity(ROWS),
        }
    )
    assert "against Farama: 12 x (20 x by CPU) on click-test" in told and f"123 of {len(TASKS)} tasks run" in told
    assert "of 2 tasks in both browsers" in told and "1 may be trained" in told
