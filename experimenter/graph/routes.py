"""The loop's rules: pure functions from what is known to the next node. Two back edges: revise, and next task."""

from __future__ import annotations

from typing import Literal

from experimenter.records import Decision, GoalKind

MAX_FRUITLESS_PROPOSALS = 3
"""Rounds of proposals in a row without an admitted task before an open session ends."""


def after_recall(matched: bool) -> Literal["finish", "propose"]:
    return "finish" if matched else "propose"


def after_propose(queued: int, fruitless: int, over: bool) -> Literal["finish", "take_task", "propose"]:
    """Work on what is queued; end when nothing new can be admitted."""
    if over:
        return "finish"
    if queued:
        return "take_task"
    return "finish" if fruitless >= MAX_FRUITLESS_PROPOSALS else "propose"


def after_take(task: str) -> Literal["write_rewards", "next"]:
    return "write_rewards" if task else "next"


def after_judge(
    decision: str, *, generation: int, generations: int, extension: int, extensions: int, over: bool
) -> Literal["certify", "extend", "drop", "reflect"]:
    """Promote, train on, revise with a reflection, or drop. Whatever a spent budget leaves goes to the admission test."""
    if over or decision == Decision.PROMOTE:
        return "certify"
    if decision == Decision.EXTEND and extension < extensions:
        return "extend"
    if decision == Decision.DROP:
        return "drop"
    return "reflect" if generation + 1 < generations else "certify"


def after_certify(certified: bool, *, generation: int, generations: int, over: bool) -> Literal["next", "reflect"]:
    """A policy that fails the admission test is one more thing to learn from, while there is time."""
    if certified or over or generation + 1 >= generations:
        return "next"
    return "reflect"


def after_task(
    kind: GoalKind, *, target_certified: bool, queued: int, rounds: int, over: bool
) -> Literal["finish", "take_task", "propose"]:
    """Stop when the target is certified or the budget is spent; else the next task, or new proposals."""
    if over or (kind is GoalKind.TARGET and target_certified):
        return "finish"
    if queued:
        return "take_task"
    if kind is GoalKind.TARGET and rounds >= MAX_FRUITLESS_PROPOSALS:
        return "finish"
    return "propose"
