"""Admission of proposals: a pure rule from a proposal to a task or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.records import Goal, Proposal, Record

_SAME = 0.02
"""Tasks nearer than this share of every parameter's range are the same task for a session."""


class Admission(Record):
    task: TaskSpec | None
    reason: str = ""


def admit_proposal(proposal: Proposal, goal: Goal, known: Sequence[TaskSpec], seed: int = 0) -> Admission:
    """Check a proposal's bounds and novelty; learnability is judged by training it."""
    family = get_family(goal.family)
    try:
        task = family.resolve_task(proposal.params, horizon=goal.horizon, seed=seed)
    except ValueError as error:
        return Admission(task=None, reason=str(error))
    ranges = {p.name: p.high - p.low for p in family.card().params}
    for other in known:
        if other.family == task.family and _near(task, other, ranges):
            return Admission(task=None, reason=f"it is the task {other.digest[:6]}, which the session has already")
    return Admission(task=task)


def _near(task: TaskSpec, other: TaskSpec, ranges: dict[str, float]) -> bool:
    for name, value in task.params.items():
        theirs = other.params.get(name)
        if isinstance(value, str | bool) or isinstance(theirs, str | bool) or theirs is None:
            if value != theirs:
                return False
        elif abs(value - theirs) > _SAME * max(ranges.get(name, 1.0), 1e-9):
            return False
    return True
