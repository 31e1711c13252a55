"""A database of schema 0001 that holds rows is upgraded in place: every row stays, the new columns and tables are there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel, select

import memory.migrations
from memory.store import _make_engine, _resolve_url, open_store
from memory.tables import FeedbackRow, LessonRow, RewardMemoryRow, RewardRow, RewardVectorRow, SessionRow

OLD_ROWS = (
    "INSERT INTO session (id, goal_text, state, config, goal, spent, graph_version, outcome, created_at)"
    " VALUES ('s1', 'walk', 'done', '{\"seeds\": 3}', '{}', '{}', '1', 'one skill', '2026-01-02 03:04:05.000000')",
    "INSERT INTO reward (session_id, task_digest, reward_digest, generation, payload, fate, reason, created_at)"
    " VALUES ('s1', 't1', 'r1', 2, '{\"kind\": \"native\"}', 'won', 'best', '2026-01-02 03:04:06.000000')",
    "INSERT INTO lesson (session_id, task_digest, family, key, text, grade, created_at)"
    " VALUES ('s1', 't1', 'walker', 'k1', 'falls dominate', 'tentative', '2026-01-02 03:04:07.000000')",
)


def make_old_database(where: str | Path) -> None:
    """Migrate an empty database to 0001 only, and fill it as that version did."""
    engine = _make_engine(_resolve_url(where), 10.0)
    config = Config()
    config.set_main_option("script_location", str(Path(memory.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in OLD_ROWS:
            connection.execute(text(statement.replace(":", "\\:")))
    engine.dispose()


def test_a_database_of_0001_keeps_its_rows_and_gets_the_new_places(database: str | Path) -> None:
    make_old_database(database)
    store = open_store(database)
    with store.read() as session:
        assert session.get_one(SessionRow, "s1").config == {"seeds": 3}
        reward = session.exec(select(RewardRow)).one()
        assert (reward.reward_digest, reward.generation, reward.fate) == ("r1", 2, "won")
        assert (reward.island, reward.operator, reward.slot) == (0, "", 0)
        lesson = session.exec(select(LessonRow)).one()
        assert (lesson.text, lesson.support, lesson.against, lesson.reward_digest) == ("falls dominate", 0, 0, "")
        assert lesson.updated_at == lesson.created_at
    store.close()


def test_an_upgraded_database_has_the_tables_schema_and_takes_new_rows(database: str | Path) -> None:
    make_old_database(database)
    store = open_store(database)
    with store.engine.connect() as connection:
        options = {
            "compare_type": True,
            "include_object": lambda thing, name, *_: not str(name).startswith("skill_words"),
        }
        assert compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata) == []
    with store.transaction() as session:
        session.add(LessonRow(session_id="s1", key="k2", text="new", support=1))
        session.add(FeedbackRow(session_id="s1", key="f1", text="less energy", fitness_weights={"effort": -0.1}))
        row = RewardMemoryRow(session_id="s1", task_digest="t1", reward_digest="r1", family="walker")
        session.add(row)
        session.flush()
        session.add(RewardVectorRow(reward_memory_id=row.id or 0, embedder="e", vector=b"1234"))
    with store.read() as session:
        assert session.exec(select(FeedbackRow)).one().fitness_weights == {"effort": -0.1}
        assert session.exec(select(RewardVectorRow)).one().vector == b"1234"
    store.close()
