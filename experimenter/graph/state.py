"""The graph's state: ids, counters and short strings. Never a record, an array or a growing list."""

from __future__ import annotations

from typing import TypedDict


class State(TypedDict, total=False):
    session_id: str
    task: str
    """Digest of the task in work; empty between tasks."""
    generation: int
    """Generation of reward programs for the task in work."""
    extension: int
    """How often the task's winner was given more steps."""
    decision: str
    """The judge's last decision, or `over` when the budget ended the race."""
    outcome: str
    """What came of the last task: certified, dropped, matched; or why the session ends."""
    proposals: int
    """Rounds of proposals so far."""
    fruitless: int
    """Rounds of proposals in a row that gave no task."""
