"""Named state of a page for reward programs: what can be seen on it, never how the site judges it."""

from __future__ import annotations

from envs.family import Variable
from envs.web.backend import Action, Element, Snapshot, Verb
from envs.web.instruction import FIELDS, fields_of, tokens_of

VARIABLES: tuple[Variable, ...] = tuple(
    Variable(name=name, unit=unit, low=0.0, high=high, meaning=meaning)
    for name, unit, high, meaning in (
        ("elements", "1", 400.0, "elements on the page"),
        ("fields", "1", float(FIELDS), "pieces of the instruction that may have to be typed"),
        ("fields_entered", "1", 1.0, "share of the quoted or named pieces that stand in an input of the page"),
        ("inputs_filled", "1", 1.0, "share of the page's inputs that are not empty"),
        ("ticked", "1", 400.0, "elements that are checked, selected or expanded"),
        ("ticked_named", "1", 1.0, "share of those whose text the instruction contains"),
        ("clicked", "1", 1.0, "1 when the last action clicked an element"),
        ("typed", "1", 1.0, "1 when the last action typed a text"),
        ("idle", "1", 1.0, "1 when the last action changed nothing on the page"),
        ("words_touched", "1", 1.0, "share of the words of the element last acted on that the instruction contains"),
        ("words_around", "1", 1.0, "share of the words around the element last acted on that the instruction contains"),
        ("repeats", "1", 1000.0, "how often the element last acted on had been clicked or typed into before"),
        ("focused", "1", 1.0, "1 when an element has the keyboard focus"),
        ("steps", "1", 1000.0, "actions taken in this episode"),
        (
            "progress",
            "1",
            1.0,
            "share of a known solution's steps that the page shows, measured where shaping is above 0",
        ),
    )
)


def measure(snapshot: Snapshot, before: Snapshot, action: Action | None, steps: int) -> dict[str, float]:
    """One number for every variable, after `action` led from `before` to `snapshot`."""
    words = set(tokens_of(snapshot.instruction))
    named = [field for field in fields_of(snapshot.instruction) if f'"{field}"' in snapshot.instruction]
    values = {element.value for element in snapshot.elements if element.editable}
    inputs = [element for element in snapshot.elements if element.editable]
    ticked = [element for element in snapshot.elements if element.checked]
    touched = _touched(before, action)
    own = tokens_of(touched.text or touched.value) if touched else ()
    near = tokens_of(touched.around) if touched else ()
    verb = action.verb if action else None
    return {
        "elements": float(len(snapshot.elements)),
        "fields": float(len(fields_of(snapshot.instruction))),
        "fields_entered": _part([field in values for field in named]),
        "inputs_filled": _part([bool(element.value) for element in inputs]),
        "ticked": float(len(ticked)),
        "ticked_named": _part([bool(words & set(tokens_of(one.text or one.around))) for one in ticked]),
        "clicked": float(verb is Verb.CLICK),
        "typed": float(verb is Verb.TYPE),
        "idle": float(_looks_same(snapshot.elements, before.elements)) if steps else 0.0,
        "words_touched": _part([word in words for word in own]),
        "words_around": _part([word in words for word in near]),
        "repeats": float(min(1000, touched.clicks + touched.typed)) if touched else 0.0,
        "focused": float(any(element.focused for element in snapshot.elements)),
        "steps": float(min(1000, steps)),
        "progress": snapshot.progress,
    }


def _touched(before: Snapshot, action: Action | None) -> Element | None:
    if action is None or not 0 <= action.element < len(before.elements):
        return None
    return before.elements[action.element]


def _part(flags: list[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def _looks_same(now: tuple[Element, ...], before: tuple[Element, ...]) -> bool:
    if len(now) != len(before):
        return False
    return all(one is other or _look_of(one) == _look_of(other) for one, other in zip(now, before, strict=True))


def _look_of(element: Element) -> tuple[object, ...]:
    return element.tag, element.text, element.value, element.attributes, element.checked, element.focused
