"""Sites with many pages and a state of their own (the shop, the tracker), as a world plays on them. No browser is started here.

A `Venue` is such a site: it makes ready one episode, answers the browser's requests, and judges its own true state. A `Visit` ties
one to a page: after every action it waits for the page that the action led to, and tells the agent what the venue judges.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from envs.web.backend import Action, DomBackend, Element, Snapshot
from envs.web.sites import Application, Site


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an episode of a served site shall be."""

    task: str
    seed: int
    catalogue: int
    """Size of the world: items of the shop; a hundredth of it, tickets of the tracker."""
    asked: int
    """Things that the instruction asks for, 1 to 4."""
    guidance: int = 1
    """1: the instruction also says the way; 0: only what is wanted."""
    page_size: int
    """0 to 30: more results on a page."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Where an episode begins, and what is asked."""

    path: str
    instruction: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the site's true state says about the work so far."""

    ended: bool = False
    reward: float = 0.0


class Venue(Application, Protocol):
    """A site that keeps a state of its own for one world."""

    name: str

    def begin(self, wanted: Wanted) -> Opening:
        """Forget the episode before and make a new one ready; the same `wanted` gives the same pages. Raises `BrowserError`."""
        ...

    def judge(self) -> Verdict:
        """Look at the true state."""
        ...

    def close(self) -> None:
        """Remove everything, processes and files. May be called twice."""
        ...


class Visit:
    """Episodes of one venue in one page of a browser."""

    def __init__(self, page: DomBackend, venue: Venue) -> None:
        self._page, self._venue = page, venue
        self._site = Site(
            name=venue.name,
            folder=Path(),
            adapter=files("envs.web").joinpath("served.js").read_text(),
            application=venue,
        )
        self._instruction, self._clipboard = "", ""
        self._touched: Counter[tuple[str, str, str]] = Counter()
        self._earlier: Counter[tuple[str, str, str]] = Counter()
        self._last: Snapshot | None = None

    def begin(self, wanted: Wanted) -> Snapshot:
        """Start an episode on its first page."""
        opening = self._venue.begin(wanted)
        self._instruction, self._clipboard = opening.instruction, ""
        self._touched, self._earlier = Counter(), Counter()
        self._page.open(self._site, opening.path)
        return self._told(self._page.reset(wanted.seed, ()))

    def act(self, action: Action) -> Snapshot:
        """Carry out an action and look at the page that it led to."""
        if self._last is not None and 0 <= action.element < len(self._last.elements):
            self._touched[_key(self._last.elements[action.element])] += 1
        snapshot = self._page.act(action)
        if self._page.settle():
            snapshot = self._page.observe()
            self._earlier = self._touched.copy()
        return self._told(snapshot)

    def close(self) -> None:
        self._venue.close()

    def _told(self, snapshot: Snapshot) -> Snapshot:
        verdict = self._venue.judge()
        self._clipboard = snapshot.clipboard or self._clipboard
        elements = (
            tuple(self._remembered(element) for element in snapshot.elements) if self._earlier else snapshot.elements
        )
        self._last = replace(
            snapshot,
            instruction=self._instruction,
            elements=elements,
            ended=verdict.ended,
            raw_reward=verdict.reward,
            clipboard=self._clipboard,
        )
        return self._last

    def _remembered(self, element: Element) -> Element:
        """An element with what the agent did to its like on earlier pages of the episode."""
        earlier = self._earlier[_key(element)]
        return replace(element, clicks=element.clicks + earlier) if earlier else element


def _key(element: Element) -> tuple[str, str, str]:
    return element.tag, element.text, element.attributes
