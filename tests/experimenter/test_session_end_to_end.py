"""A whole session on real parts: goal in words, real training processes, a certificate, a report, a resume after kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.experimenter.conftest import CommandLine

GOAL = ("run", "balance the pole", "--env", "gym:CartPole-v1", "--model", "none", "--candidates", "0", "--seeds", "1")
SHORT = (*GOAL, "--steps", "24000", "--budget", "10m", "--generations", "1")


@pytest.fixture(scope="module")
def session(make_command_line: Callable[..., CommandLine]) -> tuple[CommandLine, dict[str, object]]:
    command_line = make_command_line()
    return command_line, command_line.json(*SHORT)


def test_a_goal_becomes_a_certified_skill(session: tuple[CommandLine, dict[str, object]]) -> None:
    command_line, summary = session
    assert summary["state"] == "done"
    (skill,) = summary["skills"]  # type: ignore[misc]
    shown = command_line.json("skill", "show", skill)
    assert shown["episodes"] == 60
    assert shown["success_low"] > 0.8
    assert min(shown["evidence"]["seeds"]) >= 2_000_000  # worlds that neither training nor the race has seen
    assert shown["provenance"]["session"] == summary["session"]
    assert shown["provenance"]["teacher"] == {"name": "fixed", "settings": {}}
    assert "trained with" in command_line.run("skill", "show", skill).stdout


def test_the_skill_is_found_played_and_exported(session: tuple[CommandLine, dict[str, object]], tmp_path: Path) -> None:
    command_line, summary = session
    found = command_line.json("skill", "search", "keep a pole upright")["matches"]
    assert found[0]["id"] in summary["skills"]  # type: ignore[operator]
    film = tmp_path / "pole.webp"
    played = command_line.json("skill", "play", found[0]["id"], "--episodes", "2", "--out", str(film))
    assert played["success"] == [True, True]
    assert film.stat().st_size > 1000
    command_line.json("skill", "export", found[0]["id"], str(tmp_path / "pole.zip"))
    assert (tmp_path / "pole.zip").stat().st_size > 1000


def test_the_same_goal_again_finds_the_skill_and_trains_nothing(session: tuple[CommandLine, dict[str, object]]) -> None:
    command_line, summary = session
    again = command_line.json(*SHORT)
    assert again["skills"] == summary["skills"]
    assert again["spent"]["env_steps"] == 0


def test_what_the_session_did_can_be_read(session: tuple[CommandLine, dict[str, object]]) -> None:
    command_line, summary = session
    shown = command_line.json("session", "show", str(summary["session"]))
    fates = Counter(reward["fate"] for reward in shown["rewards"])
    assert fates == {"won": 1, "eliminated": 2}
    assert sum(job["new_steps"] for job in shown["jobs"]) == summary["spent"]["env_steps"]  # type: ignore[index]
    watched = command_line.run("session", "watch", str(summary["session"]), "--once")
    assert "certified skill" in watched.stdout


def test_a_skill_without_its_files_is_one_clear_line(session: tuple[CommandLine, dict[str, object]]) -> None:
    command_line, summary = session
    (skill,) = summary["skills"]  # type: ignore[misc]
    folder = command_line.home / "skills" / command_line.json("skill", "show", skill)["artifact"]
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    try:
        done = command_line.run("skill", "play", skill)
    finally:
        hidden.rename(folder)
    assert done.returncode == 8
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_kill_minus_nine_then_resume_equals_an_uninterrupted_run(
    session: tuple[CommandLine, dict[str, object]], command_line: CommandLine
) -> None:
    """Killed three times while it works; the rows equal those of the session that nobody killed, in count and kind."""
    whole, _ = session
    words: tuple[str, ...] = SHORT
    for wait_s in (0.5, 3.0, 6.0):
        process = command_line.start(*words)
        wait_for_session(command_line.home)
        time.sleep(wait_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        words = ("session", "resume", newest_session(command_line.home))
    summary = command_line.run(*words, timeout_s=240)
    assert summary.returncode == 0, summary.stderr
    assert count_rows(command_line.home) == count_rows(whole.home)


def test_ctrl_c_drains_and_says_how_to_go_on(command_line: CommandLine) -> None:
    process = command_line.start(*SHORT)
    wait_for_session(command_line.home)
    time.sleep(4.0)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    session = newest_session(command_line.home)
    assert process.returncode == 11, err
    assert f"experimenter session resume {session}" in out
    (shown,) = command_line.json("session", "list")["sessions"]
    assert shown["state"] == "drained"


def wait_for_session(home: Path, limit_s: float = 60.0) -> None:
    """Wait until the session has its row: before that there is nothing to resume."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with suppress(sqlite3.OperationalError):
            newest_session(home)
            return
        time.sleep(0.05)
    raise AssertionError("no session began")


def newest_session(home: Path) -> str:
    with sqlite3.connect(home / "experimenter.db") as database:
        rows = list(database.execute("SELECT id FROM session ORDER BY created_at DESC LIMIT 1"))
    if not rows:
        raise sqlite3.OperationalError("no session yet")
    return str(rows[0][0])


def count_rows(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a session left behind, by kind, without what may differ between two runs (ids, times)."""
    queries = {
        "tasks": "SELECT task_digest, kind, state FROM task WHERE session_id = ?",
        "rewards": "SELECT reward_digest, fate FROM reward WHERE session_id = ?",
        "jobs": "SELECT job_digest, state, new_steps FROM job WHERE session_id = ?",
        "verdicts": "SELECT task_digest, generation, decision FROM verdict WHERE session_id = ?",
        "events": "SELECT kind, COUNT(*) FROM event WHERE session_id = ? GROUP BY kind",
        "skills": "SELECT task_digest, version, episodes FROM skill WHERE ? != ''",
    }
    with sqlite3.connect(home / "experimenter.db") as database:
        (first,) = database.execute("SELECT id FROM session ORDER BY created_at LIMIT 1")
        return {name: sorted(database.execute(query, first)) for name, query in queries.items()}
