"""Troubles with the database: each one clear line, nothing committed lost. Real files, real kills, real limits."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import func, select

from memory.store import Store, StoreProblem, open_store
from memory.tables import EventRow, SessionRow, TaskRow


def make_event(key: str, size: int = 10) -> EventRow:
    return EventRow(session_id="s", key=key, kind="note", text="x" * size)


def run_child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def assert_problem(caught: pytest.ExceptionInfo[StoreProblem], *parts: str) -> None:
    line = str(caught.value)
    assert "\n" not in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize("content", [b"this is not a database, it is a letter to you" * 100, b"\x00" * 4096])
def test_a_garbage_file_is_refused_and_left_as_it_was(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    with pytest.raises(StoreProblem) as caught:
        open_store(path)
    assert_problem(caught, str(path), "corrupt", "backup")
    assert path.read_bytes() == content


def test_a_database_whose_pages_are_overwritten_is_called_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    store = open_store(path)
    with store.transaction() as session:
        session.add_all([make_event(str(i), 500) for i in range(200)])
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreProblem) as caught:
        open_store(path)
    assert_problem(caught, str(path), "corrupt")


def test_damage_found_later_is_a_problem_too_and_check_lists_it(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    store = open_store(path)
    with store.transaction() as session:
        session.add_all([make_event(str(i), 2000) for i in range(300)])
    assert store.check() == []
    store.close()
    content = bytearray(path.read_bytes())
    content[-40 * 4096 : -4096] = b"\xa5" * (39 * 4096)
    path.write_bytes(content)
    store = open_store(path)
    with pytest.raises(StoreProblem) as caught, store.read() as session:
        assert len(session.exec(select(EventRow)).all()) == 300
    assert_problem(caught, "corrupt")
    assert store.check() != []
    store.close()


def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    theirs = sqlite3.connect(path)
    theirs.execute("CREATE TABLE recipes (name TEXT)")
    theirs.commit()
    theirs.close()
    with pytest.raises(StoreProblem) as caught:
        open_store(path)
    assert_problem(caught, "another program", str(path))
    theirs = sqlite3.connect(path)
    assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    theirs.close()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreProblem) as caught:
        open_store(tmp_path / "file" / "below" / "memory.db")
    assert_problem(caught, str(tmp_path / "file" / "below"), "Not a directory", "write to")


def test_a_folder_that_cannot_be_written_is_one_clear_line() -> None:
    with pytest.raises(StoreProblem) as caught:
        open_store(Path("/proc/self/memory.db"))
    assert_problem(caught, "/proc/self/memory.db", "write to")


def test_a_folder_in_place_of_the_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StoreProblem) as caught:
        open_store(tmp_path)
    assert_problem(caught, "is a folder", "experimenter.db")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("mysql://host/name", "'mysql'"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot be reached"),
        ("postgresql://nobody@127.0.0.1:notaport/none", "cannot be read"),
    ],
)
def test_urls_that_lead_nowhere_are_one_clear_line(url: str, part: str) -> None:
    with pytest.raises(StoreProblem) as caught:
        open_store(url)
    assert_problem(caught, part)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StoreProblem) as caught:
        open_store("postgresql://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_postgresql_database_is_one_clear_line(server_url: str) -> None:
    with pytest.raises(StoreProblem) as caught:
        open_store(server_url.replace("/postgres?", "/no_such_database?"))
    assert_problem(caught, "no_such_database", "cannot be reached")


def test_a_full_database_refuses_one_write_and_keeps_the_rest(tmp_path: Path) -> None:
    store = open_store(tmp_path / "memory.db")
    with store.transaction() as session:
        session.add(make_event("kept"))
    store.close()  # page limits are a connection's: set it on the only one
    store = open_store(tmp_path / "memory.db")
    with store.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages + 5}"))
    with pytest.raises(StoreProblem) as caught, store.transaction() as session:
        session.add(make_event("too big", 100_000))
    assert_problem(caught, "disk is full", "nothing committed is lost")
    with store.transaction() as session:
        session.add(make_event("small"))
        assert session.exec(select(EventRow.key)).all() == ["kept", "small"]
    store.close()


def test_a_file_size_limit_is_one_clear_line_and_loses_nothing(tmp_path: Path) -> None:
    done = run_child(
        """
        import resource, signal, sys
        from memory.store import StoreProblem, open_store
        from memory.tables import EventRow
        store = open_store(sys.argv[1])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        written = 0
        try:
            for i in range(1000):
                with store.transaction() as session:
                    session.add(EventRow(session_id="s", key=str(i), kind="k", text="x" * 4000))
                written += 1
        except StoreProblem as problem:
            print(written, problem)
        """,
        tmp_path / "memory.db",
    )
    written, _, line = done.stdout.strip().partition(" ")
    assert done.stderr == ""
    assert "disk" in line
    assert "\n" not in line
    store = open_store(tmp_path / "memory.db")
    with store.read() as session:
        assert session.exec(select(func.count()).select_from(EventRow)).one() == int(written) > 10
    assert store.check() == []
    store.close()


def test_a_lock_that_is_held_too_long_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    open_store(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = open_store(path, lock_timeout_s=0.2)
    with pytest.raises(StoreProblem) as caught, store.transaction() as session:
        session.add(make_event("a"))
    assert_problem(caught, "locked by another process", "0.2 s")
    other.execute("COMMIT")
    other.close()
    with store.transaction() as session:
        session.add(make_event("a"))
    store.close()


def test_a_writer_waits_for_another_process_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    store = open_store(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    timer.start()
    with store.transaction() as session:
        session.add(make_event("a"))
    timer.join()
    other.close()
    store.close()


def test_a_transaction_inside_a_transaction_is_refused_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path / "memory.db")
    with pytest.raises(RuntimeError, match="inside"), store.transaction(), store.transaction():
        pass
    with store.transaction() as session:
        session.add(make_event("still works"))
    store.close()


WRITER = """
import sys
from memory.store import open_store
from memory.tables import SessionRow, TaskRow
store = open_store(sys.argv[1])
for i in range(100_000):
    with store.transaction() as session:
        session.add(SessionRow(id=f"s{i}", goal_text="g"))
        session.flush()
        for j in range(3):
            session.add(TaskRow(session_id=f"s{i}", task_digest=str(j), payload={"x": "y" * 500}))
            session.flush()
    print(i, flush=True)
