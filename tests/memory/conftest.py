"""Stores of both kinds: every contract test runs on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.store import Store, open_store
from memory.testing import make_database, postgresql_server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    if request.param == "sqlite":
        return tmp_path / "memory.db"
    return make_database(request.getfixturevalue("server_url"))


@pytest.fixture
def store(database: str | Path) -> Iterator[Store]:
    opened = open_store(database)
    yield opened
    opened.close()
