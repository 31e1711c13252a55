"""A page as a fixed number of floats: SLOTS rows of WIDTH features, then TAIL features of the instruction. Pure functions.

A row is what an element is by itself (PLAIN, with what its neighbours and its like tell about it) and, for each field of the instruction and for the clipboard,
PAIR features of how the two belong together. The tail is what the instruction says, then FIELD features of each field and of the
clipboard. `masks_of` reads from an observation alone which actions make sense. Nothing needs a layout but the boxes of drawn shapes.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.web.actions import COPY, COUNT, DONE, SCROLL, SLOTS, TYPE, Mask
from envs.web.backend import Element, Snapshot
from envs.web.instruction import (
    FIELD_KINDS,
    FIELDS,
    MONTHS,
    Field,
    amount_of,
    day_of,
    kind_of_amount,
    marks_of,
    ordinal_of,
    superlative_of,
    template_of,
    tokens_of,
)

Float32 = NDArray[np.float32]

KINDS = ("button", "link", "field", "tick", "option", "area", "label", "shape", "icon", "text")
_KIND_OF = {
    "button": 0, "input:button": 0, "input:submit": 0, "input:reset": 0, "a": 1, "input:checkbox": 3, "input:radio": 3,
    "select": 4, "option": 4, "textarea": 5, "label": 6, "canvas": 7, "img": 8,
}  # fmt: skip
_SHAPES = frozenset(("rect", "circle", "ellipse", "line", "polygon", "polyline", "path", "text", "tspan"))
_TEXT_HASH, _ATTRIBUTE_HASH, _VALUE_HASH, _TEMPLATE_HASH, _CONTEXT_HASH = 16, 16, 4, 48, 12
_RANKS, _ORDINALS = 8, 10

_OWN = 1 + len(KINDS) + 7 + 4 + 3 + 5 + 2 + 3 + 4 + 4 + _TEXT_HASH + _ATTRIBUTE_HASH + _VALUE_HASH
_PHRASE, _INSIDE = 1 + len(KINDS) + 7 + 4 + 3 + 5, 1 + len(KINDS) + 7 + 4 + 3
_NEAR = 5 + _RANKS + 7
"""What neighbours and elements of the same sort tell."""
_ASKED = 5 + _RANKS + 1
"""Column among those of neighbours: what the instruction asks for by its place or as an extreme."""
_PRESSED = (0, 1, 3)
"""Kinds that are pressed: buttons, links, ticks."""
_STATE = 1 + len(KINDS) + 2
"""First of nine columns: checked, disabled, focused, scrollable, touched last, clicks, inputs, whether clicked, whether filled."""
PLAIN = _OWN + _NEAR
"""Features of an element without the pairs."""
PAIR = 7
"""Features of an element and a field: text is it, value is it, beside it, text and value contain it, next to it, named by its context."""
PAIRS = FIELDS + 1
"""Fields and the clipboard."""
WIDTH = PLAIN + PAIRS * PAIR
"""Features of an element."""
INSTRUCTION = _TEMPLATE_HASH + _ORDINALS + 6
FIELD = 1 + len(FIELD_KINDS) + 1 + 1 + _CONTEXT_HASH + 3
"""Features of a field: there, kind, clipboard, place, context, already entered, on the page, in the clipboard."""
TAIL = INSTRUCTION + PAIRS * FIELD
"""Features of the instruction, of its fields, of the clipboard; the share of the episode that is over is the third last of the instruction's."""
SIZE = SLOTS * WIDTH + TAIL

PRESENT, EDITABLE, DISABLED, HAS_TEXT, HAS_VALUE = 0, 12, 14, 22, 23
"""Columns of a row that masks are read from."""
CLICKED, IS_SAID, IS_PHRASE, AROUND_IS_PHRASE, AFTER_PHRASE, IS_ASKED = (
    20,
    _PHRASE - 2,
    _PHRASE,
    _PHRASE + 1,
    _OWN,
    _OWN + _ASKED,
)
VALUE_IS, NAMED = 1, 6
"""Columns of a pair."""
IS_WORD, IS_CLIP = 1 + FIELD_KINDS.index("word"), 1 + len(FIELD_KINDS)
"""Columns of a field."""
SPENT, MAY_DECLARE = INSTRUCTION - 3, INSTRUCTION - 2
"""Columns of the tail."""


