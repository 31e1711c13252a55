"""The whole bench on real parts: sessions, training, fresh worlds, a resume after kill -9."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.experimenter.conftest import CommandLine

TINY = (
    "bench",
    "rewards",
    "--tasks",
    "pendulum,mountain_car",
    "--seeds",
    "2",
    "--steps-scale",
    "0.03",
    "--workers",
    "2",
)
CODE = """def compute_reward(state, action, next_state):
    near = np.cos(next_state["angle"])
    slow = -0.01 * np.square(next_state["angular_velocity"]) * {weight}
    return near + slow, {{"near": near, "slow": slow}}
"""


def fitness(result: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    return {task["task"]: {arm["arm"]: arm["fitness_by_seed"] for arm in task["arms"]} for task in result["tasks"]}


def wait_for(done: Callable[[], bool], what: str, timeout_s: float = 240.0) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if done():
            return
        time.sleep(0.2)
    raise AssertionError(f"never happened: {what}")


@pytest.mark.slow
def test_a_killed_bench_goes_on_to_the_same_result(
    make_command_line: Callable[..., CommandLine], tmp_path: Path
) -> None:
    command_line = make_command_line()
    words = (*TINY, "--model", "none")
    whole = command_line.json(*words, "--out", str(tmp_path / "whole"))
    killed = tmp_path / "killed"
    for moment in ("searching", "final training"):
        process = command_line.start(*words, "--json", "--out", str(killed))

        def is_there(moment: str = moment) -> bool:
            jobs = list((killed / "home" / "jobs").glob("*/result.json"))
            state = killed / "bench.json"
            searched = state.exists() and any(t["searched"] for t in json.loads(state.read_text())["tasks"].values())
            return searched if moment == "final training" else len(jobs) >= 3

        wait_for(is_there, moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stderr.close()
    resumed = command_line.json(*words, "--out", str(killed))
    assert fitness(resumed) == fitness(whole)
    assert resumed["spent"]["final_env_steps"] == whole["spent"]["final_env_steps"]
    with sqlite3.connect(killed / "home" / "experimenter.db") as database:
        assert database.execute("select count(*) from session").fetchone() == (
            2,
        )  # one a task, resumed, not begun anew
    for name in ("results.json", "results.md", "results.html", "figure.png", "figure.svg"):
        assert (killed / name).stat().st_size > 500


@pytest.mark.slow
def test_recorded_answers_give_the_model_arms_again(
    make_command_line: Callable[..., CommandLine], tmp_path: Path
) -> None:
    command_line = make_command_line()
    script, recorded = tmp_path / "script.jsonl", tmp_path / "answers.jsonl"
    answers = [{"rationale": f"reward {n}", "code": CODE.format(weight=n)} for n in range(1, 40)]
    script.write_text("\n".join(json.dumps({"role": "reward_writer", "answer": answer}) for answer in answers))
    tiny = (*TINY[:3], "pendulum", *TINY[4:], "--candidates", "2")
    words = (*tiny, "--model", f"scripted/{script}", "--record", str(recorded), "--out", str(tmp_path / "first"))
    first = command_line.json(*words)
    arms = {arm["arm"] for arm in first["tasks"][0]["arms"]}
    assert {"native", "sparse", "one_shot", "best_of_k", "best_model", "search"} == arms
    again = command_line.json(*tiny, "--answers", str(recorded), "--out", str(tmp_path / "again"))
    assert fitness(again) == fitness(first)
    digests = [{arm["arm"]: arm["digest"] for arm in found["tasks"][0]["arms"]} for found in (first, again)]
    assert digests[0] == digests[1]
    assert again["spent"]["money_usd"] == 0.0 and again["spent"]["tokens"] == first["spent"]["tokens"]
