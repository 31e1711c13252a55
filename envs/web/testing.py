"""Pages made by hand, for tests of what reads pages: no browser is needed, and a page says exactly what the test says."""

from __future__ import annotations

from typing import Any

from envs.web.backend import Element, Snapshot

_PLAIN: dict[str, Any] = {
    "index": 0, "tag": "button", "text": "", "value": "", "attributes": "", "around": "", "interactive": True,
    "editable": False, "checked": False, "disabled": False, "focused": False, "scrollable": False, "clicks": 0,
    "typed": 0, "last": False, "box": (0.0, 0.0, 0.0, 0.0),
}  # fmt: skip


def make_page(*elements: dict[str, Any], instruction: str = "Click.", **overrides: Any) -> Snapshot:
    """A page of elements numbered in order; each is given by what differs from a blank button."""
    made = tuple(Element(**{**_PLAIN, **one, "index": index}) for index, one in enumerate(elements))
    told = {"ended": False, "raw_reward": 0.0, "clock_ms": 0.0, **overrides}
    return Snapshot(instruction, made, **told)


def button(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, **more}


def field(attributes: str, value: str = "", **more: Any) -> dict[str, Any]:
    return {"tag": "input:text", "attributes": attributes, "value": value, "editable": True, **more}


def checkbox(around: str, **more: Any) -> dict[str, Any]:
    return {"tag": "input:checkbox", "around": around, **more}


def link(text: str, **more: Any) -> dict[str, Any]:
    return {"tag": "a", "text": text, **more}


def words(text: str, **more: Any) -> dict[str, Any]:
    return {"tag": "p", "text": text, "interactive": False, **more}