def encode_page(snapshot: Snapshot, slots: Sequence[Element], spent: float, *, may_declare: bool = False) -> Float32:
    """[SIZE] float32 of a page; `spent` is the share of the horizon that is over, 0 to 1."""
    flat = np.zeros(SIZE, np.float32)
    instruction, clip, count = snapshot.instruction, snapshot.clipboard, len(slots)
    if count:
        rows = rows_of(flat)[:count]
        known_rows = b"".join([_row(element, instruction) for element in slots])
        rows[:] = np.frombuffer(known_rows, np.float32).reshape(count, WIDTH)
        pairs = rows[:, PLAIN:].reshape(count, PAIRS, PAIR)
        if clip:
            pairs[:, FIELDS] = [_pair(e.text, e.value, e.around, frozenset(), clip, ()) for e in slots]
        pairs[1:, :, 5] = pairs[:-1, :, 0]
        _near(rows[:, _OWN:PLAIN], rows, slots, instruction)
    tail = flat[SLOTS * WIDTH :]
    tail[: _TEMPLATE_HASH + _ORDINALS] = _told(instruction)
    fields = tail[INSTRUCTION:].reshape(PAIRS, FIELD)
    fields[:FIELDS] = _fields(instruction)
    marks = marks_of(instruction)
    if count:
        fields[:, -3] = pairs[:, :, 1].max(axis=0)
        fields[:, -2] = pairs[:, :, 0].max(axis=0)
    if clip:
        fields[FIELDS, 0] = fields[FIELDS, 1 + len(FIELD_KINDS)] = 1.0
        fields[: len(marks), -1] = [mark.text == clip for mark in marks]
    known = bool(fields[:FIELDS, -1].any())
    tail[INSTRUCTION - 6 : INSTRUCTION] = (len(marks) / FIELDS, bool(clip), known, spent, may_declare, count / SLOTS)
    return flat


def rows_of(flat: Float32) -> Float32:
    """[..., SLOTS, WIDTH] view of observations [..., SIZE]; a row of zeros is an empty slot."""
    return flat[..., : SLOTS * WIDTH].reshape(*flat.shape[:-1], SLOTS, WIDTH)


def masks_of(flat: Float32) -> Mask:
    """[n, COUNT] actions that can change something on the pages of observations [n, SIZE]; equals `actions.mask_of`."""
    rows = rows_of(flat)
    there, tail = rows[:, :, PRESENT] > 0.5, flat[:, SLOTS * WIDTH :]
    mask = np.zeros((len(flat), COUNT), np.bool_)
    mask[:, :COPY] = there & (rows[:, :, DISABLED] < 0.5)
    mask[:, COPY:TYPE] = (rows[:, :, HAS_TEXT] > 0.5) | (rows[:, :, HAS_VALUE] > 0.5)
    known = tail[:, INSTRUCTION:].reshape(-1, PAIRS, FIELD)[:, :, 0] > 0.5
    typed = known[:, :, None] & (rows[:, None, :, EDITABLE] > 0.5)
    mask[:, TYPE:SCROLL] = typed.reshape(len(flat), -1)
    mask[:, SCROLL:DONE] = True
    mask[:, DONE] = tail[:, MAY_DECLARE] > 0.5
    return mask


def kind_of(element: Element) -> int:
    """Index into KINDS."""
    if element.tag in _KIND_OF:
        return _KIND_OF[element.tag]
    if element.tag in _SHAPES:
        return 7
    if element.editable:
        return 2
    if element.text:
        return 1 if element.interactive else 9
    return 8


@lru_cache(maxsize=20_000)
def _row(element: Element, instruction: str) -> bytes:
    """[WIDTH] float32 of an element: by itself and with the fields. Most elements stay as they are from step to step."""
    e = element
    still = Element(
        0, e.tag, e.text, e.value, e.attributes, e.around, e.interactive, e.editable,
        checked=False, disabled=False, focused=False, scrollable=False, clicks=0, typed=0, last=False, box=e.box,
    )  # fmt: skip
    row = _still_row(still, instruction).copy()
    row[_STATE : _STATE + 9] = (
        *(e.checked, e.disabled, e.focused, e.scrollable, e.last),
        *(min(e.clicks, 3) / 3, min(e.typed, 3) / 3, e.clicks > 0, e.typed > 0),
    )
    return row.tobytes()


@lru_cache(maxsize=50_000)
def _still_row(element: Element, instruction: str) -> Float32:
    """The row of an element that nothing was done to: what costs, and stays when the element is clicked, filled or moved on the page."""
    e, kind = element, kind_of(element)
    box = e.box if kind == 7 else (0.0, 0.0, 0.0, 0.0)
    row = _alone(kind, e.text, e.value, f"{e.attributes} {e.tag}", e.interactive, e.editable, box).copy()
    _compare(row, element, instruction)
    row[PLAIN : PLAIN + FIELDS * PAIR] = _pairs(element, instruction).ravel()
    return row


