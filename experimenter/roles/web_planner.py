"""Instruction and page -> a plan in the intermediate language; the grounder (envs/web/grounding.py) finds the elements.

The answer is checked line by line as it is validated, so a line that is not in the language is mended by the gateway's one repair.
What stays wrong falls back to `rule:clauses`, which reads the instruction's own verbs. A plan is words only: it cannot name what
the language cannot say, and each of its lines becomes an action only through the grounder and the environment's masks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import field_validator

from envs.web.actions import shown
from envs.web.backend import Element, Snapshot
from envs.web.language import LanguageError, Line, Word, make_line, parse_lines, parse_text, print_text, usage
from experimenter.llm.gateway import Gateway
from experimenter.roles.common import ask_messages, is_small, log, need, with_fallback
from experimenter.roles.web_page import frame_page, frame_task, shield
from prompts.web_answers import MOST_LINES, CompactWebPlanAnswer, WebPlanAnswer

ROLE = "web_planner"
_PLAN = " | plan: "
_LONGEST_FAULT = 160
_LONGEST_NAME = 120
_QUOTED = r'"([^"]+)"'
_ENTER = re.compile(r"\b(?:enter|type|write|fill in|search for)\b", re.IGNORECASE)
_TICK = re.compile(r"\b(?:select|choose|check|tick|mark|pick)\b", re.IGNORECASE)
_PRESS = re.compile(
    r"\b(?i:click|press|push|hit|open|follow|expand)\b(?: on)?(?: the| a)?(?: button| link)? ?"
    rf"(?:{_QUOTED}|([A-Z][\w ]*?)(?=$|[.,;]| and | then | button| link| tab))"
)
_SEND = re.compile(r"\b(?:submit|login|log in|search|send|ok|okay|next|done)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class WebPlan:
    """What shall be done, in order."""

    lines: tuple[Line, ...]
    source: str
    """`model` or `rule:clauses`."""


def _in_language(lines: list[str]) -> list[str]:
    parse_lines(lines)
    return lines


class CheckedPlanAnswer(WebPlanAnswer):
    """A plan whose every line is in the language."""

    _check = field_validator("lines")(_in_language)


class CompactCheckedPlanAnswer(CompactWebPlanAnswer):
    """The same from a small model."""

    _check = field_validator("lines")(_in_language)


def plan(gateway: Gateway | None, page: Snapshot, *, past: Sequence[str] = (), fault: str = "", step: str) -> WebPlan:
    """Plan what is left of the page's task. `past`: lines done already; `fault`: why the plan before this one stopped."""
    return with_fallback(
        lambda: _ask(need(gateway), page, past, fault, step),
        lambda why: rule_clauses(page),
        role=ROLE,
        name="clauses",
    )


def rule_clauses(page: Snapshot) -> WebPlan:
    """Read the instruction's clauses: what is to be entered, what ticked or chosen, what pressed, in this order."""
    lines: list[Line] = []
    fields = [e for e in page.elements if e.editable]
    clauses = [part for part in re.split(r"(?<=[\w\"])[.;](?: |$)|\bthen\b", page.instruction) if part.strip()]
    for clause in clauses:
        quoted = [piece[:_LONGEST_NAME] for piece in re.findall(_QUOTED, clause) if piece.strip()]
        pressed = [(one or two).strip()[:_LONGEST_NAME] for one, two in _PRESS.findall(clause)]
        if _ENTER.search(clause) and fields:
            entered = [piece for piece in quoted if piece not in pressed]
            lines += [_enter(piece, clause, place, fields) for place, piece in enumerate(entered)]
        elif found := _TICK.search(clause):
            lines += _ticked(clause[found.end() :], quoted, page)
        lines += [make_line(Word.CLICK, f"the {_kind(text, page)}{_inside(text)}") for text in pressed if text]
    if not any(line.word is Word.CLICK for line in lines):
        lines += _send(page)
    return WebPlan(lines=tuple(dict.fromkeys(lines))[:MOST_LINES], source="rule:clauses")


