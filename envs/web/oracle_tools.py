"""What oracles look for on a page and say: short helpers. They see a `Snapshot` and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from envs.web.backend import Action, Element, Snapshot, Verb
from envs.web.oracles import OracleLost


def find(page: Snapshot, what: Callable[[Element], bool], told: str) -> Element:
    """The first element for which `what` holds; raises `OracleLost` saying `told`."""
    for element in page.elements:
        if what(element):
            return element
    raise OracleLost(f"no {told} on the page: {page.instruction!r}")


def text_is(page: Snapshot, text: str, *, tags: Iterable[str] = ()) -> Element:
    """The first element whose own text is `text`, of one of `tags` where given."""
    wanted = tuple(tags)
    return find(page, lambda e: e.text == text and (not wanted or e.tag in wanted), f"{text!r}")


def named(page: Snapshot, word: str) -> Element:
    """The first element with `word` among its attributes."""
    return find(page, lambda e: word in e.attributes.split(), f"element {word!r}")


def all_named(page: Snapshot, word: str) -> list[Element]:
    """Every element with `word` among its attributes."""
    return [e for e in page.elements if word in e.attributes.split()]


def button(page: Snapshot, *texts: str) -> Element:
    """The first button that says one of `texts`, whatever the case."""
    wanted = {text.lower() for text in texts}
    return find(
        page,
        lambda e: (e.tag == "button" or e.tag.startswith("input:")) and (e.text or e.value).lower() in wanted,
        f"button {texts}",
    )


def inputs(page: Snapshot) -> list[Element]:
    """Every element that can be typed into."""
    return [e for e in page.elements if e.editable]


def click(element: Element) -> Action:
    return Action(Verb.CLICK, element.index)


def write(element: Element, text: str) -> Action:
    return Action(Verb.TYPE, element.index, text)


def copy(element: Element) -> Action:
    return Action(Verb.COPY, element.index)


def press(key: str) -> Action:
    return Action(Verb.PRESS, text=key)


def quoted(page: Snapshot) -> list[str]:
    """Quoted pieces of the instruction."""
    return re.findall(r'"([^"]*)"', page.instruction)


def read(page: Snapshot, pattern: str) -> tuple[str, ...]:
    """Groups of `pattern` in the instruction; raises `OracleLost` when it does not match."""
    found = re.search(pattern, page.instruction)
    if not found:
        raise OracleLost(f"the instruction is not as expected: {page.instruction!r}")
    return found.groups()
