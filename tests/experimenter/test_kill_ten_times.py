"""kill -9 ten times at random moments of one session with a model: the rows equal an uninterrupted run's, in count and kind."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.experimenter.conftest import CommandLine
from tests.experimenter.test_session_end_to_end import count_rows, newest_session, wait_for_session

ANSWERS = Path(__file__).parents[1] / "data" / "strong_answers" / "reward_writer.jsonl"
KILLS = 10


def write_script(path: Path) -> None:
    """A scripted model for CartPole: what a model would say to each role, twice where it is asked twice."""
    rows = [json.loads(line) for line in ANSWERS.read_text().splitlines()]
    program = next(json.loads(row["answer"]) for row in rows if row["family"] == "gym:CartPole-v1")
    other = {
        **program,
        "code": program["code"].replace("return reward, terms", "reward = 0.5 * reward\n    return reward, terms"),
    }
    goal = {"reading": "Keep the pole up.", "kind": "target", "params": [], "success_rate": 0.9}
    subgoals = {"subgoals": [{"text": "balance the pole", "params": [], "skill": ""}]}
    judge = {"reasons": ["The curve is at its ceiling."], "state": "converged"}
    lines = [
        ("goal", goal),
        ("decomposer", subgoals),
        ("reward_writer", program),
        ("reward_writer", other),
        ("judge", judge),
    ]
    path.write_text("".join(json.dumps({"role": role, "answer": answer}) + "\n" for role, answer in lines))


def count_calls(home: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(home / "experimenter.db") as database:
        return sorted(
            database.execute("SELECT role, state, attempt, prompt_tokens, completion_tokens, cached FROM call")
        )


@pytest.mark.slow
def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    write_script(script)
    words: tuple[str, ...] = (
        "run", "balance the pole", "--env", "gym:CartPole-v1", "--model", f"scripted/{script}", "--candidates", "2",
        "--seeds", "2", "--steps", "40000", "--budget", "30m", "--generations", "1",
    )  # fmt: skip
    whole, killed = CommandLine(tmp_path / "whole", {}), CommandLine(tmp_path / "killed", {})
    summary = whole.json(*words)
    length_s = summary["spent"]["wall_s"]
    rng = random.Random(7)
    again = words
    for _ in range(KILLS):
        process = killed.start(*again)
        wait_for_session(killed.home)
        time.sleep(rng.uniform(0.2, max(2.0, 0.35 * length_s)))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        again = ("session", "resume", newest_session(killed.home))
    done = killed.run(*again, timeout_s=600)
    assert done.returncode == 0, done.stderr
    assert count_rows(killed.home) == count_rows(whole.home)
    assert count_calls(killed.home) == count_calls(whole.home)
    assert len(killed.json("skill", "list")["skills"]) == 1