@lru_cache(maxsize=50_000)
def _alone(
    kind: int,
    text: str,
    value: str,
    attributes: str,
    interactive: bool,
    editable: bool,
    box: tuple[float, float, float, float],
) -> Float32:
    """[WIDTH] features of an element that no instruction has a part in; zeros for the others."""
    number = amount_of(text)
    row = [1.0, *(float(kind == place) for place in range(len(KINDS)))]
    row += [interactive, editable, *[0.0] * 9]  # _STATE: see _row
    row += [bool(text), bool(value), math.log1p(len(text)) / 5, *[0.0] * 7]  # _INSIDE: see _compare
    row += [number is not None, math.tanh((number or 0.0) / 20), 0.0]
    row += [*(side / 200 for side in box), *[0.0] * 4]
    row += _hashes(text, attributes, value)
    return np.array(row + [0.0] * (WIDTH - _OWN), np.float32)


def _compare(row: Float32, element: Element, instruction: str) -> None:
    """Fill in what an element, by itself, has to do with the instruction."""
    words, own, number = _places(instruction), tokens_of(element.text), amount_of(element.text)
    inside = [word in words for word in own]
    first = next((words[word] for word in own if word in words), -1)
    named = _is_phrase(element.text, instruction) and not _is_lookalike(element.text, instruction)
    row[_INSIDE : _INSIDE + 7] = (
        sum(inside) / len(own) if own else 0.0,
        _share(own, words),
        _share(tokens_of(element.around), words),
        _is_said(element.attributes, element.tag, instruction),
        (first + 1) / (len(tokens_of(instruction)) + 1),
        named,
        _is_phrase(element.around, instruction),
    )
    row[_PHRASE + 4] = number is not None and str(int(number)) in words
    row[_PHRASE + 9 : _PHRASE + 13] = _calendar(element.text, day_of(instruction))


def _calendar(text: str, date: tuple[int, int]) -> list[float]:
    """Whether `text` is the day of the date, its month, an earlier or a later month."""
    month, day = date
    if not month:
        return [0.0] * 4
    first = text.split(" ", 1)[0].lower()
    shown = MONTHS.index(first) + 1 if first in MONTHS else 0
    return [text == str(day), shown == month, 0 < shown < month, shown > month]


def _near(out: Float32, rows: Float32, slots: Sequence[Element], instruction: str) -> None:
    """Fill [n, _NEAR]: phrases of neighbours, slot, and the place among elements of the same sort, by order and by number."""
    like = tuple([(e.tag, e.attributes, e.text) for e in slots])
    out[:] = _sorted(like, ordinal_of(instruction), superlative_of(instruction))
    out[1:, 0], out[:-1, 1] = rows[:-1, _PHRASE], rows[1:, _PHRASE]
    out[1:, 2], out[:-1, 3] = rows[:-1, _INSIDE], rows[1:, _INSIDE]


@lru_cache(maxsize=2_000)
def _sorted(slots: tuple[tuple[str, str, str], ...], wanted: int, extreme: tuple[str, int] | None) -> Float32:
    """[n, _NEAR] without the phrases, of the elements' tags, attributes and texts.

    `wanted` is the place among its like that the instruction asks for, `extreme` the kind of amount and which end of it; one column says of an element
    that it is what is asked for, or what is pressed right behind it.
    """
    out = np.zeros((len(slots), _NEAR), np.float32)
    out[:, 4] = np.arange(len(slots)) / SLOTS
    groups: dict[str, list[int]] = {}
    asked: list[int] = []
    for place, (tag, attributes, _) in enumerate(slots):
        groups.setdefault(_sort_of(tag, attributes), []).append(place)
    for places in groups.values():
        size = len(places)
        for rank, place in enumerate(places[: 4 * _RANKS]):
            out[place, 5 + min(rank, _RANKS - 1)] = 1.0
            out[place, _ASKED] = rank + 1 == wanted
        out[places[-1], 5 + _RANKS] = 1.0
        out[places, 5 + _RANKS + 2] = min(size, 10) / 10
        if size > 1:
            least, greatest = _extremes(out, places, [amount_of(slots[place][2]) for place in places])
            if extreme is not None and least >= 0 and extreme[0] in ("", kind_of_amount(slots[least][2])):
                asked.append(least if extreme[1] < 0 else greatest)
    for place in asked:
        out[place, _ASKED] = 1.0
        if place + 1 < len(slots) and _KIND_OF.get(slots[place + 1][0]) in _PRESSED:
            out[place + 1, _ASKED] = 1.0
    out[1:, -2:] = out[:-1, 5 + _RANKS + 3 : 5 + _RANKS + 5]
    return out


def _extremes(out: Float32, places: list[int], amounts: list[float | None]) -> tuple[int, int]:
    """Mark the least and the greatest number of elements of one sort; return their places, -1 where there are not two numbers."""
    known = [(amount, place) for amount, place in zip(amounts, places, strict=True) if amount is not None]
    if len(known) < 2:
        return -1, -1
    least, greatest = min(known)[1], max(known)[1]
    out[least, 5 + _RANKS + 3] = out[greatest, 5 + _RANKS + 4] = 1.0
    return least, greatest


