"""Whether a web episode did what was asked: a model's YES or NO from instruction, actions and last page, and a rule's.

An outcome reward model after WebRL (arXiv 2411.02337), measured against true outcomes and nothing more: no certificate, demonstration
or reward in this house rests on it. It never sees the page's own judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envs.web.actions import shown
from envs.web.backend import Element, Snapshot, Verb
from envs.web.instruction import tokens_of
from experimenter.evaluation.web_traces import WebStep
from experimenter.llm.gateway import Gateway
from experimenter.roles.common import ask_messages, is_small, need, with_fallback
from experimenter.roles.web_page import frame_page, frame_task, shield, tell_element
from prompts.web_answers import CompactWebOutcomeAnswer, WebOutcomeAnswer

ROLE = "web_outcome"
_MOST_ACTIONS = 20
_SENDING = frozenset(("submit", "login", "search", "send", "ok", "book", "next", "done", "order"))


@dataclass(frozen=True, kw_only=True)
class WebOutcome:
    """One judgement."""

    done: bool
    reason: str
    source: str
    """`model` or `rule:evidence`."""


def judge_outcome(gateway: Gateway | None, taken: Sequence[WebStep], last: Snapshot, *, step: str) -> WebOutcome:
    """Ask whether the actions did the task; without an answer the rule speaks."""
    return with_fallback(
        lambda: _ask(need(gateway), taken, last, step),
        lambda why: rule_evidence(taken, last),
        role=ROLE,
        name="evidence",
    )


def rule_evidence(taken: Sequence[WebStep], last: Snapshot) -> WebOutcome:
    """YES when each quoted piece of the instruction was typed or acted on, and the last action is a click that sends or is named."""
    words = set(tokens_of(last.instruction))
    quoted = [piece for place, piece in enumerate(last.instruction.split('"')) if place % 2]
    touched = [element for one in taken if (element := _touched(one)) is not None]
    said = {element.text for element in touched} | {element.around for element in touched}
    typed = {one.action.text for one in taken if one.action.verb is Verb.TYPE}
    missing = [piece for piece in quoted if piece not in typed and piece not in said]
    final = _touched(taken[-1]) if taken else None
    sent = final is not None and taken[-1].action.verb is Verb.CLICK and _sends(final, words)
    reason = f"{missing[0]!r} was never used" if missing else "" if sent else "nothing was sent at the end"
    return WebOutcome(done=not missing and sent, reason=reason, source="rule:evidence")


def tell_taken(one: WebStep) -> str:
    """An action and its element in words, shielded."""
    element = _touched(one)
    if element is None:
        return f"{one.action.verb.value} {one.action.text}".strip()
    if one.action.verb is Verb.TYPE:
        return f"type {shield(one.action.text, 60)} into {tell_element(element)[:90]}"
    return f"{one.action.verb.value} {tell_element(element)[:90]}"


def _ask(gateway: Gateway, taken: Sequence[WebStep], last: Snapshot, step: str) -> WebOutcome:
    actions = [tell_taken(one) for one in taken][-_MOST_ACTIONS:]
    task = frame_task(last.instruction)
    if is_small(gateway):
        messages = ask_messages(f"{ROLE}_compact", task=task, actions=actions)
        small = gateway.ask_one(
            ROLE, messages, CompactWebOutcomeAnswer, step=step, temperature=0.0, max_tokens=20
        ).value
        return WebOutcome(done=small.done == "YES", reason="", source="model")
    before = taken[-1].page if taken else last
    pages = {"before": frame_page(before, shown(before)), "after": frame_page(last, shown(last)), "ended": last.ended}
    messages = ask_messages(ROLE, task=task, actions=actions, **pages)
    answer = gateway.ask_one(ROLE, messages, WebOutcomeAnswer, step=step, temperature=0.0, max_tokens=200).value
    return WebOutcome(done=answer.done == "YES", reason=answer.reason, source="model")


def _touched(one: WebStep) -> Element | None:
    place = one.action.element
    return one.page.elements[place] if 0 <= place < len(one.page.elements) else None


def _sends(element: Element, words: set[str]) -> bool:
    own = set(tokens_of(element.text or element.value))
    return bool(own & _SENDING) or bool(own and own <= words)
