"""The action space: every action as one number, over the slots that an observation shows. Masks say which make sense.

0 ..        click slot i (an option of a list is selected)             SLOTS
COPY ..     take the text of slot i to the clipboard                   SLOTS
TYPE ..     type field j of the instruction into slot i, j outermost;  (FIELDS + 1) * SLOTS
            the last field is the clipboard
SCROLL ..   up, down                                                   2
PRESS ..    keys                                                       len(KEYS)
DONE        the task is done                                           1
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.web.backend import Action, Element, Snapshot, Verb
from envs.web.instruction import FIELDS, fields_of, is_measure, marks_of, tokens_of

SLOTS = 48
"""Elements that an observation shows and an action can name."""
KEYS = ("Enter", "Tab", "Escape", "Backspace", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight")
COPY = SLOTS
TYPE = COPY + SLOTS
SCROLL = TYPE + (FIELDS + 1) * SLOTS
PRESS = SCROLL + 2
DONE = PRESS + len(KEYS)
COUNT = DONE + 1

_PRESSED = frozenset({"button", "input:submit", "input:radio", "input:checkbox"})
"""What decides something when it is pressed: shown before plain links where not all can be."""

Mask = NDArray[np.bool_]
_NAMING = frozenset(("quoted", "keyed", "name", "mail"))
"""Kinds of fields that tell which part of a large page is meant."""


def shown(snapshot: Snapshot) -> tuple[Element, ...]:
    """The elements in slots, in the page's order: all where they fit, else those that can be acted on, are measures or have to do with the instruction."""
    elements = snapshot.elements
    if len(elements) <= SLOTS:
        return elements
    named = set(tokens_of(snapshot.instruction))
    pieces = [mark.text for mark in marks_of(snapshot.instruction) if mark.kind in _NAMING]

    def weight(element: Element) -> tuple[int, int]:
        overlap = not named.isdisjoint(tokens_of(element.text))
        beside = any(piece in element.around for piece in pieces)
        icon = not element.text and not element.value and bool(element.attributes)
        active = 2 * element.interactive + 2 * element.editable + (element.tag in _PRESSED)
        return -(active + overlap + 3 * beside + icon + 4 * is_measure(element.text)), element.index

    kept = sorted(elements, key=weight)[:SLOTS]
    return tuple(sorted(kept, key=lambda element: element.index))


def decode(number: int, snapshot: Snapshot, slots: Sequence[Element]) -> Action | None:
    """The action that `number` stands for on this page; None when it names nothing that is there."""
    if number >= DONE:
        return Action(Verb.DONE)
    if number >= PRESS:
        return Action(Verb.PRESS, text=KEYS[number - PRESS])
    if number >= SCROLL:
        return Action(Verb.SCROLL, text=("up", "down")[number - SCROLL])
    slot = number % SLOTS
    if slot >= len(slots):
        return None
    if number < TYPE:
        return Action(Verb.CLICK if number < COPY else Verb.COPY, slots[slot].index)
    fields = (*fields_of(snapshot.instruction),)
    place = (number - TYPE) // SLOTS
    text = snapshot.clipboard if place == FIELDS else fields[place] if place < len(fields) else ""
    return Action(Verb.TYPE, slots[slot].index, text) if text and slots[slot].editable else None


def encode(action: Action, snapshot: Snapshot, slots: Sequence[Element]) -> int | None:
    """The number of `action` on this page; None when the action space cannot say it."""
    if action.verb is Verb.DONE:
        return DONE
    if action.verb is Verb.PRESS:
        return PRESS + KEYS.index(action.text) if action.text in KEYS else None
    if action.verb is Verb.SCROLL:
        return SCROLL + ("up", "down").index(action.text)
    slot = next((place for place, element in enumerate(slots) if element.index == action.element), None)
    if slot is None:
        return None
    if action.verb is not Verb.TYPE:
        return (0 if action.verb is Verb.CLICK else COPY) + slot
    fields = fields_of(snapshot.instruction)
    if action.text in fields:
        return TYPE + fields.index(action.text) * SLOTS + slot
    return TYPE + FIELDS * SLOTS + slot if action.text == snapshot.clipboard else None


def mask_of(snapshot: Snapshot, slots: Sequence[Element], *, may_declare: bool) -> Mask:
    """[COUNT] actions that can change something; `may_declare` allows saying that the task is done."""
    mask = np.zeros(COUNT, np.bool_)
    count, fields = len(slots), len(fields_of(snapshot.instruction))
    mask[:count] = [not element.disabled for element in slots]
    mask[COPY : COPY + count] = [bool(element.text or element.value) for element in slots]
    editable = np.array([element.editable for element in slots], np.bool_)
    grid = mask[TYPE:SCROLL].reshape(FIELDS + 1, SLOTS)
    grid[:fields, :count] = editable
    grid[FIELDS, :count] = editable & bool(snapshot.clipboard)
    mask[SCROLL:DONE] = True
    mask[DONE] = may_declare
    return mask
