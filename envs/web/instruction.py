"""What an instruction says: its words and its fields, the pieces of it that may have to be typed. No task is named here."""

from __future__ import annotations

import re
from functools import lru_cache

FIELDS = 8
"""Most fields of an instruction."""

_QUOTED = re.compile(r'"([^"]+)"')
_KEYED = re.compile(r"\b[\w ]{1,20}?: ?([^:,\n]+?(?:, [A-Z]{2})?)(?= [a-z]+:| on \d|[.;]|,|$)")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}")
_TIME = re.compile(r"\d{1,2}:\d\d ?(?:[AaPp][Mm])?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b")
_MAIL = re.compile(r"\S+@\S+\w|[@#]\w+")
_WORD = re.compile(r"[\w@#]+(?:['-]\w+)*")


@lru_cache(maxsize=20_000)
def tokens_of(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers of `text`, in order."""
    return tuple(word.lower() for word in _WORD.findall(text))


@lru_cache(maxsize=20_000)
def fields_of(instruction: str) -> tuple[str, ...]:
    """Up to eight pieces that may have to be typed: quoted, keyed, dates, times, addresses, names, numbers, then words."""
    found: list[str] = []
    quoted = _QUOTED.findall(instruction)
    _gather(found, quoted)
    rest = _QUOTED.sub(" ", instruction)
    for pattern in (_DATE, _TIME, _MAIL, _KEYED, _NAME, _NUMBER):
        _gather(found, [piece.strip(" .") for piece in pattern.findall(rest)])
    if len(found) < FIELDS:
        words = sorted({word for word in _WORD.findall(rest) if len(word) > 3}, key=rest.index)
        _gather(found, words)
    return tuple(found[:FIELDS])


def _gather(found: list[str], pieces: list[str]) -> None:
    for piece in pieces:
        if piece and piece not in found:
            found.append(piece)
