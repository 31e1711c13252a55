"""From words to an element: the rule grounder of the intermediate language (language.py), and words for an element.

A description is scored against every element by its quoted text, its other words, its kind word (button, link, field, box) and
its order word (first, second, last). It refuses rather than guesses: two elements that fit alike, or none that fits well enough,
give no element and one line that says why. It sees what an agent sees, and no task is named here. `describe` goes the other way,
so that grounding can be measured on the steps of oracles: describe the element, find it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from envs.web.backend import Action, Element, Snapshot, Verb
from envs.web.instruction import tokens_of
from envs.web.language import Line, Word

LEAST = 0.4
"""An element that fits less than this is not taken."""
MARGIN = 0.04
"""Elements whose fit differs by less than this fit alike."""
ORDERS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_IDLE = frozenset(
    tokens_of(
        "the a an of in on at with that which says say saying labelled labeled named called and to for from by is its it "
        "element item this next under inside below above entitled reading containing contains whose has page"
    )
)
_QUOTED = re.compile(r"\"([^\"]+)\"|'([^']+)'|`([^`]+)`|“([^”]+)”")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_PRESSED = ("button", "input:button", "input:submit", "input:reset")
_SHAPE_TAGS = frozenset(("rect", "circle", "ellipse", "line", "polygon", "polyline", "path"))
_QUOTE_WEIGHT, _WORD_WEIGHT, _KIND_WEIGHT = 0.55, 0.30, 0.15


def _is_shape(*tags: str) -> Callable[[Element], bool]:
    return lambda e: e.tag in (tags or _SHAPE_TAGS)


_KINDS: dict[str, Callable[[Element], bool]] = {
    "button": lambda e: e.tag in _PRESSED or "button" in e.attributes.lower().split(),
    "link": lambda e: e.tag == "a" or (e.interactive and not e.editable and e.tag in ("span", "li", "div", "h3")),
    "tab": lambda e: e.tag == "a" or (e.interactive and e.tag in ("li", "span", "div")),
    "field": lambda e: e.editable,
    "input": lambda e: e.editable,
    "textbox": lambda e: e.editable,
    "box": lambda e: e.editable or e.tag == "input:checkbox",
    "checkbox": lambda e: e.tag == "input:checkbox",
    "radio": lambda e: e.tag == "input:radio",
    "option": lambda e: e.tag in ("option", "input:radio"),
    "list": lambda e: e.tag == "select",
    "dropdown": lambda e: e.tag == "select",
    "menu": lambda e: e.tag == "select",
    "textarea": lambda e: e.tag == "textarea",
    "area": lambda e: e.tag == "textarea",
    "icon": lambda e: e.tag == "img" or (not e.text and not e.editable and not e.tag.startswith("input")),
    "image": lambda e: e.tag in ("img", "canvas"),
    "picture": lambda e: e.tag in ("img", "canvas"),
    "section": lambda e: e.tag in ("h3", "summary"),
    "heading": lambda e: e.tag in ("h1", "h2", "h3", "h4"),
    "label": lambda e: e.tag == "label",
    "cell": lambda e: e.tag in ("td", "th"),
    "text": lambda e: bool(e.text) and not e.interactive,
    "shape": _is_shape(),
    "circle": _is_shape("circle", "ellipse"),
    "rectangle": _is_shape("rect"),
    "square": _is_shape("rect"),
    "polygon": _is_shape("polygon"),
    "triangle": _is_shape("polygon"),
    "line": _is_shape("line", "polyline"),
}
"""Kind word -> which elements are of that kind."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a description leads to."""

    element: Element | None
    score: float
    """How well the best element fits, 0 to 1."""
    why: str
    """One line when there is no element."""


