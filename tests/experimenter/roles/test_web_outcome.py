"""The outcome judge: what it is told, what it answers, and its rule; it never sees the page's own judgement."""

from __future__ import annotations

from dataclasses import replace

import pytest
from roles_helpers import SMALL, Speak, text_of

from envs.web.backend import Action, Verb
from envs.web.testing import button, field, make_page
from experimenter.evaluation.web_traces import WebStep
from experimenter.roles.web_outcome import judge_outcome, rule_evidence

PAGE = make_page(
    field("tt"), button("Submit"), button("Cancel all"), instruction='Enter "bob" into the text field and press Submit.'
)
LAST = replace(PAGE, ended=True, raw_reward=0.875)
TYPE = WebStep(page=PAGE, action=Action(Verb.TYPE, 0, "bob"))
SEND = WebStep(page=PAGE, action=Action(Verb.CLICK, 1))


def test_a_strong_model_sees_actions_and_both_pages_but_not_the_reward(speak: Speak) -> None:
    gateway, model = speak({"reason": "typed and sent", "done": "YES"})
    told = judge_outcome(gateway, [TYPE, SEND], LAST, step="t")
    assert (told.done, told.reason, told.source) == (True, "typed and sent", "model")
    text = text_of(model)
    assert '1. type "bob" into field value "" named "tt"' in text
    assert text.count("\n<page>\n") == 2 and "0.875" not in text


def test_a_small_model_answers_yes_or_no(speak: Speak) -> None:
    gateway, model = speak({"done": "NO"}, able=SMALL)
    assert not judge_outcome(gateway, [SEND], LAST, step="t").done
    assert 'Actions: click button "Submit". ->' in text_of(model)


def test_without_an_answer_the_rule_speaks(speak: Speak) -> None:
    gateway, _ = speak()
    assert judge_outcome(gateway, [TYPE, SEND], LAST, step="t").source == "rule:evidence"


@pytest.mark.parametrize(
    ("steps", "done", "reason"),
    [
        ([TYPE, SEND], True, ""),
        ([SEND], False, "'bob' was never used"),
        ([SEND, TYPE], False, "nothing was sent at the end"),
        ([TYPE, WebStep(page=PAGE, action=Action(Verb.CLICK, 2))], False, "nothing was sent at the end"),
        ([], False, "'bob' was never used"),
    ],
)
def test_the_rule_wants_every_quoted_piece_used_and_a_click_that_sends(
    steps: list[WebStep], done: bool, reason: str
) -> None:
    told = rule_evidence(steps, LAST)
    assert (told.done, told.reason) == (done, reason)
