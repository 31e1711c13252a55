"""Two browsers compared: the same seeds and the same clicks, and whether both show and judge the same. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from envs.web.backend import Action, Browser, Element, Snapshot, Verb
from envs.web.encoding import kind_of
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

_CLICKS = 4
_SHAPE = 7
"""Kind of the drawn shapes, whose places an agent sees."""
_NEAR = 2.0
"""Pixels by which places may differ."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How far two browsers agree on a task."""

    pages: int
    same_instruction: float
    """Share of the first pages with the same instruction."""
    same_elements: float
    """Share of the first pages with the same elements in all that needs no layout, and shapes in the same places."""
    clicks: int
    same_outcomes: float | None
    """Share of the clicks after which both had ended or not and said the same reward; None when no element was in both."""

    @property
    def is_full(self) -> bool:
        """Whether they agree in everything."""
        return self.same_instruction == self.same_elements == 1.0 and self.same_outcomes in (None, 1.0)


def compare(one: Browser, other: Browser, task: str, seeds: Sequence[int]) -> Fidelity:
    """Begin the same episodes in both and click the same elements; raises `BrowserError` when one of them fails at the start."""
    params = WebParams(task=ALL_TASKS.index(task))
    worlds = (World(one), World(other))
    told, alike, judged = [], [], []
    try:
        for seed in seeds:
            pages = [world.begin(seed, params) for world in worlds]
            told.append(pages[0].instruction == pages[1].instruction)
            alike.append(same_elements(*pages))
            judged += _click(worlds, pages, np.random.default_rng(seed))
    finally:
        for world in worlds:
            world.close()
    return Fidelity(
        pages=len(told),
        same_instruction=sum(told) / len(told),
        same_elements=sum(alike) / len(alike),
        clicks=len(judged),
        same_outcomes=sum(judged) / len(judged) if judged else None,
    )


def same_elements(one: Snapshot, other: Snapshot) -> bool:
    """Whether two pages show the same elements, places left out but for those of shapes."""
    if len(one.elements) != len(other.elements):
        return False
    return all(_say(a) == _say(b) and _same_place(a, b) for a, b in zip(one.elements, other.elements, strict=True))


def _say(element: Element) -> tuple[object, ...]:
    return (*_name(element), element.value, element.interactive, element.editable, element.checked, element.disabled)


def _name(element: Element) -> tuple[str, str, str]:
    return element.tag, element.text, element.attributes


def _same_place(one: Element, other: Element) -> bool:
    if kind_of(one) != _SHAPE:
        return True
    return all(abs(a - b) <= _NEAR for a, b in zip(one.box, other.box, strict=True))


def _click(worlds: tuple[World, World], pages: list[Snapshot], rng: np.random.Generator) -> list[bool]:
    """Click elements that are in both pages, the first of several alike; what each click shows, until an end."""
    judged: list[bool] = []
    for _ in range(_CLICKS):
        first, second = ({_name(e): e.index for e in reversed(page.elements)} for page in pages)
        common = [name for name in first if name in second]
        if not common or any(page.ended for page in pages):
            break
        name = common[int(rng.integers(len(common)))]
        places = (first[name], second[name])
        pages = [world.step(Action(Verb.CLICK, at)) for world, at in zip(worlds, places, strict=True)]
        judged.append((pages[0].ended, pages[0].raw_reward) == (pages[1].ended, pages[1].raw_reward))
    return judged
