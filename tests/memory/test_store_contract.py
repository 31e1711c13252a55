"""What a store promises, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col, func, select

from memory.migrations import HEAD, REVISIONS
from memory.store import Store, StoreProblem, open_store
from memory.tables import EventRow, SessionRow, SkillRow, TaskRow


def make_event(key: str, text: str = "t") -> EventRow:
    return EventRow(session_id="s1", key=key, kind="note", text=text)


def count_events(store: Store) -> int:
    with store.read() as session:
        return session.exec(select(func.count()).select_from(EventRow)).one()


def test_the_migrated_schema_is_the_tables_schema(store: Store) -> None:
    def ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
        return not (name or "").startswith("skill_words")  # full-text search is no part of the metadata

    with store.engine.connect() as connection:
        options = {"compare_type": True, "include_object": ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_revisions_named_in_the_package_are_those_of_the_scripts() -> None:
    folder = Path(__file__).parents[2] / "memory" / "migrations"
    scripts = ScriptDirectory(str(folder))
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(REVISIONS)
    assert scripts.get_current_head() == HEAD


def test_a_transaction_commits_at_its_end_and_rolls_back_on_an_error(store: Store) -> None:
    with store.transaction() as session:
        session.add(make_event("kept"))
    with pytest.raises(ZeroDivisionError), store.transaction() as session:
        session.add(make_event("lost"))
        session.flush()
        _ = 1 / 0
    with store.read() as session:
        assert list(session.exec(select(EventRow.key))) == ["kept"]


def test_rows_stay_readable_after_their_session(store: Store) -> None:
    with store.transaction() as session:
        written = make_event("a", "hello")
        session.add(written)
    with store.read() as session:
        read = session.exec(select(EventRow)).one()
    assert (written.text, read.text, read.id) == ("hello", "hello", written.id)


def test_a_read_session_refuses_to_be_written_in(store: Store) -> None:
    with pytest.raises(RuntimeError, match=r"Store\.transaction"), store.read() as session:
        session.add(make_event("a"))
    assert count_events(store) == 0


def test_a_read_session_sees_one_snapshot_while_another_thread_writes(store: Store) -> None:
    with store.transaction() as session:
        session.add(make_event("a"))
    if store.engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL reads at READ COMMITTED: each statement sees the newest commits")
    with store.read() as reading:
        assert len(reading.exec(select(EventRow.key)).all()) == 1
        thread = threading.Thread(target=_write_one, args=(store, "b"))
        thread.start()
        thread.join(timeout=5)
        assert not thread.is_alive()
        assert len(reading.exec(select(EventRow.key)).all()) == 1
    assert count_events(store) == 2


def _write_one(store: Store, key: str) -> None:
    with store.transaction() as session:
        session.add(make_event(key))


def test_insert_once_gives_the_row_that_is_there(store: Store) -> None:
    with store.transaction() as session:
        first = store.insert_once(session, make_event("k", "first"), unique=("session_id", "key"))
        again = store.insert_once(session, make_event("k", "second"), unique=("session_id", "key"))
    with store.transaction() as session:
        later = store.insert_once(session, make_event("k", "third"), unique=("session_id", "key"))
    assert (first.text, again.id, again.text, later.id, later.text) == ("first", first.id, "first", first.id, "first")
    assert count_events(store) == 1


def test_insert_once_from_many_threads_makes_one_row_each_key(store: Store) -> None:
    seen: list[tuple[str, int | None]] = []

    def work() -> None:
        for key in range(10):
            with store.transaction() as session:
                row = store.insert_once(session, make_event(str(key)), unique=("session_id", "key"))
            seen.append((row.key, row.id))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), len(set(seen)), count_events(store)) == (40, 10, 10)


def test_insert_once_breaks_on_other_constraints(store: Store) -> None:
    task = TaskRow(session_id="no such session", task_digest="d")
    with pytest.raises(IntegrityError), store.transaction() as session:
        store.insert_once(session, task, unique=("session_id", "task_digest", "kind"))


def test_foreign_keys_hold(store: Store) -> None:
    with pytest.raises(IntegrityError), store.transaction() as session:
        session.add(TaskRow(session_id="nowhere", task_digest="d"))


def test_times_come_back_aware_in_utc(store: Store) -> None:
    noon_in_tokyo = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=9)))
    with store.transaction() as session:
        session.add(SessionRow(id="a", goal_text="g", created_at=noon_in_tokyo))
    with store.read() as session:
        row = session.exec(select(SessionRow)).one()
    assert row.created_at == datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
    assert row.created_at.tzinfo is UTC
    assert row.ended_at is None


def test_non_finite_numbers_survive_in_json_columns(store: Store) -> None:
    with store.transaction() as session:
        session.add(SessionRow(id="a", goal_text="g", spent={"loss": [math.nan, math.inf, -math.inf], "ok": 0.5}))
    with store.read() as session:
        spent = session.exec(select(SessionRow)).one().spent
    assert spent == {"loss": ["NaN", "Infinity", "-Infinity"], "ok": 0.5}
    assert [float(x) for x in spent["loss"][1:]] == [math.inf, -math.inf]
    assert math.isnan(float(spent["loss"][0]))


def test_a_second_opening_finds_everything_and_needs_no_migration(database: str | Path) -> None:
    first = open_store(database)
    _write_one(first, "a")
    second = open_store(database)
    _write_one(second, "b")
    assert count_events(first) == count_events(second) == 2
    first.close()
    second.close()


def test_two_openings_at_once_migrate_once(database: str | Path) -> None:
    stores: list[Store] = []
    threads = [threading.Thread(target=lambda: stores.append(open_store(database))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 3
    with stores[0].read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).all() == [(HEAD,)]
    for store in stores:
        store.close()


def test_a_newer_schema_is_refused_with_both_revisions(database: str | Path) -> None:
    store = open_store(database)
    with store.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9042'"))
    store.close()
    with pytest.raises(StoreProblem, match=rf"schema 9042, newer than this program's {HEAD}.*upgrade") as caught:
        open_store(database)
    assert "\n" not in str(caught.value)


def test_a_failed_migration_leaves_an_empty_database(database: str | Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import memory.store

    def upgrade_then_fail(connection: object) -> None:
        real_upgrade(connection)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    real_upgrade = memory.store._upgrade
    monkeypatch.setattr(memory.store, "_upgrade", upgrade_then_fail)
    with pytest.raises(KeyboardInterrupt):
        open_store(database)
    monkeypatch.undo()
    store = open_store(database)
    assert count_events(store) == 0
    store.close()


def test_states_can_be_changed_and_read_back(store: Store) -> None:
    with store.transaction() as session:
        session.add(SkillRow(id="a", name="n", description="d", family="f", task_digest="t", admission_key="k"))
    with store.transaction() as session:
        session.get_one(SkillRow, "a").state = "revoked"
    with store.read() as session:
        assert session.exec(select(col(SkillRow.state))).one() == "revoked"
