"""A trained policy of pages as grounder: the description is the instruction of a sub-task of one step.

The page is shown to the policy with `Click on the "Send" button.` as its instruction, and of its scores only those count that do what the
line says. It answers only where it is sure enough. How good it is depends on what it was trained on; it is measured like the rule.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from envs.web.actions import COPY, SLOTS, TYPE, Mask, decode, encode, mask_of, shown
from envs.web.backend import Action, Snapshot, Verb
from envs.web.encoding import encode_page
from envs.web.grounding import Grounded, ground
from envs.web.instruction import fields_of
from envs.web.language import Line, Word
from experimenter.evaluation.web_transfer import Scored

SURE = 0.5
"""Least share of the probability, over the actions that the line allows, that the chosen one must have."""
_INNER = re.compile(r"'([^']*)'")


def ground_by_policy(policy: Scored, line: Line, page: Snapshot) -> Grounded:
    """Turn a line into an action by the policy's scores; lines that name no element, and lists, are the rule's."""
    if line.word not in (Word.CLICK, Word.TYPE, Word.COPY, Word.PASTE):
        return ground(line, page)
    asked = replace(page, instruction=instruct(line))
    slots = shown(page)
    allowed = _allowed(line, asked, mask_of(asked, slots, may_declare=False))
    if not allowed.any():
        return Grounded(None, 0.0, "no element of the page can be meant")
    scores = policy.scores(encode_page(asked, slots, 0.0)[None])[0].astype(np.float64)
    weights = np.exp(np.where(allowed, scores - scores[allowed].max(), -np.inf))
    number = int(weights.argmax())
    share = float(weights[number] / weights.sum())
    action = decode(number, asked, slots)
    if action is None or share < SURE:
        return Grounded(None, share, f"the policy is not sure: {share:.2f}")
    return Grounded(Action(action.verb, action.element, _text(line, page)), share, "")


def instruct(line: Line) -> str:
    """The line as an instruction of the kind that policies are trained on."""
    named = _INNER.sub(r'"\1"', line.target)
    if line.word is Word.TYPE:
        return f'Enter "{line.text}" into {named}.'
    if line.word is Word.PASTE:
        return f"Paste into {named}."
    return f"{'Copy' if line.word is Word.COPY else 'Click on'} {named}."


def _allowed(line: Line, page: Snapshot, mask: Mask) -> Mask:
    """[COUNT] legal actions that do what the line says."""
    allowed = np.zeros_like(mask)
    if line.word is Word.CLICK:
        allowed[:COPY] = mask[:COPY]
    elif line.word is Word.COPY:
        allowed[COPY:TYPE] = mask[COPY:TYPE]
    else:
        for first in _typing(line, page):
            allowed[first : first + SLOTS] = mask[first : first + SLOTS]
    return allowed


def _typing(line: Line, page: Snapshot) -> list[int]:
    """Where the actions begin that type the line's text: one field of the made instruction, or the clipboard."""
    fields = fields_of(page.instruction)
    text = line.text if line.word is Word.TYPE else page.clipboard
    first = next((e for e in page.elements if e.editable), None)
    if first is None or not text or (text not in fields and text != page.clipboard):
        return []
    number = encode(Action(Verb.TYPE, first.index, text), page, (first,))
    return [] if number is None else [number - (number - TYPE) % SLOTS]


def _text(line: Line, page: Snapshot) -> str:
    return {Word.TYPE: line.text, Word.PASTE: page.clipboard}.get(line.word, "")
