"""Scripted oracles: for a task, a generator that looks at the page and says what to do next. They prove tasks solvable.

An oracle sees what an agent sees (a `Snapshot`) and nothing else. It is written as a generator: it gets the first snapshot,
yields an action and is sent the next snapshot. `warm_start` uses it to begin an episode some steps into a solution.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from envs.web.backend import Action, Snapshot

Script = Generator[Action, Snapshot, None]
Oracle = Callable[[Snapshot], Script]

_ORACLES: dict[str, Oracle] = {}


class OracleLost(ValueError):
    """An oracle does not find on the page what it looks for."""


def oracle(*tasks: str) -> Callable[[Oracle], Oracle]:
    """Register a script as the oracle of `tasks`."""

    def register(script: Oracle) -> Oracle:
        for task in tasks:
            _ORACLES[task] = script
        return script

    return register


def find_oracle(task: str) -> Oracle | None:
    """The oracle of a task, or None."""
    from envs.web import oracle_apps, oracle_clicks, oracle_counts, oracle_dates, oracle_forms, oracle_mail  # noqa: F401  # they register theirs
    from envs.web.shop import oracle as _shop  # noqa: F401
    from envs.web.tracker import oracle as _tracker  # noqa: F401

    return _ORACLES.get(task)


def list_oracles() -> tuple[str, ...]:
    """Tasks that have an oracle, in alphabetical order."""
    find_oracle("")
    return tuple(sorted(_ORACLES))
