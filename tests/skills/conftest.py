"""Libraries on SQLite and on a real PostgreSQL server, with the embedder that needs no weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.store import Store, open_store
from memory.testing import empty_tables, postgresql_server
from skills.embedder import HashEmbedder
from skills.library import Library


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "memory.db"
    open_store(path).close()
    return path


@pytest.fixture
def sqlite_store(migrated_file: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(migrated_file, tmp_path / "memory.db")
    opened = open_store(tmp_path / "memory.db")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_store")
        return
    opened = open_store(request.getfixturevalue("server_url"))
    empty_tables(opened)
    yield opened
    opened.close()


@pytest.fixture
def library(store: Store, tmp_path: Path) -> Library:
    return Library(store, tmp_path / "skills", HashEmbedder())
