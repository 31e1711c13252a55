"""Stores of both kinds: every contract test runs on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.store import Store, open_store
from memory.testing import empty_database, empty_tables, postgresql_server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "memory.db"
    open_store(path).close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | Path]:
    """Where an empty database is, not yet migrated."""
    if kind == "sqlite":
        yield tmp_path / "memory.db"
        return
    url = request.getfixturevalue("server_url")
    yield empty_database(url)
    empty_database(url)


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An open store without rows."""
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "memory.db")
        opened = open_store(tmp_path / "memory.db")
    else:
        opened = open_store(request.getfixturevalue("server_url"))
        empty_tables(opened)
    yield opened
    opened.close()
