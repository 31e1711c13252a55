"""A session that asks between generations: killed at its question, answered, resumed; nothing is trained twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.experimenter.conftest import CommandLine
from tests.experimenter.test_kill_ten_times import ANSWERS
from tests.experimenter.test_session_end_to_end import newest_session

WORDS = "less energy, keep the cart in the middle"
MEASURE = "furthest_from_middle_m"


def write_script(path: Path) -> None:
    """A scripted model: two programs a generation, and a judge who is not content."""
    rows = [json.loads(line) for line in ANSWERS.read_text().splitlines()]
    program = next(json.loads(row["answer"]) for row in rows if row["family"] == "gym:CartPole-v1")
    lines: list[tuple[str, Any]] = [
        ("goal", {"reading": "Keep the pole up.", "kind": "target", "params": [], "success_rate": 0.9}),
        ("decomposer", {"subgoals": [{"text": "balance the pole", "params": [], "skill": ""}]}),
        *[("judge", {"reasons": ["No success yet."], "state": "stuck"})] * 3,
        *[("reflector", {"advice": "Scale the main term.", "lessons": ["small steps help"]})] * 2,
    ]
    for scale in (1.0, 0.5, 0.25, 0.125, 0.2, 0.3):
        code = program["code"].replace("return reward, terms", f"reward = {scale} * reward\n    return reward, terms")
        lines.append(("reward_writer", {**program, "code": code}))
    path.write_text("".join(json.dumps({"role": role, "answer": said}) + "\n" for role, said in lines))


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home / "experimenter.db") as database:
        return list(database.execute(query))


def start_and_kill_at_the_question(command_line: CommandLine, words: tuple[str, ...]) -> str:
    """Start the session and kill its whole group as soon as its question stands in the database."""
    process = command_line.start(*words)
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            if rows(command_line.home, "SELECT id FROM event WHERE kind = 'ask'"):
                break
        except sqlite3.OperationalError:
            pass
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    out, err = process.communicate()
    assert rows(command_line.home, "SELECT id FROM event WHERE kind = 'ask'"), out + err
    session = newest_session(command_line.home)
    # the kill lands before or after the session is called waiting, and a plain resume of a waiting session goes on without an
    # answer: this story is the kill before
    with sqlite3.connect(command_line.home / "experimenter.db") as database:
        database.execute("UPDATE session SET state = 'running' WHERE id = ?", (session,))
    return session


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run with --ask, kill -9 at the question, resume into the wait, answer, end; what was seen on the way."""
    folder = tmp_path_factory.mktemp("answer")
    write_script(folder / "script.jsonl")
    command_line = CommandLine(folder / "home", {})
    words = (
        "run", "balance the pole", "--env", "gym:CartPole-v1", "--model", f"scripted/{folder / 'script.jsonl'}",
        "--candidates", "2", "--seeds", "1", "--steps", "1500", "--budget", "10m", "--generations", "2", "--ask",
        "--feedback", "do not shake the cart",
    )  # fmt: skip
    session = start_and_kill_at_the_question(command_line, words)
    waiting = command_line.json("session", "resume", session, code=12)
    before = rows(command_line.home, "SELECT job_digest, new_steps, ended_at FROM job WHERE state != 'planned'")
    stored = command_line.run("session", "answer", session, "not too fast", "--no-resume")
    unknown = command_line.run("session", "answer", session, "x", "--fitness", "energy=-0.1")
    ended = command_line.json("session", "answer", session, WORDS, "--fitness", f"{MEASURE}=-0.1", code=10)
    return {
        "line": command_line, "id": session, "waiting": waiting, "before": before, "stored": stored, "unknown": unknown,
        "ended": ended,
    }  # fmt: skip


def test_a_waiting_session_says_what_was_found_and_exits_with_12(story: dict[str, Any]) -> None:
    waiting = story["waiting"]
    assert (waiting["state"], waiting["exit_code"]) == ("waiting", 12)
    assert waiting["question"]["generation"] == 1
    assert {"native", "fitness"} & {arm["label"] for arm in waiting["question"]["arms"]}
    assert MEASURE in waiting["question"]["measures"]


def test_no_training_runs_twice(story: dict[str, Any]) -> None:
    home = story["line"].home
    after = rows(home, "SELECT job_digest, new_steps, ended_at FROM job WHERE state != 'planned'")
    assert set(story["before"]) < set(after)  # not one of them was written again
    assert len({row[0] for row in after}) == len(after)
    assert story["ended"]["spent"]["env_steps"] == sum(row[1] for row in after)
    told = rows(home, "SELECT key FROM event WHERE kind = 'ask'")
    assert len(told) == 1


def test_the_next_generations_prompt_holds_the_feedback(story: dict[str, Any]) -> None:
    home = story["line"].home
    prompts = [row[0] for row in rows(home, "SELECT messages FROM call WHERE role = 'reward_writer' ORDER BY id")]
    first = [prompt for prompt in prompts if WORDS not in prompt]
    assert first and all("do not shake the cart" in prompt for prompt in prompts)
    later = prompts[len(first) :]
    assert later and all(WORDS in prompt and "not too fast" in prompt for prompt in later)


def test_the_answers_and_their_weights_are_rows(story: dict[str, Any]) -> None:
    shown = story["line"].json("session", "show", story["id"])["feedback"]
    assert [(said["text"], said["source"], said["generation"], said["fitness_weights"]) for said in shown] == [
        ("do not shake the cart", "flag", 0, {}),
        ("not too fast", "answer", 1, {}),
        (WORDS, "answer", 1, {MEASURE: -0.1}),
    ]
    assert story["stored"].returncode == 0
    assert f"session resume {story['id']}" in story["stored"].stdout


def test_an_unknown_measure_is_one_line_with_the_familys_measures(story: dict[str, Any]) -> None:
    assert story["unknown"].returncode == 2
    (line,) = [line for line in story["unknown"].stderr.splitlines() if line.strip()]
    assert f"no measure 'energy'. Its further measures: {MEASURE}, seconds_upright." in line


def test_a_done_session_takes_no_answer(story: dict[str, Any]) -> None:
    done = story["line"].run("session", "answer", story["id"], "too late")
    assert done.returncode == 2
    assert "is done" in done.stderr


def test_the_reward_commands_tell_of_the_search(story: dict[str, Any]) -> None:
    listed = story["line"].json("reward", "list")["rewards"]
    assert {one["generation"] for one in listed} == {0, 1}
    kept = [one for one in listed if one["remembered"] == "winner"]
    won = [one for one in listed if one["fate"] == "won" and one["kind"] == "code"]
    assert [one["digest"] for one in kept] == [one["digest"] for one in won]


@pytest.mark.slow
def test_going_on_without_an_answer(tmp_path: Path) -> None:
    write_script(tmp_path / "script.jsonl")
    command_line = CommandLine(tmp_path / "home", {})
    words = (
        "run", "balance the pole", "--env", "gym:CartPole-v1", "--model", f"scripted/{tmp_path / 'script.jsonl'}",
        "--candidates", "1", "--seeds", "1", "--steps", "1500", "--budget", "10m", "--generations", "2", "--ask",
    )  # fmt: skip
    asked = command_line.run(*words)
    session = newest_session(command_line.home)
    assert asked.returncode == 12, asked.stderr
    assert f"experimenter session answer {session}" in asked.stdout
    assert command_line.run("session", "resume", session).returncode == 10
    assert rows(command_line.home, "SELECT COUNT(*) FROM feedback") == [(0,)]
