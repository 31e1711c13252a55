"""Trusted input: actions done by the browser's own mouse and keyboard, as a person's would be. No event is made by a script.

Only the place to press is asked of the page: a point where the element, and nothing that covers it, would be hit (scrolled into
view first where it must be). An element that cannot be hit anywhere is not clicked: the action then changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from envs.web.backend import Action, Verb
from envs.web.cdp import Connection

_CONTROL, _SHIFT = 2, 8
_LONG = 64
"""Longer texts are put in as a whole, as pasting does."""

_NAMED = {
    "Enter": 13, "Tab": 9, "Escape": 27, "Backspace": 8, "Delete": 46,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip
_PLAIN = {
    " ": 32,
    ";": 186,
    "=": 187,
    ",": 188,
    "-": 189,
    ".": 190,
    "/": 191,
    "`": 192,
    "[": 219,
    "\\": 220,
    "]": 221,
    "'": 222,
}
_SHIFTED = dict(zip(')!@#$%^&*(:+<_>?~{|}"', "0123456789;=,-./`[\\]'", strict=True))
"""Characters of an American keyboard with shift, and the keys that they are on."""

Key = dict[str, Any]


class Hands:
    """Mouse and keyboard of one page."""

    def __init__(self, connection: Connection, session: str, evaluate: Callable[[str], str]) -> None:
        self._connection, self._session, self._evaluate = connection, session, evaluate
        self._sent: list[int] = []

    def carry_out(self, action: Action) -> None:
        """Do `action` and wait until the page has taken it; raises `BrowserError` when it never does."""
        if action.verb is Verb.PRESS:
            self._press(*key_of(action.text))
        elif action.verb is Verb.SCROLL:
            self._scroll(action.text)
        elif action.verb is not Verb.DONE:
            told = json.loads(self._evaluate(f"__agent.reach({json.dumps(action.verb.value)},{int(action.element)})"))
            if told is not None and action.verb is Verb.CLICK:
                self._click(told)
            elif told is not None and action.verb is Verb.TYPE and told["free"]:
                self._write(told, action.text)
        self._settle()

    def _click(self, told: dict[str, Any]) -> None:
        modifiers = _CONTROL if told["many"] else 0
        at = {"x": told["x"], "y": told["y"], "modifiers": modifiers}
        self._mouse({**at, "type": "mouseMoved"})
        self._mouse({**at, "type": "mousePressed", "button": "left", "buttons": 1, "clickCount": 1})
        self._mouse({**at, "type": "mouseReleased", "button": "left", "clickCount": 1})
        if told["moves"] is not None:  # the list has dropped open: walk to the option and take it
            self._settle()
            for _ in range(abs(told["moves"])):
                self._press(*key_of("ArrowDown" if told["moves"] > 0 else "ArrowUp"))
            self._press(*key_of("Enter"))

    def _write(self, told: dict[str, Any], text: str) -> None:
        self._click(told)
        if told["kind"]:
            self._type(digits_of(text, told["kind"]))
            return
        self._press(*key_of("a", _CONTROL, commands=("selectAll",)))
        if not text:
            self._press(*key_of("Delete"))
        elif len(text) > _LONG:
            self._send("Input.insertText", {"text": text})
        else:
            self._type(text)

    def _type(self, text: str) -> None:
        for letter in text:
            if " " <= letter <= "~":
                self._press(*key_of(letter))
            else:
                self._send("Input.insertText", {"text": letter})

    def _scroll(self, way: str) -> None:
        told = json.loads(self._evaluate("__agent.roll()"))
        far = -told["far"] if way == "up" else told["far"]
        self._mouse({"type": "mouseMoved", "x": told["x"], "y": told["y"]})
        self._mouse({"type": "mouseWheel", "x": told["x"], "y": told["y"], "deltaX": 0, "deltaY": far})
        self._settle()
        self._evaluate("__agent.settle()")  # the page hears of a scroll with its next frame

    def _mouse(self, event: dict[str, Any]) -> None:
        self._send("Input.dispatchMouseEvent", event)

    def _press(self, *events: Key) -> None:
        for event in events:
            self._send("Input.dispatchKeyEvent", event)

    def _send(self, method: str, params: dict[str, Any]) -> None:
        self._sent.append(self._connection.post(method, params, self._session))

    def _settle(self) -> None:
        """Wait until everything sent has been taken by the page."""
        sent, self._sent = self._sent, []
        for number in sent:
            self._connection.take(number)


def key_of(name: str, modifiers: int = 0, commands: tuple[str, ...] = ()) -> tuple[Key, Key]:
    """The events of pressing and releasing a key: one of the named ones, or the one that writes the character `name`."""
    code, text = _NAMED.get(name, 0), ""
    if not code:
        base = _SHIFTED.get(name, name)
        code = _PLAIN.get(base, ord(base.upper()))
        text = "" if modifiers & _CONTROL else name
        modifiers |= _SHIFT if name in _SHIFTED or name.isupper() else 0
    elif name == "Enter":
        text = "\r"
    event: Key = {"key": name, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code, "modifiers": modifiers}
    down: Key = {"type": "keyDown" if text else "rawKeyDown", **event}
    if text:
        down.update(text=text, unmodifiedText=text)
    if commands:
        down["commands"] = list(commands)
    return down, {"type": "keyUp", **event}


def digits_of(text: str, kind: str) -> str:
    """The keys that fill a date or time field from its first part on; empty for a text that is none."""
    if kind == "date":
        found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
        return f"{int(found[1]):02}{int(found[2]):02}{found[3]}" if found else ""
    found = re.fullmatch(r"(\d{1,2}):(\d\d) ?(?:([AaPp])[Mm])?", text)
    if not found:
        return ""
    hour = int(found[1])
    half = found[3].upper() if found[3] else "P" if hour >= 12 else "A"
    return f"{(hour % 12) or 12:02}{found[2]}{half}"
