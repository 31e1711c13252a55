"""What stands in the tracker at the start of an episode: tickets drawn from a seed, written as rows. Users and lists are the same always."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from envs.web.tracker.base import COMPONENTS, MILESTONES, PRIORITIES, USERS

_WHAT = ("broken pipe", "stale cache", "missing icon", "slow query", "wrong total", "lost session", "empty report", "double entry",
         "frozen window", "blurred print", "loose thread", "silent crash", "short timeout", "bad checksum", "open socket", "late reply",
         "torn page", "odd rounding", "dead link", "hidden button")  # fmt: skip
_WHERE = ("export", "upload", "start page", "backup", "invoice", "calendar", "printer", "login", "archive", "import")
_EPOCH_US = 1_466_000_000_000_000
"""Microseconds since 1970: a day of June 2016."""
_COLUMNS = ("id", "type", "time", "changetime", "component", "priority", "owner", "reporter", "milestone", "status", "summary", "description")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One ticket as it is at the start."""

    id: int
    topic: str
    """Words that no other ticket's summary holds together."""
    where: str
    component: str
    priority: str
    owner: str
    milestone: str

    @property
    def summary(self) -> str:
        return f"{self.topic} in the {self.where}"


def make_tickets(count: int, rng: np.random.Generator) -> list[Ticket]:
    """`count` open tickets, at most as many as there are topics and places together."""
    pairs = rng.permutation(len(_WHAT) * len(_WHERE))[:count].tolist()
    return [_make_ticket(place + 1, pair, rng) for place, pair in enumerate(pairs)]


def _make_ticket(number: int, pair: int, rng: np.random.Generator) -> Ticket:
    def any_of(values: tuple[str, ...]) -> str:
        return values[int(rng.integers(len(values)))]

    return Ticket(
        id=number,
        topic=_WHAT[pair % len(_WHAT)],
        where=_WHERE[pair // len(_WHAT)],
        component=any_of(COMPONENTS),
        priority=any_of(PRIORITIES),
        owner=any_of(USERS),
        milestone=any_of(MILESTONES),
    )


def write_tickets(db: sqlite3.Connection, tickets: list[Ticket]) -> None:
    """Put the tickets into Trac's own table, one an hour of a day long ago."""
    rows = []
    for told in tickets:
        at = _EPOCH_US + told.id * 3_600_000_000
        rows.append(
            (told.id, "defect", at, at, told.component, told.priority, told.owner, USERS[told.id % len(USERS)], told.milestone,
             "assigned", told.summary, f"There is a {told.summary}.")
        )  # fmt: skip
    places = ", ".join("?" * len(_COLUMNS))
    db.executemany(f"INSERT INTO ticket ({', '.join(_COLUMNS)}) VALUES ({places})", rows)