@lru_cache(maxsize=20_000)
def _sort_of(tag: str, attributes: str) -> str:
    """What elements of the same sort share: tag and attributes without numbers."""
    return tag + " " + re.sub(r"\d+", "", attributes)


@lru_cache(maxsize=20_000)
def _places(instruction: str) -> dict[str, int]:
    """Word -> where it first stands in the instruction."""
    return {word: place for place, word in reversed(list(enumerate(tokens_of(instruction))))}


def _share(some: tuple[str, ...], words: dict[str, int]) -> float:
    """Share of the instruction's words that `some` contains."""
    return len(words.keys() & some) / max(1, len(words)) if some else 0.0


@lru_cache(maxsize=50_000)
def _is_said(attributes: str, tag: str, instruction: str) -> bool:
    """Whether the instruction says one of the attributes, or the tag, as it stands: the class of an icon, a kind of field, `(1,-2)`."""
    told = instruction.lower()
    words = {word for word in (*attributes.lower().split(), *tag.split(":")) if len(word) > 1}
    return any(word in told and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", told) for word in words)


@lru_cache(maxsize=50_000)
def _is_phrase(text: str, instruction: str) -> bool:
    """Whether all of `text` stands in the instruction, word by word."""
    own = " ".join(tokens_of(text))
    return bool(own) and f" {own} " in _line(instruction)


@lru_cache(maxsize=20_000)
def _line(instruction: str) -> str:
    """The words of an instruction, each between blanks."""
    return f" {' '.join(tokens_of(instruction))} "


def _is_lookalike(text: str, instruction: str) -> bool:
    """Whether `text` has the words of a quoted piece, but is not it: `Sed` where `"sed."` is quoted."""
    quoted = [mark.text for mark in marks_of(instruction) if mark.kind == "quoted"]
    return text not in quoted and any(tokens_of(piece) == tokens_of(text) for piece in quoted)


def _pairs(element: Element, instruction: str) -> Float32:
    """[FIELDS, PAIR] of an element and every field."""
    out, e = np.zeros((FIELDS, PAIR), np.float32), element
    names = frozenset((*tokens_of(e.attributes), *tokens_of(e.around)))
    for place, mark in enumerate(marks_of(instruction)):
        pair = _pair(e.text, e.value, e.around, names, mark.text, mark.context)
        if True in pair:  # of most elements nothing belongs to a field
            out[place] = pair
    return out


def _pair(
    text: str, value: str, around: str, names: frozenset[str], field: str, context: tuple[str, ...]
) -> tuple[bool, ...]:
    named = bool(context) and context[-1] in names
    same, entered = text == field, value == field
    return same, entered, field in around, not same and field in text, not entered and field in value, False, named


@lru_cache(maxsize=20_000)
def _told(instruction: str) -> Float32:
    """Words of the instruction that stay from episode to episode, and the ordinal it asks for."""
    ordinal, out = ordinal_of(instruction), np.zeros(_TEMPLATE_HASH + _ORDINALS, np.float32)
    out[:_TEMPLATE_HASH] = hashed(template_of(instruction), _TEMPLATE_HASH)
    if ordinal:
        out[_TEMPLATE_HASH + min(ordinal, _ORDINALS) - 1] = 1.0
    return out


@lru_cache(maxsize=20_000)
def _fields(instruction: str) -> Float32:
    """[FIELDS, FIELD] what each field is, without what the page says about it."""
    out = np.zeros((FIELDS, FIELD), np.float32)
    for place, mark in enumerate(marks_of(instruction)):
        out[place] = _field(mark)
    return out


def _field(mark: Field) -> list[float]:
    kind = [float(mark.kind == name) for name in FIELD_KINDS]
    return [1.0, *kind, 0.0, mark.place, *hashed(" ".join(mark.context), _CONTEXT_HASH), 0.0, 0.0, 0.0]


@lru_cache(maxsize=20_000)
def _hashes(text: str, attributes: str, value: str) -> tuple[float, ...]:
    return (*hashed(text, _TEXT_HASH), *hashed(attributes, _ATTRIBUTE_HASH), *hashed(value, _VALUE_HASH))


@lru_cache(maxsize=20_000)
def hashed(text: str, size: int) -> tuple[float, ...]:
    """Signed feature hashing of the words of `text` into `size` numbers between -1 and 1; the same in every process."""
    total = [0.0] * size
    for word in tokens_of(text):
        code = zlib.crc32(word.encode())
        total[code % size] += 1.0 if code >> 16 & 1 else -1.0
    largest = max(1.0, max(total), -min(total))
    return tuple([number / largest for number in total])