def carry_lines(text: str, lines: Sequence[str]) -> str:
    """A subgoal's words with the lines of its plan; lines that are not in the language are dropped, and said in the log."""
    try:
        read = parse_lines(lines)
    except LanguageError as error:
        log.info("%s: the lines of a subgoal were dropped: %s", ROLE, error)
        return text
    return f"{text}{_PLAN}{print_text(read)}" if read else text


def carried_lines(text: str) -> tuple[Line, ...]:
    """The lines that a subgoal's words carry; none where they carry none or were changed."""
    _, mark, plan = text.partition(_PLAN)
    try:
        return parse_text(plan) if mark else ()
    except LanguageError:
        return ()


def _ask(gateway: Gateway, page: Snapshot, past: Sequence[str], fault: str, step: str) -> WebPlan:
    small = is_small(gateway)
    schema: type[CheckedPlanAnswer] | type[CompactCheckedPlanAnswer]
    schema = CompactCheckedPlanAnswer if small else CheckedPlanAnswer
    messages = ask_messages(
        f"{ROLE}_compact" if small else ROLE,
        task=frame_task(page.instruction),
        page=frame_page(page, shown(page)),
        past=[shield(line, _LONGEST_FAULT) for line in past],
        fault=shield(fault, _LONGEST_FAULT) if fault else "",
        usage=[usage(word) for word in Word],
        most=MOST_LINES,
    )
    answer = gateway.ask_one(ROLE, messages, schema, step=step, temperature=0.0, max_tokens=500)
    return WebPlan(lines=parse_lines(answer.value.lines), source="model")


def _enter(text: str, clause: str, place: int, fields: Sequence[Element]) -> Line:
    """Type a quoted piece into the field that the words before it name, else the next field."""
    before = clause.split(f'"{text}"')[0].rsplit('"', 1)[-1]
    named = re.search(r"(?:the|as|your)? ?([a-z]+)(?: of)? *$", before.strip())
    known = {word for e in fields for word in re.findall(r"[a-z]+", f"{e.attributes} {e.around}".lower())}
    if named and named[1] in known:
        return make_line(Word.TYPE, f"the {named[1]} field", text)
    order = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")[min(place, 7)]
    return make_line(Word.TYPE, f"the {order} field" if len(fields) > 1 else "the field", text)


def _ticked(rest: str, quoted: Sequence[str], page: Snapshot) -> list[Line]:
    """What is to be ticked or chosen: the quoted pieces, else the listed names up to `and click`."""
    listed = re.split(r"\band (?:click|press)\b|\bfrom\b|\bin\b", rest)[0]
    names = list(quoted) or [name.strip() for name in re.split(r",| and ", listed) if name.strip()]
    lists = any(e.tag == "select" for e in page.elements)
    kind = next((k for k in ("checkbox", "radio") if any(e.tag == f"input:{k}" for e in page.elements)), "element")
    names = [name for name in names if name.lower() != "nothing" and len(name) < 80]
    if lists:
        return [make_line(Word.SELECT, "the list", name) for name in names]
    return [make_line(Word.CLICK, f"the {kind}{_inside(name)}") for name in names]


def _send(page: Snapshot) -> list[Line]:
    pressed = [e.text or e.value for e in page.elements if e.tag == "button" or e.tag.startswith("input:sub")]
    named = [text for text in pressed if _SEND.search(text)] or pressed[:1]
    return [
        make_line(Word.CLICK, f"the button{_inside(text)}")
        for text in named[:1]
        if 0 < len(text.strip()) <= _LONGEST_NAME
    ]


def _kind(text: str, page: Snapshot) -> str:
    """`button` or `link` where the page has one that says `text`."""
    same = [e for e in page.elements if (e.text or e.value).lower() == text.lower()]
    if any(e.tag == "button" or e.tag.startswith("input:") for e in same):
        return "button"
    return "link" if any(e.tag == "a" for e in same) else "element"


def _inside(text: str) -> str:
    return f" '{text}'" if "'" not in text else f' "{text}"'
