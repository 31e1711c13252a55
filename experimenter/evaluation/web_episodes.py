"""One episode on a web page by anything that chooses numbered actions: the policy's observation, numbers, masks and step budget.

The chooser sees what a policy sees, as records instead of floats. Its end is the environment's: the page's own judgement, or the
horizon. A failure of the browser ends nothing (see envs/web/world.py); it is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.web.actions import Mask, decode, mask_of, shown
from envs.web.backend import Element, Snapshot, Verb
from envs.web.card import HORIZON
from envs.web.params import WebParams
from envs.web.world import Outcome, World
from experimenter.evaluation.web_traces import WebStep, WebTrace, make_trace


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a chooser is told before each step."""

    page: Snapshot
    slots: tuple[Element, ...]
    """Elements by slot number."""
    mask: Mask
    """[COUNT] legal actions."""
    past: tuple[WebStep, ...]
    step: int
    left: int
    """Actions that are left, this one included."""


Chooser = Callable[[Moment], int | None]
"""Gives the number of an action, or None to let the step pass."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One finished episode."""

    trace: WebTrace
    end: Outcome
    length: int
    """Steps, idle ones included."""
    idle: int
    """Steps that passed without an action."""
    failures: int
    """Failures of the browser on the way; none of them ended the episode."""

    @property
    def success(self) -> bool:
        return self.end is Outcome.SUCCESS


def play(world: World, params: WebParams, seed: int, chooser: Chooser, *, kind: str, horizon: int = HORIZON) -> Episode:
    """Play the page of world `seed` to its end; raises `BrowserError` when no browser will start it."""
    before = world.failures
    page = world.begin(seed, params)
    steps: list[WebStep] = []
    length = idle = 0
    declared = False
    while length < horizon and not page.ended and not declared:
        slots = shown(page)
        mask = mask_of(page, slots, may_declare=False)
        number = chooser(
            Moment(page=page, slots=slots, mask=mask, past=tuple(steps), step=length, left=horizon - length)
        )
        action = None if number is None or not mask[number] else decode(number, page, slots)
        length += 1
        if action is None:
            idle += 1
            continue
        steps.append(WebStep(page=page, action=action))
        declared = action.verb is Verb.DONE
        page = page if declared else world.step(action)
    trace = make_trace(params.task_name, seed, kind, steps, page)
    return Episode(trace=trace, end=_end(trace, declared), length=length, idle=idle, failures=world.failures - before)


def world_seed(seed: int) -> int:
    """The world's own seed behind `reset(seed)` of a batch of one, so that both play the same page."""
    stream = np.random.SeedSequence(seed).spawn(1)[0]
    return int(np.random.Generator(np.random.PCG64(stream)).integers(2**31))


def changed_nothing(before: Snapshot, after: Snapshot) -> bool:
    """Whether two pages look alike but for the marks of the agent's own history."""
    return _look(before) == _look(after)


def _end(trace: WebTrace, declared: bool) -> Outcome:
    if trace.success:
        return Outcome.SUCCESS
    return Outcome.WRONG if trace.last.ended or declared else Outcome.TIMEOUT


def _look(page: Snapshot) -> list[tuple[object, ...]]:
    return [(e.tag, e.text, e.value, e.attributes, e.checked) for e in page.elements]
