"""The true state of the tracker, read by SQL from Trac's own database beside a copy of it from the start of the episode."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from envs.web.tracker.contents import Ticket, write_tickets
from envs.web.tracker.jobs import Difference

_FIELDS = (
    "type",
    "component",
    "priority",
    "milestone",
    "owner",
    "status",
    "resolution",
    "summary",
    "description",
    "keywords",
    "cc",
)
_NEW_FIELDS = ("summary", "component", "priority", "milestone")
_CHANGED = " UNION ALL ".join(
    f"SELECT now.id, '{name}', coalesce(now.{name}, '') FROM ticket AS now JOIN start.ticket AS old USING (id) "
    f"WHERE coalesce(now.{name}, '') <> coalesce(old.{name}, '')"
    for name in _FIELDS
)
_CREATED = " UNION ALL ".join(
    f"SELECT 'new', '{name}', coalesce({name}, '') FROM ticket WHERE id NOT IN (SELECT id FROM start.ticket)"
    for name in _NEW_FIELDS
)
_GONE = "SELECT id, 'gone', '' FROM start.ticket WHERE id NOT IN (SELECT id FROM ticket)"
_COMMENTED = (
    "SELECT ticket, field, newvalue FROM ticket_change WHERE field = 'comment' AND newvalue <> '' "
    "AND ticket IN (SELECT id FROM start.ticket)"
)
_CAME = "SELECT 'session', 'login', name FROM auth_cookie EXCEPT SELECT 'session', 'login', name FROM start.auth_cookie"
DIFFERENCES = f"{_CHANGED} UNION ALL {_CREATED} UNION ALL {_GONE} UNION ALL {_COMMENTED} UNION ALL {_CAME}"
"""One row for every difference to the start: ticket, field, value now."""


class State:
    """The database of one world's tracker. Written by us only between episodes, while Trac is idle."""

    def __init__(self, base: Path, database: Path) -> None:
        self._base = sqlite3.connect(f"file:{base}?mode=ro", uri=True)
        self._db = sqlite3.connect(f"file:{database}", uri=True, isolation_level=None, timeout=20.0)
        self._start = database.with_name("start.db")
        self._db.execute("ATTACH DATABASE ? AS start", (f"file:{self._start}",))
        self._db.execute("PRAGMA start.synchronous = OFF")
        self._seen = -1

    def reset(self, tickets: list[Ticket], user: str) -> str:
        """Copy the base, write the tickets, keep a copy; return the session cookie of `user`, or nothing for no user."""
        self._base.backup(self._db)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("BEGIN")
        write_tickets(self._db, tickets)
        cookie = secrets.token_hex(16) if user else ""
        if user:
            self._db.execute(
                "INSERT INTO auth_cookie (cookie, name, ipnr, time) VALUES (?, ?, '127.0.0.1', 0)", (cookie, user)
            )
        for table in ("ticket", "auth_cookie"):
            self._db.execute(f"DROP TABLE IF EXISTS start.{table}")
            self._db.execute(f"CREATE TABLE start.{table} AS SELECT * FROM main.{table}")
        self._db.execute("COMMIT")
        self._seen = -1
        return cookie

    def has_changed(self) -> bool:
        """Whether Trac has written anything since the last call."""
        (now,) = self._db.execute("PRAGMA main.data_version").fetchone()
        changed, self._seen = now != self._seen, now
        return bool(changed)

    def differences(self) -> list[Difference]:
        """Everything that differs from the start of the episode."""
        return [(str(one), str(two), str(three)) for one, two, three in self._db.execute(DIFFERENCES)]

    def close(self) -> None:
        self._db.close()
        self._base.close()
