"""The first tables, and full-text search over skills (FTS5 on SQLite, a GIN index on PostgreSQL)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _sessions_and_tasks()
    _rewards_jobs_verdicts()
    _calls_and_capabilities()
    _skills()
    _lessons_and_events()
    if op.get_bind().dialect.name == "sqlite":
        _words_sqlite()
    else:
        _words_postgresql()


def downgrade() -> None:
    raise NotImplementedError("0001 is the first schema: there is nothing older to go back to")


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _long_text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _int(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _float(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(), nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _time(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _row_id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _session_id() -> sa.Column[str]:
    return sa.Column("session_id", sa.String(), sa.ForeignKey("session.id"), nullable=False)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _sessions_and_tasks() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.String(), primary_key=True),
        _long_text("goal_text"),
        _text("state"),
        _json("config"),
        _json("goal"),
        _json("spent"),
        _text("graph_version"),
        _text("outcome"),
        _int("pid", nullable=True),
        _time("heartbeat_at", nullable=True),
        _time("created_at"),
        _time("ended_at", nullable=True),
    )
    _index("session", "state")
    op.create_table(
        "task",
        _row_id(),
        _session_id(),
        _text("task_digest"),
        _text("kind"),
        _int("position"),
        sa.Column("parent_id", sa.Integer(), sa.ForeignKey("task.id"), nullable=True),
        _text("text"),
        _json("payload"),
        _json("proposal"),
        _text("state"),
        _text("reason"),
        _text("skill_id", nullable=True),
        _time("created_at"),
        sa.UniqueConstraint("session_id", "task_digest", "kind"),
    )
    _index("task", "session_id", "task_digest")


def _rewards_jobs_verdicts() -> None:
    op.create_table(
        "reward",
        _row_id(),
        _session_id(),
        _text("task_digest"),
        _text("reward_digest"),
        _int("generation"),
        _json("payload"),
        _text("fate"),
        _text("reason"),
        _time("created_at"),
        sa.UniqueConstraint("session_id", "task_digest", "reward_digest"),
    )
    _index("reward", "session_id", "task_digest", "reward_digest")
    op.create_table(
        "job",
        _row_id(),
        _session_id(),
        _text("job_digest"),
        _text("task_digest"),
        _text("reward_digest"),
        _int("generation"),
        _int("rung"),
        _int("seed"),
        _text("state"),
        _json("payload"),
        _json("result"),
        _int("new_steps"),
        _float("wall_s"),
        _time("created_at"),
        _time("ended_at", nullable=True),
        sa.UniqueConstraint("session_id", "job_digest"),
    )
    _index("job", "session_id", "job_digest", "task_digest", "reward_digest")
    op.create_table(
        "verdict",
        _row_id(),
        _session_id(),
        _text("task_digest"),
        _int("generation"),
        _text("decision"),
        _text("state"),
        _json("payload"),
        _long_text("reflection"),
        _time("created_at"),
        sa.UniqueConstraint("session_id", "task_digest", "generation"),
    )
    _index("verdict", "session_id", "task_digest")


def _calls_and_capabilities() -> None:
    op.create_table(
        "call",
        _row_id(),
        _text("session_id"),
        _text("key"),
        _text("role"),
        _text("model"),
        _text("provider"),
        _text("prompt_digest"),
        _json("messages"),
        _long_text("answer"),
        _text("state"),
        _long_text("error"),
        _int("attempt"),
        _int("tries"),
        sa.Column("cached", sa.Boolean(), nullable=False),
        _int("prompt_tokens"),
        _int("completion_tokens"),
        _int("reserved_tokens"),
        _float("cost_usd", nullable=True),
        _float("latency_s"),
        _time("created_at"),
        sa.UniqueConstraint("session_id", "key"),
    )
    _index("call", "session_id", "role", "prompt_digest", "state")
    op.create_table(
        "capability",
        sa.Column("model", sa.String(), primary_key=True),
        sa.Column("base_url", sa.String(), primary_key=True),
        _json("payload"),
        _time("probed_at"),
    )


def _skills() -> None:
    op.create_table(
        "skill",
        sa.Column("id", sa.String(), primary_key=True),
        _text("name"),
        _int("version"),
        _long_text("description"),
        _text("family"),
        _text("task_digest"),
        _json("task"),
        _json("region"),
        _int("episodes"),
        _int("successes"),
        _float("success_rate"),
        _float("success_low"),
        _float("success_high"),
        _float("fitness_iqm"),
        _float("fitness_low"),
        _float("fitness_high"),
        _float("native_return_mean"),
        _json("evidence"),
        _json("reward"),
        _json("provenance"),
        _text("artifact"),
        _text("artifact_digest"),
        _text("admission_key"),
        _text("state"),
        _time("created_at"),
        sa.UniqueConstraint("name", "version"),
        sa.UniqueConstraint("admission_key"),
    )
    _index("skill", "name", "family", "task_digest", "success_rate", "state")
    op.create_table(
        "skill_vector",
        sa.Column("skill_id", sa.String(), sa.ForeignKey("skill.id"), primary_key=True),
        sa.Column("embedder", sa.String(), primary_key=True),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
    )


def _lessons_and_events() -> None:
    op.create_table(
        "lesson",
        _row_id(),
        _session_id(),
        _text("task_digest"),
        _text("family"),
        _text("key"),
        _long_text("text"),
        _text("grade"),
        _time("created_at"),
        sa.UniqueConstraint("key"),
    )
    _index("lesson", "session_id", "task_digest", "family")
    op.create_table(
        "event",
        _row_id(),
        _text("session_id"),
        _text("key"),
        _text("kind"),
        _long_text("text"),
        _json("data"),
        _time("created_at"),
        sa.UniqueConstraint("session_id", "key"),
    )
    _index("event", "session_id", "kind")


def _words_sqlite() -> None:
    insert = "INSERT INTO skill_words (skill_id, name, description, family) VALUES (new.id, new.name, new.description, new.family);"
    delete = "DELETE FROM skill_words WHERE skill_id = old.id;"
    op.execute(
        "CREATE VIRTUAL TABLE skill_words USING fts5"
        " (skill_id UNINDEXED, name, description, family, tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    op.execute(f"CREATE TRIGGER skill_words_insert AFTER INSERT ON skill BEGIN {insert} END")
    op.execute(f"CREATE TRIGGER skill_words_delete AFTER DELETE ON skill BEGIN {delete} END")
    op.execute(
        "CREATE TRIGGER skill_words_update AFTER UPDATE OF id, name, description, family ON skill"
        f" BEGIN {delete} {insert} END"
    )


def _words_postgresql() -> None:
    # The same expression stands in memory/search.py: only then does PostgreSQL use this index.
    op.execute(
        "CREATE INDEX skill_words ON skill USING gin (to_tsvector('english'::regconfig,"
        " regexp_replace(name || ' ' || description || ' ' || family, '[^[:alnum:]]+', ' ', 'g')))"
    )