@dataclass(frozen=True, slots=True)
class Grounded:
    """What a line leads to."""

    action: Action | None
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A description taken apart."""

    quoted: tuple[str, ...]
    words: tuple[str, ...]
    kinds: tuple[str, ...]
    place: int | None
    """Place among those that fit alike, from 0; -1 is the last."""


def ground(line: Line, page: Snapshot) -> Grounded:
    """Turn a line into an action on this page; no action, and why, where the description is unclear."""
    match line.word:
        case Word.DONE:
            return Grounded(Action(Verb.DONE), 1.0, "")
        case Word.PRESS | Word.SCROLL:
            return Grounded(Action(Verb(line.word.value), text=line.target), 1.0, "")
        case Word.SELECT:
            return _select(line, page)
        case Word.TYPE | Word.PASTE:
            text = line.text if line.word is Word.TYPE else page.clipboard
            if not text:
                return Grounded(None, 0.0, "nothing has been copied yet")
            return _act(Verb.TYPE, find_element(line.target, _candidates(Verb.TYPE, page)), text)
        case Word.COPY:
            return _act(Verb.COPY, find_element(line.target, _candidates(Verb.COPY, page)))
    return _act(Verb.CLICK, find_element(line.target, page.elements, prefer=lambda e: e.interactive))


def find_element(
    description: str, elements: Sequence[Element], *, prefer: Callable[[Element], bool] | None = None
) -> Found:
    """The one element that `description` speaks of; `prefer` settles between elements that fit alike."""
    if not elements:
        return Found(None, 0.0, f"no element of the page can be meant by {description[:60]!r}")
    wanted = _take_apart(description)
    alike, best = _alike(wanted, elements)
    if best < LEAST:
        return Found(None, best, f"nothing on the page fits {description[:60]!r}")
    if wanted.place is not None:
        return _in_order(wanted.place, alike, best, description)
    if prefer is not None and len(alike) > 1:
        alike = [e for e in alike if prefer(e)] or alike
    if len(alike) > 1:
        return Found(None, best, f"{len(alike)} elements fit {description[:60]!r}: say which, for example the first")
    return Found(alike[0], best, "")


def describe(element: Element, page: Snapshot, *, order: bool = True, among: Sequence[Element] = ()) -> str:
    """Words for an element as a planner would say them; with `order`, its place among those that the same words fit.

    `among` are the elements that can be meant, all of the page by default.
    """
    words = _words_for(element)
    alike = [one.index for one in _alike(_take_apart(words), among or page.elements)[0]]
    if not order or len(alike) < 2 or element.index not in alike:
        return f"the {words}"
    place = alike.index(element.index)
    return f"the {ORDERS[place] if place < len(ORDERS) else f'{place + 1}th'} {words}"


def to_line(action: Action, page: Snapshot, *, order: bool = True) -> Line:
    """The line that says `action` on this page."""
    if action.verb in (Verb.PRESS, Verb.SCROLL):
        return Line(Word(action.verb.value), action.text)
    if action.verb is Verb.DONE:
        return Line(Word.DONE)
    element = page.elements[action.element]
    if element.tag == "option" and action.verb is Verb.CLICK:
        lists = [e for e in page.elements if e.tag == "select"]
        words = describe(_list_of(element, page), page, order=order, among=lists)
        return Line(Word.SELECT, words, element.text)
    words = describe(element, page, order=order, among=_candidates(action.verb, page))
    if action.verb is not Verb.TYPE:
        return Line(Word(action.verb.value), words)
    return Line(Word.PASTE, words) if action.text == page.clipboard else Line(Word.TYPE, words, action.text)


def _alike(wanted: _Wanted, elements: Sequence[Element]) -> tuple[list[Element], float]:
    """The elements that fit best, in the page's order, and how well."""
    scores = [_fit(wanted, element) for element in elements]
    best = max(scores, default=0.0)
    return [e for e, score in zip(elements, scores, strict=True) if score > best - MARGIN], best


def _candidates(verb: Verb, page: Snapshot) -> list[Element]:
    """Elements on which `verb` makes sense."""
    if verb is Verb.TYPE:
        return [e for e in page.elements if e.editable]
    return [e for e in page.elements if verb is not Verb.COPY or e.text or e.value]


def _act(verb: Verb, found: Found, text: str = "") -> Grounded:
    if found.element is None:
        return Grounded(None, found.score, found.why)
    return Grounded(Action(verb, found.element.index, text), found.score, "")


def _select(line: Line, page: Snapshot) -> Grounded:
    """The option of a list; where the page has no lists, whatever can be clicked and says so."""
    lists = [e for e in page.elements if e.tag == "select"]
    if not lists:
        quoted = line.text.replace('"', "'")
        found = find_element(f'"{quoted}"', page.elements, prefer=lambda e: e.interactive)
        return _act(Verb.CLICK, found)
    chosen = Found(lists[0], 1.0, "") if len(lists) == 1 else find_element(line.target, lists)
    if chosen.element is None:
        return Grounded(None, chosen.score, chosen.why)
    options = _options_of(chosen.element, page)
    same = [e for e in options if e.text.lower() == line.text.strip().lower()]
    if not same:
        return Grounded(None, 0.0, f"the list has no option {line.text[:60]!r}")
    return Grounded(Action(Verb.CLICK, same[0].index), chosen.score, "")


def _options_of(listed: Element, page: Snapshot) -> list[Element]:
    """The options that follow a list, in the page's order."""
    options = []
    for element in page.elements[listed.index + 1 :]:
        if element.tag not in ("option", "optgroup"):
            break
        options.append(element)
    return options


def _list_of(option: Element, page: Snapshot) -> Element:
    before = [e for e in page.elements[: option.index] if e.tag == "select"]
    return before[-1] if before else option


