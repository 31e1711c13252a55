"""What the cheap screens before training cost, and how often each would have thrown away the program that later won.

A search writes an event of kind `screen` for each verdict of a screen: `{digest, screen, passed, cost_s, value}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experimenter.records import Record


class ScreenVerdict(Record):
    """One screen's word on one program."""

    task: str
    digest: str
    screen: str
    passed: bool
    cost_s: float = 0.0


class ScreenSummary(Record):
    """One screen over all tasks."""

    screen: str
    programs: int
    refused: int
    cost_s: float
    """Seconds over all programs."""
    winners: int
    """Tasks whose winner this screen had looked at."""
    winners_refused: int
    """Of those, how many it would have thrown away."""

    @property
    def mean_cost_s(self) -> float:
        return self.cost_s / self.programs if self.programs else 0.0


def read_verdicts(task: str, events: Sequence[Mapping[str, Any]]) -> list[ScreenVerdict]:
    """Read the `data` of a session's screen events; one that lacks a digest, a name or a verdict is left out."""
    return [
        ScreenVerdict(
            task=task,
            digest=str(data["digest"]),
            screen=str(data["screen"]),
            passed=bool(data["passed"]),
            cost_s=float(data.get("cost_s") or 0.0),
        )
        for data in events
        if {"digest", "screen", "passed"} <= set(data)
    ]


def summarise_screens(verdicts: Sequence[ScreenVerdict], winners: Mapping[str, set[str]]) -> list[ScreenSummary]:
    """One line a screen, in the order in which they were first met; `winners` maps a task to the digests that won there.

    A program that a screen judged twice counts once, as refused when it was refused at least once.
    """
    summaries = []
    for screen in dict.fromkeys(verdict.screen for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.screen == screen]
        passed: dict[tuple[str, str], bool] = {}
        for verdict in mine:
            key = (verdict.task, verdict.digest)
            passed[key] = passed.get(key, True) and verdict.passed
        won = [ok for (task, digest), ok in passed.items() if digest in winners.get(task, set())]
        summaries.append(
            ScreenSummary(
                screen=screen,
                programs=len(passed),
                refused=sum(not ok for ok in passed.values()),
                cost_s=sum(verdict.cost_s for verdict in mine),
                winners=len(won),
                winners_refused=sum(not ok for ok in won),
            )
        )
    return summaries
