"""Episodes of the web family as traces with their true outcome: by oracles, by oracles that go wrong once, and at random.

For measuring what reads or names steps (grounder, outcome judge). The label is the page's own judgement, never a reader's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from envs.web.actions import decode, mask_of, shown
from envs.web.backend import Action, Snapshot, Verb
from envs.web.miniwob import is_success
from envs.web.oracles import OracleLost, find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

_MOST_STEPS = 30
_RANDOM_STEPS = 6


@dataclass(frozen=True, kw_only=True)
class WebStep:
    """An action and the page that it was taken on."""

    page: Snapshot
    action: Action


@dataclass(frozen=True, kw_only=True)
class WebTrace:
    """One episode."""

    task: str
    seed: int
    """World seed."""
    kind: str
    """Who acted: `oracle`, `wrong` (an oracle with one step spoilt), `random`, or a model."""
    steps: tuple[WebStep, ...]
    last: Snapshot
    """The page after the last step."""
    success: bool
    """By the page's own judgement."""

    @property
    def instruction(self) -> str:
        return self.last.instruction


def oracle_trace(world: World, task: str, seed: int) -> WebTrace | None:
    """Let the oracle of `task` act; None where it has none or is lost."""
    taken = _run_oracle(world, task, seed, spoil=None, rng=None)
    return None if taken is None else make_trace(task, seed, "oracle", *taken)


def wrong_trace(world: World, task: str, seed: int, rng: np.random.Generator) -> WebTrace | None:
    """Let the oracle act but spoil one of its steps: left out, on another element, or with another text."""
    known = _run_oracle(world, task, seed, spoil=None, rng=None)
    if known is None:
        return None
    spoil = int(rng.integers(len(known[0]))) if known[0] else None
    taken = _run_oracle(world, task, seed, spoil=spoil, rng=rng)
    return None if taken is None else make_trace(task, seed, "wrong", *taken)


def random_trace(world: World, task: str, seed: int, rng: np.random.Generator) -> WebTrace:
    """A few random actions that make sense."""
    page = world.begin(seed, params_of(task))
    steps = []
    for _ in range(_RANDOM_STEPS):
        if page.ended:
            break
        slots = shown(page)
        action = decode(int(rng.choice(np.flatnonzero(mask_of(page, slots, may_declare=False)))), page, slots)
        if action is None:
            break
        steps.append(WebStep(page=page, action=action))
        page = world.step(action)
    return make_trace(task, seed, "random", steps, page)


def params_of(task: str) -> WebParams:
    """The plain task; raises `ValueError` for a name that is none."""
    if task not in ALL_TASKS:
        raise ValueError(f"unknown web task {task!r}: see `experimenter env show web`.")
    return WebParams(task=ALL_TASKS.index(task))


def _run_oracle(
    world: World, task: str, seed: int, *, spoil: int | None, rng: np.random.Generator | None
) -> tuple[list[WebStep], Snapshot] | None:
    script = find_oracle(task)
    if script is None:
        return None
    page = world.begin(seed, params_of(task))
    steps: list[WebStep] = []
    try:
        running = script(page)
        action = next(running)
        for number in range(_MOST_STEPS):
            done = action if number != spoil or rng is None else _spoil(action, page, rng)
            if done is not None:
                steps.append(WebStep(page=page, action=done))
                page = world.step(done)
            if page.ended:
                break
            action = running.send(page)
    except (OracleLost, StopIteration, IndexError):
        return (steps, page) if spoil is not None else None
    return steps, page


def _spoil(action: Action, page: Snapshot, rng: np.random.Generator) -> Action | None:
    """Another action in place of `action`; None leaves it out."""
    kind = rng.choice(["skip", "other", "text"])
    if kind == "text" and action.verb is Verb.TYPE:
        return replace(action, text=action.text[::-1] if action.text[::-1] != action.text else action.text + "x")
    others = [e for e in _same_kind(action, page) if e != action.element]
    return replace(action, element=int(rng.choice(others))) if kind != "skip" and others else None


def _same_kind(action: Action, page: Snapshot) -> Iterator[int]:
    """Elements on which the same kind of action makes sense."""
    for element in page.elements:
        if (element.editable if action.verb is Verb.TYPE else element.interactive) and not element.disabled:
            yield element.index


def make_trace(task: str, seed: int, kind: str, steps: Sequence[WebStep], page: Snapshot) -> WebTrace:
    """Label an episode that ended on `page` by what the page says of it."""
    success = page.ended and is_success(task, page.raw_reward)
    return WebTrace(task=task, seed=seed, kind=kind, steps=tuple(steps), last=page, success=success)
