"""The model as web agent: it sees the policy's elements as numbered text and acts through the policy's numbers and masks.

What limits a model that a page has talked into something: it can only name elements of this page and type pieces of its
instruction or what it copied, in as many steps as the policy has; the browser reaches no other origin (envs/web/guard.py); and its
work counts only when the environment's own outcome says so. An answer that names no legal action is answered with one corrective
line; when the second is none either, the step passes without an action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envs.web.actions import COPY, DONE, KEYS, PRESS, SCROLL, TYPE, Mask, encode
from envs.web.backend import Action, Element, Snapshot, Verb
from envs.web.instruction import fields_of
from experimenter.errors import AnswerInvalid
from experimenter.llm.gateway import Gateway
from experimenter.llm.messages import Message
from experimenter.roles.common import ask_messages, is_small
from experimenter.roles.web_page import frame_page, frame_task, shield, tell_element
from prompts.web_answers import web_action_answer

ROLE = "web_agent"
_PAST = 8
"""Earlier actions that are told."""
_TOKENS, _TOKENS_SMALL = 300, 80


@dataclass(frozen=True, slots=True)
class Choice:
    """What the model wants to do next."""

    number: int | None
    """A legal action's number; None when neither answer named one."""
    unparsable: int = 0
    """Questions that got no readable answer, also after the gateway's own repair."""
    illegal: int = 0
    """Readable answers that named no legal action."""
    fault: str = ""
    """The last corrective line."""


class Illegal(ValueError):
    """An answer names no legal action; the message is the corrective line."""


def choose_action(
    gateway: Gateway,
    page: Snapshot,
    slots: Sequence[Element],
    mask: Mask,
    *,
    past: Sequence[str] = (),
    left: int,
    step: str,
) -> Choice:
    """Ask for the next action. `mask` [COUNT] says what is legal, `past` tells the earlier actions in words (see `tell_action`).

    Raises `ModelUnavailable`, `ModelRefused` or `BudgetSpent`: a baseline without its model is none, so no rule stands in for it.
    """
    messages = _ask(gateway, page, slots, mask, past, left)
    schema = web_action_answer(legal_verbs(mask), len(slots), compact=is_small(gateway))
    tokens = _TOKENS_SMALL if is_small(gateway) else _TOKENS
    unparsable = illegal = 0
    fault = ""
    for attempt in ("", ":again"):
        try:
            answer = gateway.ask_one(ROLE, messages, schema, step=step + attempt, temperature=0.0, max_tokens=tokens)
        except AnswerInvalid as error:
            return Choice(None, unparsable + 1, illegal, str(error)[:300])
        try:
            number = read_action(answer.value.verb, answer.value.element, answer.value.text, page, slots, mask)
            return Choice(number, unparsable, illegal, fault)
        except Illegal as error:
            illegal, fault = illegal + 1, str(error)
            messages = [*messages, Message("assistant", answer.text[:1000]), Message("user", fault)]
    return Choice(None, unparsable, illegal, fault)


def read_action(verb: str, element: int, text: str, page: Snapshot, slots: Sequence[Element], mask: Mask) -> int:
    """The number of the action that an answer names; raises `Illegal` with one corrective line."""
    name = Verb(verb)
    if name in (Verb.CLICK, Verb.TYPE, Verb.COPY) and not 0 <= element < len(slots):
        raise Illegal(f"There is no element {element}: the page's elements are numbered 0 to {len(slots) - 1}.")
    if name is Verb.SCROLL and text not in ("up", "down"):
        raise Illegal('scroll takes "up" or "down" as text.')
    index = slots[element].index if 0 <= element < len(slots) else -1
    action = Action(name, index if name in (Verb.CLICK, Verb.TYPE, Verb.COPY) else -1, _typed(text, page, name))
    number = encode(action, page, slots)
    if number is None:
        raise Illegal(_unknown(name, page))
    if not mask[number]:
        raise Illegal(_masked(name, element, slots))
    return number


def legal_verbs(mask: Mask) -> list[str]:
    """Verbs of which some action is legal, in the order of the action space."""
    parts = {Verb.CLICK: (0, COPY), Verb.TYPE: (TYPE, SCROLL), Verb.COPY: (COPY, TYPE), Verb.SCROLL: (SCROLL, PRESS)}
    parts |= {Verb.PRESS: (PRESS, DONE), Verb.DONE: (DONE, DONE + 1)}
    return [verb.value for verb, (first, end) in parts.items() if mask[first:end].any()]


def tell_action(action: Action, page: Snapshot, slots: Sequence[Element]) -> str:
    """An action in words for the list of earlier ones; page text in it is shielded."""
    place = next((at for at, element in enumerate(slots) if element.index == action.element), None)
    if place is None:
        return f"{action.verb.value} {action.text}".strip()
    if action.verb is Verb.TYPE:
        return f"type {shield(action.text, 40)} into {place}"
    return f"{action.verb.value} {place} ({tell_element(slots[place])[:60]})"


def _ask(
    gateway: Gateway, page: Snapshot, slots: Sequence[Element], mask: Mask, past: Sequence[str], left: int
) -> list[Message]:
    name = f"{ROLE}_compact" if is_small(gateway) else ROLE
    return ask_messages(
        name,
        task=frame_task(page.instruction),
        page=frame_page(page, slots),
        texts=[shield(text, 80) for text in _texts(page)],
        past=list(past)[-_PAST:],
        left=left,
        verbs=legal_verbs(mask),
        keys=KEYS,
    )


def _texts(page: Snapshot) -> list[str]:
    """What can be typed: the fields of the instruction, and the clipboard."""
    return [*fields_of(page.instruction), *([page.clipboard] if page.clipboard else [])]


def _typed(text: str, page: Snapshot, verb: Verb) -> str:
    """The text as the action space knows it: a field that differs in case or outer blanks is that field."""
    if verb is not Verb.TYPE:
        return text if verb in (Verb.SCROLL, Verb.PRESS) else ""
    texts, plain = _texts(page), text.strip().lower()
    return text if text in texts else next((known for known in texts if known.strip().lower() == plain), text)


def _unknown(verb: Verb, page: Snapshot) -> str:
    if verb is Verb.PRESS:
        return f"press takes one of the keys {', '.join(KEYS)} as text."
    listed = ", ".join(shield(text, 80) for text in _texts(page)) or "nothing"
    return f"That text cannot be typed. May be typed, exactly: {listed}."


def _masked(verb: Verb, element: int, slots: Sequence[Element]) -> str:
    if verb is Verb.TYPE:
        fields = [str(place) for place, one in enumerate(slots) if one.editable]
        return f"Nothing can be typed into element {element}; fields are: {', '.join(fields) or 'none'}."
    return f"{verb.value} is not possible on element {element} now; choose another action."
