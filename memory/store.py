"""The store: one database, opened, migrated, and handed out as transactions. SQLite by default, PostgreSQL through a URL.

SQLite runs in WAL mode with `synchronous=FULL`: a committed transaction survives kill -9 and also a power cut, because one
row can stand for an hour of training and commits are few. Writers queue (BEGIN IMMEDIATE, busy timeout); readers never
wait. Opening migrates to the newest schema; Alembic is imported only when there is something to migrate.
Every trouble with the database is a `StoreProblem` with one clear line. Rows handed out stay readable after the session.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlmodel import Session, SQLModel, create_engine, select

from memory.migrations import HEAD, REVISIONS
from memory.plain_json import dump_json
from memory.problems import StoreProblem, as_problem, is_lock

__all__ = ["Store", "StoreProblem", "open_store"]

Row = TypeVar("Row", bound=SQLModel)
_READ = {"begin": "DEFERRED"}
_MIGRATION_LOCK = 7_305_211
"""Any fixed number: the PostgreSQL advisory lock under which one process migrates."""
_ALEMBIC = threading.Lock()
"""Alembic keeps its context in a module: one migration at a time in a process."""


def open_store(url_or_path: str | Path, *, lock_timeout_s: float = 30.0) -> Store:
    """Open the database at a path or URL, create it if need be, and migrate it to this program's schema.

    `postgresql://...` and `postgresql+psycopg://...` reach a server, everything else is the path of an SQLite file.
    Raises `StoreProblem` when it cannot be opened, is corrupt, locked, or of a newer schema.
    """
    url = _resolve_url(url_or_path)
    engine = _make_engine(url, lock_timeout_s)
    store = Store(engine, lock_timeout_s)
    try:
        _migrate(store)
    except BaseException:
        engine.dispose()
        raise
    return store


class Store:
    """An open database. Safe to share between threads; other processes may have the same database open."""

    def __init__(self, engine: Engine, lock_timeout_s: float) -> None:
        self.engine = engine
        """For SQLAlchemy sessions of your own. On SQLite they take the write lock at BEGIN: keep them short."""
        self.where = str(engine.url.database) if engine.dialect.name == "sqlite" else engine.url.render_as_string()
        """The file, or the URL without its password: what messages call this database."""
        self.lock_timeout_s = lock_timeout_s
        self._read_engine = engine.execution_options(**_READ)
        self._turn = threading.Lock()
        self._writer: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session that commits at the end, or rolls everything back when the block raises.

        Waits for other writers up to `lock_timeout_s`. Not reentrant: pass the session on instead of nesting.
        """
        with self._one_writer(), self._problems(), Session(self.engine, expire_on_commit=False) as session:
            self._begin(session)
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one consistent snapshot and must not write; its rows stay readable afterwards."""
        with self._problems(), Session(self._read_engine, expire_on_commit=False, autoflush=False) as session:
            yield session
            if session.new or session.dirty or session.deleted:
                raise RuntimeError("rows were changed in Store.read(): use Store.transaction() to write")

    @staticmethod
    def insert_once(session: Session, row: Row, unique: Sequence[str]) -> Row:
        """Insert `row`, or leave the one that has the same values in the `unique` columns; return the stored row.

        The result belongs to `session`; `row` itself stays outside of it. To know which happened, compare the two.
        """
        table = type(row).__table__  # type: ignore[attr-defined]
        values = {c.key: getattr(row, c.key) for c in table.columns}
        plain = {key: value for key, value in values.items() if value is not None or not table.c[key].primary_key}
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.execute(dialect.insert(table).values(plain).on_conflict_do_nothing(index_elements=list(unique)))
        key = [table.c[name] == values[name] for name in unique]
        return session.exec(select(type(row)).where(*key)).one()

    def lock(self, session: Session, number: int) -> None:
        """Hold the lock `number` until this transaction ends. SQLite's writers exclude each other already."""
        if self.engine.dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def check(self) -> list[str]:
        """Read the whole database and return what is damaged; empty when it is sound. Slow on a large file."""
        if self.engine.dialect.name != "sqlite":
            return []
        with self.read() as session:
            found = [str(row[0]) for row in session.execute(text("PRAGMA integrity_check(20)"))]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        """Close every connection. The store can't be used afterwards."""
        self.engine.dispose()

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            problem = as_problem(error, self.where, self.lock_timeout_s)
            if problem is None:
                raise
            raise problem from error

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        """Threads of this process take turns, in memory, before they compete with other processes for the file."""
        if self.engine.dialect.name != "sqlite":
            yield
            return
        if self._writer == threading.get_ident():
            raise RuntimeError("Store.transaction() inside Store.transaction(): pass the session on instead")
        if not self._turn.acquire(timeout=self.lock_timeout_s):
            raise StoreProblem(f"the database {self.where} was busy for {self.lock_timeout_s:g} s: try again")
        self._writer = threading.get_ident()
        try:
            yield
        finally:
            self._writer = None
            self._turn.release()

    def _begin(self, session: Session) -> None:
        """Start the transaction now; a lock that is refused without waiting is tried again until the time is up."""
        deadline = time.monotonic() + self.lock_timeout_s
        while True:
            try:
                session.connection()
                return
            except OperationalError as error:
                session.rollback()
                if not is_lock(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)


def _resolve_url(url_or_path: str | Path) -> URL:
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return _file_url(Path(url_or_path).expanduser())
    try:
        url = make_url(url_or_path)
    except (ArgumentError, ValueError):
        raise StoreProblem(
            "the database URL cannot be read: expected postgresql://user@host/name or a file path"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return _file_url(Path(url.database))
    if url.drivername != "postgresql+psycopg":
        raise StoreProblem(
            f"no database of kind {url.drivername!r}: expected postgresql://user@host/name or a file path"
        )
    return url


def _file_url(path: Path) -> URL:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise StoreProblem(f"the database {path} is a folder: name a file, such as {path / 'experimenter.db'}")
    except OSError as error:
        raise StoreProblem(
            f"the folder {path.parent} for the database cannot be made ({error.strerror}): choose a folder that you can write to"
        ) from error
    return URL.create("sqlite", database=str(path))


def _make_engine(url: URL, lock_timeout_s: float) -> Engine:
    if url.drivername == "sqlite":
        engine = create_engine(url, json_serializer=dump_json, connect_args={"timeout": lock_timeout_s})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, json_serializer=dump_json, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    except ImportError as error:
        raise StoreProblem("PostgreSQL needs psycopg: pip install 'rl-experimenter[postgres]'") from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we send BEGIN ourselves, so that schema changes are transactional too
    _switch_to_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Two connections that switch a new file at once: SQLite refuses one without waiting, so we wait."""
    (timeout_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    deadline = time.monotonic() + timeout_ms / 1000.0
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    kind = connection.get_execution_options().get("begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _migrate(store: Store) -> None:
    with store._problems():
        with store._read_engine.connect() as connection:
            if _version(connection, store.where) == HEAD:
                return
        with store.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})
            if _version(connection, store.where) != HEAD:  # another process may have been first
                _upgrade(connection)


def _version(connection: Connection, where: str) -> str | None:
    """Revision of the database, None when it is empty."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        if connection.dialect.name == "sqlite" and connection.execute(text("SELECT 1 FROM sqlite_master")).first():
            raise StoreProblem(f"the database {where} belongs to another program: name a new file")
        return None
    version: Any = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version is not None and version not in REVISIONS:
        raise StoreProblem(
            f"the database {where} has schema {version}, newer than this program's {HEAD}:"
            " upgrade with pip install -U rl-experimenter, or name another database"
        )
    return None if version is None else str(version)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, HEAD)
