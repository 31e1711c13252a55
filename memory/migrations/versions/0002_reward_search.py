"""What reward search by evolution keeps: where a program was bred, programs remembered, graded lessons, a person's feedback.

Upgrades a database of schema 0001 in place: rows stay, new columns get the values that say "not known".
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _births()
    _lessons()
    _feedback()
    _reward_memory()


def downgrade() -> None:
    raise NotImplementedError("0002 holds what 0001 has no place for: keep a copy of the file to go back")


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _session_id() -> sa.Column[str]:
    return sa.Column("session_id", sa.String(), sa.ForeignKey("session.id"), nullable=False)


def _births() -> None:
    op.add_column("reward", sa.Column("island", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("reward", sa.Column("operator", sa.String(), nullable=False, server_default=""))
    op.add_column("reward", sa.Column("slot", sa.Integer(), nullable=False, server_default="0"))


def _lessons() -> None:
    op.add_column("lesson", sa.Column("support", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("lesson", sa.Column("against", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("lesson", sa.Column("reward_digest", sa.String(), nullable=False, server_default=""))
    # SQLite adds a column that may not be null only with a constant default; no row keeps it.
    long_ago = "1970-01-01 00:00:00.000000"
    op.add_column(
        "lesson", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=long_ago)
    )
    op.execute("UPDATE lesson SET updated_at = created_at")


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), primary_key=True),
        _session_id(),
        sa.Column("task_digest", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fitness_weights", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("key"),
    )
    _index("feedback", "session_id", "task_digest")


def _reward_memory() -> None:
    op.create_table(
        "reward_memory",
        sa.Column("id", sa.Integer(), primary_key=True),
        _session_id(),
        sa.Column("task_digest", sa.String(), nullable=False),
        sa.Column("reward_digest", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("task", sa.JSON(), nullable=False),
        sa.Column("goal_text", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("program", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("session_id", "task_digest", "reward_digest"),
    )
    _index("reward_memory", "session_id", "task_digest", "reward_digest", "family", "kind")
    op.create_table(
        "reward_vector",
        sa.Column("reward_memory_id", sa.Integer(), sa.ForeignKey("reward_memory.id"), primary_key=True),
        sa.Column("embedder", sa.String(), primary_key=True),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
    )