def _in_order(place: int, alike: Sequence[Element], best: float, description: str) -> Found:
    if place >= len(alike):
        return Found(None, best, f"only {len(alike)} element(s) fit {description[:60]!r}")
    return Found(alike[place], best, "")


def _take_apart(description: str) -> _Wanted:
    quoted = tuple(next(part for part in found.groups() if part) for found in _QUOTED.finditer(description))
    words, kinds, place = [], [], None
    for word in tokens_of(_QUOTED.sub(" ", description)):
        number = _ORDINAL.fullmatch(word)
        if word in ORDERS or number:
            place = ORDERS.index(word) if word in ORDERS else int(number[1]) - 1 if number else None
        elif word == "last":
            place = -1
        elif word in _KINDS or word.removesuffix("s") in _KINDS:
            kinds.append(word if word in _KINDS else word.removesuffix("s"))
        elif word not in _IDLE:
            words.append(word)
    return _Wanted(quoted, tuple(words), tuple(dict.fromkeys(kinds)), None if place is None else max(place, -1))


def _fit(wanted: _Wanted, element: Element) -> float:
    """Weighted mean of the parts that the description has, 0 to 1."""
    parts = []
    if wanted.quoted:
        parts.append((_QUOTE_WEIGHT, _fit_quotes(wanted.quoted, element)))
    if wanted.words:
        parts.append((_WORD_WEIGHT, _fit_words(wanted.words, element)))
    if wanted.kinds:
        parts.append((_KIND_WEIGHT, max(float(_KINDS[kind](element)) for kind in wanted.kinds)))
    if not parts:
        return 0.0
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


def _fit_quotes(quoted: Sequence[str], element: Element) -> float:
    """How well the element says one of the quoted texts, and the text around it the others."""
    own = [_fit_quote(piece, element) for piece in quoted]
    best = max(own)
    rest = [piece for place, piece in enumerate(quoted) if place != own.index(best)]
    if not rest:
        return best
    near = sum(piece.lower() in element.around.lower() for piece in rest) / len(rest)
    return 0.6 * best + 0.4 * near


def _fit_quote(piece: str, element: Element) -> float:
    said = (element.text, element.value if not element.editable else "")
    if piece in said:
        return 1.0
    low = piece.lower()
    if low in (text.lower() for text in said):
        return 0.85
    if low == element.around.lower() and not element.text:
        return 0.8
    if low in element.attributes.lower().split():
        return 0.75
    if low in element.text.lower():
        return 0.6
    return 0.4 if low in element.around.lower() else 0.0


def _fit_words(words: Sequence[str], element: Element) -> float:
    """Mean over the words of where each is found, with a little for an element that says nothing else."""
    own = tokens_of(element.text) or (() if element.editable else tokens_of(element.value))
    attributes = tokens_of(re.sub(r"[-_]", " ", element.attributes))
    around = tokens_of(element.around)
    total = sum(
        1.0 if _holds(own, word) else 0.85 if _holds(attributes, word) else 0.5 if _holds(around, word) else 0.0
        for word in words
    )
    extra = sum(word not in words for word in own) / len(own) if own else 0.5
    joined = "".join(words)
    whole = 0.95 if joined in attributes or joined in own else 0.0
    return max(total / len(words), whole) - 0.2 * extra


def _holds(some: Sequence[str], word: str) -> bool:
    return word in some or (len(word) > 3 and any(one.startswith(word) or word.startswith(one + "s") for one in some))


def _words_for(element: Element) -> str:
    """Kind and what tells the element apart: its text, else its label, else a word of its attributes."""
    kind = _kind_word(element)
    text = (element.text or ("" if element.editable else element.value))[:60]
    if text and element.tag not in ("input:checkbox", "input:radio"):
        return f"{kind} {_quote(text)}"
    if element.around and element.tag in ("input:checkbox", "input:radio"):
        return f"{kind} {_quote(element.around[:60])}"
    named = [word for word in element.attributes.split() if re.fullmatch(r"[A-Za-z][\w-]+", word)]
    named = [word for word in named if word not in ("text", "password", "button", "submit")] or named
    if named:
        return f"{kind} {_quote(named[0])}"
    return f"{kind} {_quote(element.around[:60])}" if element.around else kind


def _kind_word(element: Element) -> str:
    order = (
        "checkbox",
        "radio",
        "textarea",
        "field",
        "dropdown",
        "option",
        "button",
        "circle",
        "rectangle",
        "line",
        "shape",
    )
    found = next((kind for kind in order if _KINDS[kind](element)), "")
    if found:
        return found
    if element.tag == "a" or (element.interactive and element.text):
        return "link"
    return "cell" if element.tag in ("td", "th") else "text" if element.text else "icon"


def _quote(text: str) -> str:
    return f"'{text}'" if '"' in text or "'" not in text else f'"{text}"'
