"""One customer's shop: the catalogue, read only, beside a SQLite file with the cart and the orders of one episode. No HTML here."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envs.web.shop.catalogue import Item

_SESSION = """
CREATE TABLE line (id INTEGER PRIMARY KEY, item INTEGER NOT NULL, purchase INTEGER REFERENCES purchase(id));
CREATE TABLE choice (line INTEGER NOT NULL REFERENCES line(id) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE purchase (id INTEGER PRIMARY KEY);
"""
"""A line without a purchase lies in the cart."""
_WORD = re.compile(r"\w+")
_MOST_WORDS = 20


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the cart."""

    id: int
    item: Item
    choices: Mapping[str, str]


class Store:
    """The shop as one customer finds it. `session` is made afresh."""

    def __init__(self, catalogue: Path, session: Path) -> None:
        session.unlink(missing_ok=True)
        self._db = sqlite3.connect(f"file:{session}", uri=True, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;" + _SESSION
        )
        self._db.execute("ATTACH DATABASE ? AS shop", (f"file:{catalogue}?mode=ro&immutable=1",))

    def search(self, query: str, below: float | None, start: int, count: int) -> tuple[list[Item], int]:
        """Items that have any word of `query`, best match first (BM25), cheaper than `below` dollars; and how many there are."""
        words = _WORD.findall(query)[:_MOST_WORDS]
        if not words:
            return [], 0
        match = " OR ".join(f'"{word}"' for word in words)
        cents = 1 << 40 if below is None else round(100 * below)
        where = "FROM shop.item_text JOIN shop.item AS sold ON sold.id = item_text.rowid WHERE item_text MATCH ? AND cents < ?"
        (total,) = self._db.execute(f"SELECT count(*) {where}", (match, cents)).fetchone()
        rows = self._db.execute(
            f"SELECT sold.* {where} ORDER BY bm25(item_text, 4.0, 2.0, 0.5), sold.id LIMIT ? OFFSET ?",
            (match, cents, count, start),
        )
        return [_read_item(row) for row in rows], int(total)

    def item(self, number: int) -> Item | None:
        """One item, None where there is none of that number."""
        row = self._db.execute("SELECT * FROM shop.item WHERE id = ?", (number,)).fetchone()
        return _read_item(row) if row else None

    def pick(self, place: int) -> Item:
        """The item at a place of the catalogue, counted round."""
        (size,) = self._db.execute("SELECT count(*) FROM shop.item").fetchone()
        found = self.item(place % size + 1)
        assert found is not None
        return found

    def put(self, item: Item, choices: Mapping[str, str]) -> bool:
        """Lay an item into the cart in the chosen options; False, and nothing is laid, where one is not offered or not chosen."""
        if any(choices.get(name) not in values for name, values in item.options.items()):
            return False
        line = self._db.execute("INSERT INTO line (item) VALUES (?)", (item.id,)).lastrowid
        rows = [(line, name, choices[name]) for name in item.options]
        self._db.executemany("INSERT INTO choice VALUES (?, ?, ?)", rows)
        return True

    def cart(self) -> list[Line]:
        """What lies in the cart, in the order in which it was laid there."""
        rows = self._db.execute(
            "SELECT line.id, sold.* FROM line JOIN shop.item AS sold ON sold.id = line.item WHERE purchase IS NULL ORDER BY line.id"
        ).fetchall()
        return [Line(id=row[0], item=_read_item(row[1:]), choices=self._choices(row[0])) for row in rows]

    def _choices(self, line: int) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM choice WHERE line = ?", (line,)).fetchall())

    def remove(self, line: int) -> None:
        """Take a line out of the cart."""
        self._db.execute("DELETE FROM line WHERE id = ? AND purchase IS NULL", (line,))

    def buy(self) -> int | None:
        """Buy what lies in the cart; the number of the purchase, None where the cart is empty."""
        if not self.cart():
            return None
        number = self._db.execute("INSERT INTO purchase DEFAULT VALUES").lastrowid
        self._db.execute("UPDATE line SET purchase = ? WHERE purchase IS NULL", (number,))
        return number

    def ask(self, sql: str, values: Mapping[str, object]) -> tuple[object, ...] | None:
        """One row of a query with named parameters, for the judge."""
        row: tuple[object, ...] | None = self._db.execute(sql, dict(values)).fetchone()
        return row

    def close(self) -> None:
        self._db.close()


def _read_item(row: tuple[object, ...]) -> Item:
    number, title, kind, department, cents, attributes, options = row
    return Item(
        id=int(str(number)),
        title=str(title),
        kind=str(kind),
        department=str(department),
        cents=int(str(cents)),
        attributes=tuple(json.loads(str(attributes))),
        options=json.loads(str(options)),
    )
