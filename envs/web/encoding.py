"""A page as a fixed number of floats: SLOTS rows of WIDTH features, then TAIL features of the instruction. Pure functions.

For policies that are plain networks; `rows_of` gives a set policy its [SLOTS, WIDTH] view. Nothing needs a layout but the boxes of
drawn shapes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.web.actions import SLOTS
from envs.web.backend import Element, Snapshot
from envs.web.instruction import FIELDS, fields_of, tokens_of

Float32 = NDArray[np.float32]

KINDS = ("button", "link", "field", "tick", "option", "area", "label", "shape", "icon", "text")
_KIND_OF = {
    "button": 0, "input:button": 0, "input:submit": 0, "input:reset": 0, "a": 1, "input:checkbox": 3, "input:radio": 3,
    "select": 4, "option": 4, "textarea": 5, "label": 6, "canvas": 7, "img": 8,
}  # fmt: skip
_SHAPES = frozenset(("rect", "circle", "ellipse", "line", "polygon", "polyline", "path", "text", "tspan"))
_TEXT_HASH, _ATTRIBUTE_HASH, _VALUE_HASH, _INSTRUCTION_HASH = 8, 8, 4, 48
_PLAIN = 1 + len(KINDS) + 7 + 2 + 3 + 4 + 1 + 2 + 4 + 1
WIDTH = _PLAIN + 3 * FIELDS + _TEXT_HASH + _ATTRIBUTE_HASH + _VALUE_HASH
"""Features of an element."""
TAIL = _INSTRUCTION_HASH + 4
"""Features of the instruction and the clipboard, and the share of the episode that is over."""
SIZE = SLOTS * WIDTH + TAIL


def encode_page(snapshot: Snapshot, slots: Sequence[Element], spent: float) -> Float32:
    """[SIZE] float32 of a page; `spent` is the share of the horizon that is over, 0 to 1."""
    flat = np.zeros(SIZE, np.float32)
    rows = rows_of(flat)
    fields = fields_of(snapshot.instruction)
    for slot, element in enumerate(slots):
        rows[slot] = _encode_element(element, snapshot.instruction)
        rows[slot, _PLAIN - 1] = slot / SLOTS
    tail = flat[SLOTS * WIDTH :]
    tail[:_INSTRUCTION_HASH] = hashed(snapshot.instruction, _INSTRUCTION_HASH)
    clip = snapshot.clipboard
    tail[_INSTRUCTION_HASH:] = (len(fields) / FIELDS, bool(clip), clip in fields, spent)
    return flat


def rows_of(flat: Float32) -> Float32:
    """[..., SLOTS, WIDTH] view of observations [..., SIZE]; a row of zeros is an empty slot."""
    return flat[..., : SLOTS * WIDTH].reshape(*flat.shape[:-1], SLOTS, WIDTH)


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
def _places(instruction: str) -> dict[str, int]:
    """Word -> where it first stands in the instruction."""
    return {word: place for place, word in reversed(list(enumerate(tokens_of(instruction))))}


@lru_cache(maxsize=50_000)
def _encode_element(element: Element, instruction: str) -> Float32:
    """[WIDTH] features of an element, without its slot. Most elements stay as they are from step to step."""
    fields, words, places = fields_of(instruction), tokens_of(instruction), _places(instruction)
    own = tokens_of(element.text)
    kind = kind_of(element)
    box = element.box if kind == 7 else (0.0, 0.0, 0.0, 0.0)
    inside = [word in places for word in own]
    first = next((places[word] for word in own if word in places), -1)
    number = _number(element.text)
    row = [1.0, *(float(kind == place) for place in range(len(KINDS)))]
    row += [element.interactive, element.editable, element.checked, element.disabled]
    row += [element.focused, element.scrollable, element.last]
    row += [min(element.clicks, 3) / 3, min(element.typed, 3) / 3]
    row += [bool(element.text), bool(element.value), math.log1p(len(element.text)) / 5]
    row += [sum(inside) / len(own) if own else 0.0, _share(own, words), _share(tokens_of(element.around), words)]
    row += [_share(tokens_of(element.attributes), words), (first + 1) / (len(words) + 1)]
    row += [number is not None, math.tanh((number or 0.0) / 20)]
    row += [side / 200 for side in box]
    row += [0.0]  # the slot, see encode_page
    for text in (element.text, element.value):
        row += [float(place < len(fields) and fields[place] == text) for place in range(FIELDS)]
    row += [float(place < len(fields) and fields[place] in element.around) for place in range(FIELDS)]
    return np.array([*row, *_hashes(element.text, element.attributes, element.value)], np.float32)


def _share(some: tuple[str, ...], words: tuple[str, ...]) -> float:
    """Share of the instruction's words that `some` contains."""
    return len(set(some) & set(words)) / max(1, len(set(words))) if some else 0.0


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@lru_cache(maxsize=20_000)
def _hashes(text: str, attributes: str, value: str) -> tuple[float, ...]:
    return (*hashed(text, _TEXT_HASH), *hashed(attributes, _ATTRIBUTE_HASH), *hashed(value, _VALUE_HASH))


@lru_cache(maxsize=20_000)
def hashed(text: str, size: int) -> tuple[float, ...]:
    """Signed feature hashing of the words of `text` into `size` numbers between -1 and 1; the same in every process."""
    total = np.zeros(size)
    for word in tokens_of(text):
        code = zlib.crc32(word.encode())
        total[code % size] += 1.0 if code >> 16 & 1 else -1.0
    return tuple((total / max(1.0, float(np.abs(total).max()))).tolist())
