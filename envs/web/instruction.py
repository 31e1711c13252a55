"""What an instruction says: its words, its fields (pieces of it that may have to be typed), its dates and ordinals. No task is named here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

FIELDS = 8
"""Most fields of an instruction."""
FIELD_KINDS = ("quoted", "date", "time", "mail", "keyed", "name", "number", "word")

_QUOTED = re.compile(r'"([^"]+)"')
_KEYED = re.compile(r"\b\w+: ?([^:\n]+?)(?=, [a-z]+ [a-z]+:|,? [a-z]+:| on \d|[.;](?: |$)|$)")
_DATE = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}")
_TIME = re.compile(r"\d{1,2}:\d\d ?(?:[AaPp][Mm])?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+(?:[ '-][A-Z][a-z]+)*\b")
_MAIL = re.compile(r"\S+@\S+\w|[@#]\w+")
_WORD = re.compile(r"[\w@#]+(?:['-]\w+)*")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_SPAN = re.compile(r"(?:(\d+)h)? ?(?:(\d+)m)?")
_SUPERLATIVES = {
    **dict.fromkeys(("cheapest",), ("money", -1)),
    **dict.fromkeys(("dearest", "priciest"), ("money", 1)),
    **dict.fromkeys(("shortest", "fastest", "quickest"), ("time", -1)),
    **dict.fromkeys(("longest", "slowest"), ("time", 1)),
    **dict.fromkeys(("least", "lowest", "smallest", "fewest", "minimum"), ("", -1)),
    **dict.fromkeys(("greatest", "largest", "highest", "biggest", "maximum"), ("", 1)),
}
"""Word -> kind of amount (empty: any) and whether the least (-1) or the greatest (1) of its like is meant."""
_CASE = re.compile(r"\b(upper|lower) ?case\b")
_EMPTY = frozenset("the a an and with as is are of into in on for it its that by word text value name".split())  # noqa: SIM905  # shorter so
MONTHS = tuple(
    "january february march april may june july august september october november december".split()  # noqa: SIM905  # shorter so
)
_PATTERNS = (("date", _DATE), ("time", _TIME), ("mail", _MAIL), ("keyed", _KEYED), ("name", _NAME), ("number", _NUMBER))


@dataclass(frozen=True, slots=True)
class Field:
    """One piece of an instruction that may have to be typed."""

    text: str
    kind: str
    """One of FIELD_KINDS."""
    place: float
    """Where it stands in the instruction, 0 to 1."""
    context: tuple[str, ...]
    """The last words before it that mean something: `username`, `from`."""


@lru_cache(maxsize=20_000)
def tokens_of(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers of `text`, in order."""
    return tuple(word.lower() for word in _WORD.findall(text))


def fields_of(instruction: str) -> tuple[str, ...]:
    """Up to eight pieces that may have to be typed: quoted, dates, times, addresses, keyed, names, numbers, then words."""
    return tuple(mark.text for mark in marks_of(instruction))


@lru_cache(maxsize=20_000)
def marks_of(instruction: str) -> tuple[Field, ...]:
    """The fields with what is known about each."""
    found: dict[str, str] = {}
    quoted = _QUOTED.findall(instruction)
    _gather(found, "quoted", quoted)
    for case in _CASE.findall(instruction):  # the same piece as it is asked for
        _gather(found, "quoted", [piece.upper() if case == "upper" else piece.lower() for piece in quoted])
    rest = _QUOTED.sub(" ", instruction)
    for kind, pattern in _PATTERNS:
        _gather(found, kind, [piece.strip(" .") for piece in pattern.findall(rest)])
    if not quoted:  # an instruction that quotes means nothing else to be typed word by word
        _gather(found, "word", sorted({word for word in _WORD.findall(rest) if len(word) > 3}, key=rest.index))
    return tuple(_mark(instruction, text, kind) for text, kind in list(found.items())[:FIELDS])


def _gather(found: dict[str, str], kind: str, pieces: list[str]) -> None:
    for piece in pieces:
        if piece:
            found.setdefault(piece, kind)


def _mark(instruction: str, text: str, kind: str) -> Field:
    at = instruction.find(f'"{text}"' if kind == "quoted" else text)
    before = [word for word in tokens_of(instruction[: max(at, 0)]) if word not in _EMPTY]
    return Field(text, kind, max(at, 0) / max(1, len(instruction)), tuple(before[-2:]))


@lru_cache(maxsize=20_000)
def template_of(instruction: str) -> str:
    """The instruction without what changes from episode to episode: quoted pieces, dates, addresses, names and numbers."""
    rest = _QUOTED.sub(" ", instruction)
    for mark in marks_of(instruction):
        if mark.kind != "word":
            rest = rest.replace(mark.text, " ")
    return rest


@lru_cache(maxsize=20_000)
def ordinal_of(instruction: str) -> int:
    """The place that the instruction asks for (`the 7th result`); 0 when it asks for none."""
    found = _ORDINAL.search(_QUOTED.sub(" ", instruction))
    return int(found[1]) if found else 0


@lru_cache(maxsize=20_000)
def day_of(instruction: str) -> tuple[int, int]:
    """Month and day of the first date (`12/23/2016`); zeros when there is none."""
    found = _DATE.search(instruction)
    if not found:
        return 0, 0
    month, day, *_ = (int(part) for part in found[0].split("/"))
    return month, day


@lru_cache(maxsize=20_000)
def amount_of(text: str) -> float | None:
    """The one number in `text`; minutes of `5h 20m`; None where there is none or more than one."""
    span = _SPAN.fullmatch(text)
    if span and any(span.groups()):
        return 60.0 * int(span[1] or 0) + int(span[2] or 0)
    found = re.findall(r"-?\d+(?:\.\d+)?", text.replace(",", ""))
    return float(found[0][:15]) if len(found) == 1 else None


@lru_cache(maxsize=20_000)
def kind_of_amount(text: str) -> str:
    """`money`, `time` or, of any other amount, the empty string."""
    return "money" if "$" in text else "time" if _SPAN.fullmatch(text) else ""


@lru_cache(maxsize=20_000)
def superlative_of(instruction: str) -> tuple[str, int] | None:
    """Kind of amount and -1 or 1 for the least or the greatest, when the instruction asks for the extreme of its like: `the cheapest`."""
    words = tokens_of(_QUOTED.sub(" ", instruction))
    return next((_SUPERLATIVES[word] for word in words if word in _SUPERLATIVES), None)


def is_measure(text: str) -> bool:
    """Whether `text` is money, a span of time or a month: what a page compares, or is steered by, though nobody names it. Plain numbers are too common."""
    return (amount_of(text) is not None and kind_of_amount(text) != "") or text.lower() in MONTHS
