"""What can go wrong around a session: each is one clear line, a non-zero exit, and nothing lost."""

from __future__ import annotations

import contextlib
import json
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.experimenter.conftest import CommandLine
from tests.experimenter.llm.fake_server import FakeServer, refuse

RUN = ("run", "balance the pole", "--env", "gym:CartPole-v1", "--steps", "4000", "--seeds", "1", "--candidates", "1")


def one_line(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> str:
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == code, done.stdout + done.stderr
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert all(part in errors[0] for part in parts), errors[0]
    return errors[0]


def test_a_wrong_key_fails_at_once_and_is_never_shown(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.default = refuse(401, "invalid api key")
        command_line = CommandLine(tmp_path / "home", {"EXPERIMENTER_API_KEY": "sk-secret-key"})
        done = command_line.run(*RUN, "--model", "openai/strong", "--base-url", server.url)
        line = one_line(done, 5, "401")
        assert server.calls == 1
    assert "sk-secret-key" not in done.stdout + done.stderr + line
    assert b"sk-secret-key" not in (command_line.home / "experimenter.db").read_bytes()
    (session,) = command_line.json("session", "list")["sessions"]
    assert session["state"] == "drained"  # it can be resumed when the key is mended


def test_a_dead_server_is_said_by_its_address(command_line: CommandLine) -> None:
    done = command_line.run(*RUN, "--model", "openai/strong", "--base-url", "http://127.0.0.1:9/v1")
    one_line(done, 5, "127.0.0.1:9")


def test_an_unwritable_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = CommandLine(tmp_path / "file" / "home", {}).run(*RUN, "--model", "none")
    one_line(done, 3, str(tmp_path / "file" / "home"), "--home")


def test_a_corrupt_database(command_line: CommandLine) -> None:
    command_line.home.mkdir()
    (command_line.home / "experimenter.db").write_bytes(b"this is no database" * 500)
    one_line(command_line.run("session", "list"), 4, "corrupt")
    assert (command_line.home / "experimenter.db").read_bytes().startswith(b"this is no database")


def test_a_database_of_a_newer_program(command_line: CommandLine) -> None:
    assert command_line.json("session", "list") == {"sessions": []}
    with sqlite3.connect(command_line.home / "experimenter.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    one_line(command_line.run("skill", "list"), 4, "from_the_future", "upgrade")


def test_a_full_disk_stops_the_session_and_keeps_what_was_written(command_line: CommandLine) -> None:
    """The disk's end is a limit on the size of files, which raises the same errors."""
    assert command_line.json("session", "list") == {"sessions": []}
    limit = 40_000  # bytes: the write-ahead log reaches it within the first steps
    done = subprocess.run(
        [sys.executable, "-m", "experimenter.cli.main", *RUN, "--model", "none"],
        env=command_line.environment,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    one_line(done, done.returncode)
    assert done.returncode != 0
    assert command_line.json("session", "list")["sessions"] is not None


def test_json_errors_still_go_to_standard_error(command_line: CommandLine) -> None:
    done = command_line.run("skill", "show", "nothing", "--json")
    assert done.stdout == ""
    one_line(done, 8, "nothing")


def test_doctor_is_an_object_of_findings(command_line: CommandLine) -> None:
    done = command_line.run("doctor", "--json")
    shown = json.loads(done.stdout)
    names = {finding["name"]: finding["state"] for finding in shown["findings"]}
    assert {"distribution", "sandbox", "model", "database", "home"} <= set(names)
    assert all(finding["do"] for finding in shown["findings"] if finding["state"] == "problem")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--teacher", "wide"), "Did you mean 'widen'"),
        (("--teacher", "widen", "--teacher-set", "strat=1"), "Did you mean 'start'"),
        (("--teacher", "widen", "--teacher-set", "start=gravty=1"), "gravty"),
        (("--teacher", "fixed", "--teacher-set", "pass_mark=0.5"), "fixed teacher: 'pass_mark'"),
        (("--teacher-set", "pass_mark=0.5"), "--teacher-set needs --teacher"),
        (("--teacher-set", "pass_mark"), "is not NAME=VALUE"),
    ],
)
def test_a_teachers_settings_are_checked_before_anything_is_written(
    command_line: CommandLine, given: tuple[str, ...], told: str
) -> None:
    done = command_line.run("run", "hover", "--env", "quadrotor", *given)
    assert done.returncode == 2 and told in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert command_line.json("session", "list")["sessions"] == []


def test_a_teachers_settings_reach_the_training_runs(command_line: CommandLine) -> None:
    lesson = ("--teacher", "widen", "--teacher-set", "start=goal_distance=1", "--teacher-set", "pass_mark=0.6")
    process = command_line.start("run", "hover", "--env", "quadrotor", "--model", "none", *lesson)
    try:
        jobs = wait_for_jobs(command_line.home / "experimenter.db", process)
    finally:
        process.kill()
        process.communicate()
    assert {json.dumps(job["teacher"], sort_keys=True) for job in jobs} == {
        '{"name": "widen", "settings": {"pass_mark": 0.6, "start": "goal_distance=1"}}'
    }


def wait_for_jobs(database: Path, process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """The training runs that a session has planned, as soon as there are some."""
    started = time.monotonic()
    while process.poll() is None and time.monotonic() - started < 120:
        time.sleep(0.2)
        if database.exists():
            with contextlib.closing(sqlite3.connect(database)) as opened, contextlib.suppress(sqlite3.OperationalError):
                if found := opened.execute("select payload from job").fetchall():
                    return [json.loads(payload) for (payload,) in found]
    raise AssertionError("the session planned no training run")
