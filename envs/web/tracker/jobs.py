"""The work that is asked for on the tracker: words, first page, and the rows that are to differ in the end. Judged in state.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from envs.web.tracker.base import COMPONENTS, MILESTONES, PRIORITIES, USERS
from envs.web.tracker.contents import Ticket

LIST = "/report/1?max={rows}"
"""The list of open tickets, newest first."""
RESOLUTIONS = ("fixed", "invalid", "wontfix", "duplicate", "worksforme")
_COMMENTS = ("looks good to me", "cannot reproduce this", "please add a test", "see the manual", "works since monday", "needs a second look")  # fmt: skip
_SUMMARIES = ("printer on fire", "keys stop working", "map shows no roads", "clock runs backwards", "sound is too quiet", "menu opens twice")  # fmt: skip

_MODIFY = "Modify the ticket and submit the changes."
_RESOLVE = "Modify the ticket, resolve it and submit the changes."
_REASSIGN = "Modify the ticket, reassign it and submit the changes."

Difference = tuple[str, str, str]
"""Ticket number (`new` for a new one), field, value that it has now."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is asked for."""

    instruction: str
    way: str = ""
    """What an instruction with guidance says beside what is wanted."""
    is_logged_in: bool = True
    wanted: frozenset[Difference] = field(default_factory=frozenset)
    """All that is to differ from the start, and nothing else may."""


def draw_job(task: str, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    """The job of a task on these tickets; raises `KeyError` for an unknown task."""
    ticket = tickets[int(rng.integers(len(tickets)))]
    return _JOBS[task](ticket, tickets, asked, rng)


def _other(values: tuple[str, ...], than: str, rng: np.random.Generator) -> str:
    left = [value for value in values if value != than]
    return left[int(rng.integers(len(left)))]


def _login(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    return Job(
        instruction="Log in to the tracker.",
        way="Press Login.",
        is_logged_in=False,
        wanted=frozenset({("session", "login", USERS[-1])}),
    )


def _close(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    how = _other(RESOLUTIONS, "", rng)
    return Job(instruction=f'Close ticket #{ticket.id} as "{how}".', way=_RESOLVE, wanted=_closed(ticket, how))


def _close_newest(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    newest = max(tickets, key=lambda one: one.id)
    return Job(instruction="Close the newest ticket as fixed.", way=_RESOLVE, wanted=_closed(newest, "fixed"))


def _closed(ticket: Ticket, how: str) -> frozenset[Difference]:
    return frozenset({(str(ticket.id), "status", "closed"), (str(ticket.id), "resolution", how)})


def _priority(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    to = _other(PRIORITIES, ticket.priority, rng)
    words = f'Set the priority of ticket #{ticket.id} to "{to}".'
    return Job(instruction=words, way=_MODIFY, wanted=frozenset({(str(ticket.id), "priority", to)}))


def _owner(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    to = _other(USERS, ticket.owner, rng)
    words = f'Assign ticket #{ticket.id} to "{to}".'
    return Job(instruction=words, way=_REASSIGN, wanted=frozenset({(str(ticket.id), "owner", to)}))


def _comment(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    text = _other(_COMMENTS, "", rng)
    words = f'Add the comment "{text}" to ticket #{ticket.id}.'
    return Job(instruction=words, way="Submit the changes.", wanted=frozenset({(str(ticket.id), "comment", text)}))


def _milestone(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    to = _other(MILESTONES, ticket.milestone, rng)
    words = f'Find the ticket about "{ticket.summary}" and set its milestone to "{to}".'
    return Job(instruction=words, way=_MODIFY, wanted=frozenset({(str(ticket.id), "milestone", to)}))


def _create(ticket: Ticket, tickets: list[Ticket], asked: int, rng: np.random.Generator) -> Job:
    """`asked` fields: the summary, then component, priority and milestone."""
    drawn = {
        "summary": _other(_SUMMARIES, "", rng),
        "component": _other(COMPONENTS, "parser", rng),
        "priority": _other(PRIORITIES, "major", rng),
        "milestone": _other(MILESTONES, "", rng),
    }
    kept = dict(list(drawn.items())[:asked])
    words = " and ".join(f'the {name} "{value}"' for name, value in kept.items())
    wanted = {("new", name, value) for name, value in {**_DEFAULTS, **kept}.items()}
    return Job(instruction=f"Create a ticket with {words}.", wanted=frozenset(wanted))


_DEFAULTS = {"component": "parser", "priority": "major", "milestone": ""}
"""What Trac sets in a new ticket that says nothing else."""
_JOBS: dict[str, Callable[[Ticket, list[Ticket], int, np.random.Generator], Job]] = {
    "tracker-login": _login,
    "tracker-close": _close,
    "tracker-close-newest": _close_newest,
    "tracker-priority": _priority,
    "tracker-owner": _owner,
    "tracker-comment": _comment,
    "tracker-milestone": _milestone,
    "tracker-create": _create,
}
