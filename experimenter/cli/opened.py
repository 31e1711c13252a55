"""The database as commands open it: for reading, or with the skill library on top."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experimenter.config import resolve_database, resolve_home

if TYPE_CHECKING:
    from sqlmodel import Session

    from memory.store import Store
    from skills.library import Library


@contextmanager
def reading_store(home: Path | None) -> Iterator[tuple[Store, Session]]:
    """Open the home's database and one consistent snapshot of it."""
    from memory.store import open_store

    store = open_store(resolve_database(resolve_home(home)))
    try:
        with store.read() as session:
            yield store, session
    finally:
        store.close()


@contextmanager
def open_library(home: Path | None) -> Iterator[Library]:
    """Open the home's skill library."""
    from memory.store import open_store
    from skills.library import Library

    folder = resolve_home(home)
    store = open_store(resolve_database(folder))
    try:
        yield Library(store, folder / "skills")
    finally:
        store.close()
