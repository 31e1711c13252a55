"""What can be wrong with a database, as one clear line each."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError


class StoreProblem(Exception):
    """The database cannot be opened or used, or has no such row; the message is one line for people."""


_SQLITE: dict[str, str] = {
    "SQLITE_NOTADB": "is not an SQLite database, or is corrupt: restore a backup, or move it away to start anew",
    "SQLITE_CORRUPT": "is corrupt: restore a backup, or move it away to start anew",
    "SQLITE_FULL": "cannot grow, the disk is full: free some space and go on, nothing committed is lost",
    "SQLITE_IOERR": "cannot be read or written (disk full, file-size limit or failing disk): free some space and try again",
    "SQLITE_READONLY": "is read-only: make the file and its folder writable, or name another",
    "SQLITE_CANTOPEN": "cannot be opened: name a file in a folder that you can write to",
    "SQLITE_PERM": "cannot be opened: access is denied",
    "SQLITE_AUTH": "cannot be opened: access is denied",
}


def is_lock(error: DBAPIError) -> bool:
    """True when SQLite refused because another connection holds a lock."""
    return _sqlite_name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def as_problem(error: DBAPIError, where: str, lock_timeout_s: float) -> StoreProblem | None:
    """Translate a driver's error about the database itself; None for errors of the caller (a broken constraint, bad SQL)."""
    name = _sqlite_name(error)
    if is_lock(error):
        return StoreProblem(
            f"the database {where} is locked by another process since {lock_timeout_s:g} s: try again later"
        )
    for head, sentence in _SQLITE.items():
        if name.startswith(head):
            return StoreProblem(f"the database {where} {sentence}")
    if name == "" and (error.connection_invalidated or _is_unreachable(error)):
        first = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        return StoreProblem(f"the database {where} cannot be reached ({first}): check the URL and that the server runs")
    return None


def _sqlite_name(error: DBAPIError) -> str:
    if not isinstance(error.orig, sqlite3.Error):
        return ""
    return getattr(error.orig, "sqlite_errorname", "") or ""


def _is_unreachable(error: DBAPIError) -> bool:
    """psycopg's OperationalError without a statement's own state: refused, timed out, wrong password, no such database."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return type(error.orig).__name__ == "OperationalError" and state[:2] in ("", "08", "28", "3D", "53", "57")
