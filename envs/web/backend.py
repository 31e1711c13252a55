"""What a browser must do for a world: the `DomBackend` protocol and the records that cross it. No browser is named here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.web.sites import Site


class BrowserError(RuntimeError):
    """The browser, not the task, failed: it died, hung, or a page never loaded. Never an outcome of an episode."""


class BrowserGone(BrowserError):
    """The page was lost with a browser that has been replaced meanwhile: nothing failed anew."""


class BrowserRefused(BrowserError):
    """The browser answered a call with an error, such as that the document it was meant for is gone."""


class BrowserMissing(ImportError):
    """No browser or no site is installed; the message says what to install."""


class Verb(StrEnum):
    CLICK = "click"
    """Press and release on an element; an option of a list is selected."""
    TYPE = "type"
    """Replace the content of an element by a text."""
    COPY = "copy"
    """Take the text of an element to the clipboard, from where it can be typed."""
    SCROLL = "scroll"
    """Scroll by most of a page: `text` is `up` or `down`."""
    PRESS = "press"
    """Press a key on what has the focus: `text` names it."""
    DONE = "done"
    """Say that the task is done; the episode ends."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an agent on a page."""

    verb: Verb
    element: int = -1
    """Index into the elements of the last snapshot; -1 where the verb needs none."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a page, as an agent sees it. Nothing of it needs a layout but `box`."""

    index: int
    tag: str
    """Lower-case tag; inputs carry their type: `input:text`."""
    text: str
    """The element's own text, without that of elements inside it."""
    value: str
    """What was typed or chosen."""
    attributes: str
    """Words of id, class, name, placeholder, title, alternative text, source and fill colour."""
    around: str
    """Text of the smallest block around the element that says more than itself: its row, its label."""
    interactive: bool
    editable: bool
    checked: bool
    """Checked, selected or expanded."""
    disabled: bool
    focused: bool
    scrollable: bool
    clicks: int
    """How often the agent has clicked it in this episode."""
    typed: int
    last: bool
    """Whether the agent's last action was on it."""
    box: tuple[float, float, float, float]
    """Left, top, width and height in pixels: of drawn shapes within their drawing, of all else on the page. Zeros without layout."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several tasks on a page."""

    instruction: str
    ended: bool
    elements: int
    """How many of the page's elements are its own, none once it has ended; those of the first part come first."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A page between two actions."""

    instruction: str
    elements: tuple[Element, ...]
    ended: bool
    """Whether the site has closed the episode."""
    raw_reward: float
    """What the site judged, without any discount for time: -1 to 1, 0 while the episode runs."""
    clock_ms: float
    """Virtual time since the episode began."""
    clipboard: str = ""
    ready: bool = True
    """Whether the task could be started at all."""
    progress: float = 0.0
    """Share of a known solution's steps that the page shows, 1 when solved; 0 throughout where nobody asked for it."""
    parts: tuple[Part, ...] = ()
    """The tasks of a page that holds several, in the order in which they are to be done; empty for one."""


class DomBackend(Protocol):
    """One page in a browser. Every method raises `BrowserError` when the browser fails; it can then be opened again."""

    def open(self, site: Site, path: str) -> None:
        """Load `path` of `site` afresh in a profile of its own."""
        ...

    def reset(self, seed: int, clutter: Sequence[str]) -> Snapshot:
        """Start the episode of `seed` on the open page, with further elements that say `clutter`."""
        ...

    def observe(self) -> Snapshot:
        """Look at the page without touching it."""
        ...

    def act(self, action: Action) -> Snapshot:
        """Carry out one action, let the virtual clock run on, and look: one round trip."""
        ...

    def settle(self) -> bool:
        """Wait for the document that the last action asked for, where it asked for one; return whether there is a new one."""
        ...

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture [height, width, 3] of the page."""
        ...

    def abandon(self) -> None:
        """After a failure: kill the browser that this page was in, unless it has been replaced already."""
        ...

    def close(self) -> None:
        """Let go of the page."""
        ...


class Browser(Protocol):
    """A browser process that pages are opened in. It starts at the first page and is always reaped by `close`."""

    name: str

    @property
    def is_tired(self) -> bool:
        """Whether it has served so many episodes that the next one should start in a fresh process."""
        ...

    def new_page(self) -> DomBackend: ...

    def close(self) -> None:
        """Kill the whole process group and remove the profile. May be called twice."""
        ...


FLAGS = ("interactive", "editable", "checked", "disabled", "focused", "scrollable", "last")


def read_snapshot(told: dict[str, Any]) -> Snapshot:
    """Turn what page.js returns into records; raises `BrowserError` when it is not what page.js would say."""
    try:
        elements = tuple([_read_element(index, *row) for index, row in enumerate(told["e"])])
        return Snapshot(
            instruction=str(told["u"]),
            elements=elements,
            ended=bool(told["d"]),
            raw_reward=float(told["r"]),
            clock_ms=float(told["t"]),
            clipboard=str(told["c"]),
            ready=bool(told["y"]),
            parts=tuple(Part(str(words), bool(ended), int(count)) for words, ended, count in told.get("p", ())),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BrowserError(f"the page answered in no known form: {error}") from error


@lru_cache(maxsize=50_000)
def _read_element(
    index: int,
    tag: str,
    text: str,
    value: str,
    attributes: str,
    around: str,
    bits: int,
    clicks: int,
    typed: int,
    left: float,
    top: float,
    width: float,
    height: float,
) -> Element:
    """An element that stays as it is from one look to the next is one and the same record."""
    return Element(
        index=index,
        tag=tag,
        text=text,
        value=value,
        attributes=attributes,
        around=around,
        clicks=clicks,
        typed=typed,
        box=(left, top, width, height),
        **{name: bool(bits >> place & 1) for place, name in enumerate(FLAGS)},
    )
