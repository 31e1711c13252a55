"""The shop's catalogue: seeded items, and the SQLite file with a full-text index that they are sold from. Nothing is fetched."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

_SCHEMA = """
CREATE TABLE item (
    id INTEGER PRIMARY KEY, title TEXT NOT NULL, kind TEXT NOT NULL, department TEXT NOT NULL,
    cents INTEGER NOT NULL, attributes TEXT NOT NULL, options TEXT NOT NULL
);
CREATE VIRTUAL TABLE item_text USING fts5(title, attributes, department);
"""
_OFFERED = 0.8
"""Share of a kind's values of an option that an item is offered in, in the mean."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing for sale."""

    id: int
    title: str
    kind: str
    department: str
    cents: int
    attributes: tuple[str, ...]
    options: dict[str, list[str]]
    """Name of an option -> the values that it can be bought in."""


@lru_cache(maxsize=1)
def load_words() -> dict[str, Any]:
    """What words.toml says: `brands`, and a table a department with its kinds, attributes and options."""
    return tomllib.loads(files("envs.web.shop").joinpath("words.toml").read_text())


def make_items(size: int, seed: int) -> list[Item]:
    """`size` items, the same for the same seed. Kinds come in turn, so that a small catalogue has some of many kinds."""
    rng = np.random.default_rng([seed, size])
    kinds = [(name, kind) for name, told in load_words().items() if name != "brands" for kind in told["kinds"]]
    order: list[int] = rng.permutation(len(kinds)).tolist()
    turns = [kinds[order[place % len(kinds)]] for place in range(size)]
    return [_make_item(place + 1, department, kind, rng) for place, (department, kind) in enumerate(turns)]


def _make_item(number: int, department: str, kind: str, rng: np.random.Generator) -> Item:
    words, brands = load_words()[department], load_words()["brands"]
    attributes = tuple(rng.permutation(words["attributes"])[:3].tolist())
    options = {name: _offer(values, rng) for name, values in words["options"].items()}
    brand = brands[int(rng.integers(len(brands)))]
    return Item(
        id=number,
        title=f"{brand} {' '.join(attributes[:2])} {kind}",
        kind=kind,
        department=department,
        cents=int(100 * words["kinds"][kind] * rng.uniform(0.6, 1.6)),
        attributes=attributes,
        options=options,
    )


def _offer(values: list[str], rng: np.random.Generator) -> list[str]:
    kept = [value for value in values if rng.random() < _OFFERED]
    return kept or [values[0]]


def write_catalogue(path: Path, items: list[Item]) -> None:
    """Make the SQLite file of `items`; raises `sqlite3.Error` where SQLite has no full-text search or the disk is full."""
    with sqlite3.connect(path) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        rows = [
            (i.id, i.title, i.kind, i.department, i.cents, json.dumps(i.attributes), json.dumps(i.options))
            for i in items
        ]
        connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        texts = [(i.id, i.title, " ".join(i.attributes), i.department) for i in items]
        connection.executemany(
            "INSERT INTO item_text (rowid, title, attributes, department) VALUES (?, ?, ?, ?)", texts
        )
    connection.close()
