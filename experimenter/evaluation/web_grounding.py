"""How well the rule grounder finds what it is told: every element that an oracle acts on is put into words and found again.

`plain` words are what one says at a glance (kind and text); `full` words add the place among those that the same words fit.
Both are made by rule from the page, so this measures the grounder against clear words, not against a planner's; and the place of full words
is counted among what the rule grounder itself finds alike, so that its score on them is an upper bound. The plain words are the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from envs.web.backend import Browser, BrowserError, Snapshot, Verb
from envs.web.grounding import Grounded, ground, to_line
from envs.web.language import Line
from envs.web.oracles import list_oracles
from envs.web.world import World
from experimenter.evaluation.web_traces import WebStep, oracle_trace

Grounder = Callable[[Line, Snapshot], Grounded]
MANNERS = ("plain", "full")


@dataclass(frozen=True, kw_only=True)
class TaskGrounding:
    """What became of one task's oracle steps."""

    task: str
    steps: int
    """Steps that name an element."""
    right: dict[str, int]
    """Manner -> steps whose words led back to the element."""
    refused: dict[str, int]
    """Manner -> steps where the grounder gave no element."""
    wrong: tuple[str, ...] = ()
    """The first few steps that went wrong or were refused with full words, in words."""


def measure_grounding(
    browser: Browser, seeds: Sequence[int], tasks: Iterable[str] | None = None, grounder: Grounder = ground
) -> list[TaskGrounding]:
    """Describe and find again on the traces of every oracle (or of `tasks`), by rule or by another `grounder`."""
    world, measured = World(browser), []
    try:
        for task in tasks or list_oracles():
            steps = [step for seed in seeds for step in _steps(world, task, seed)]
            if steps:
                measured.append(_count(task, steps, grounder))
    finally:
        world.close()
    return measured


def _steps(world: World, task: str, seed: int) -> list[WebStep]:
    try:
        trace = oracle_trace(world, task, seed)
    except BrowserError:
        return []
    acts = (Verb.CLICK, Verb.TYPE, Verb.COPY)
    return [step for step in trace.steps if step.action.verb in acts] if trace and trace.success else []


def _count(task: str, steps: Sequence[WebStep], grounder: Grounder) -> TaskGrounding:
    right, refused, wrong = dict.fromkeys(MANNERS, 0), dict.fromkeys(MANNERS, 0), []
    for step in steps:
        for manner in MANNERS:
            line = to_line(step.action, step.page, order=manner == "full")
            found = grounder(line, step.page)
            right[manner] += found.action == step.action
            refused[manner] += found.action is None
            if manner == "full" and found.action != step.action:
                wrong.append(f"{line.target}: {found.why or 'another element'}")
    return TaskGrounding(
        task=task, steps=len(steps), right=right, refused=refused, wrong=tuple(dict.fromkeys(wrong))[:3]
    )