"""


def start_writer(database: str | Path) -> tuple[subprocess.Popen[str], int]:
    """Start a writer and kill -9 it in the midst of its work; return it and the last transaction that it saw committed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(database)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    time.sleep(0.15)
    os.kill(process.pid, signal.SIGKILL)
    seen = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    return process, int(seen[-1])


def count_rows(store: Store) -> tuple[int, int]:
    with store.read() as session:
        sessions = session.exec(select(func.count()).select_from(SessionRow)).one()
        return sessions, session.exec(select(func.count()).select_from(TaskRow)).one()


@pytest.mark.parametrize("attempt", range(2))
def test_kill_9_loses_nothing_committed_and_leaves_nothing_half(tmp_path: Path, attempt: int) -> None:
    _, last = start_writer(tmp_path / "memory.db")
    store = open_store(tmp_path / "memory.db")
    sessions, tasks = count_rows(store)
    assert sessions >= last + 1
    assert tasks == 3 * sessions
    assert store.check() == []
    with store.transaction() as session:  # and it can be written at once
        session.add(SessionRow(id="after", goal_text="g"))
    store.close()


def test_kill_9_on_postgresql(database: str | Path) -> None:
    if isinstance(database, Path):
        pytest.skip("SQLite has its own test")
    _, last = start_writer(database)
    store = open_store(database)
    sessions, tasks = count_rows(store)
    assert sessions >= last + 1
    assert tasks == 3 * sessions
    store.close()


def test_opening_a_current_database_imports_no_alembic(tmp_path: Path) -> None:
    open_store(tmp_path / "memory.db").close()
    code = "import sys; from memory.store import open_store; open_store(sys.argv[1]).close(); print('alembic' in sys.modules)"
    assert run_child(code, tmp_path / "memory.db").stdout == "False\n"
