"""Pages made by hand for the tests of the trainer `dom`, with the observation of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.web.actions import shown
from envs.web.backend import Element, Snapshot
from envs.web.encoding import Float32, encode_page

LOGIN = 'Enter the username "cierra" and the password "wV" into the text fields and press login.'
BUTTON = Element(
    index=0, tag="button", text="Login", value="", attributes="subbtn", around="", interactive=True, editable=False,
    checked=False, disabled=False, focused=False, scrollable=False, clicks=0, typed=0, last=False, box=(0.0, 0.0, 0.0, 0.0),
)  # fmt: skip
USER = replace(BUTTON, index=1, tag="input:text", text="", attributes="username", editable=True)
PASSWORD = replace(USER, index=2, tag="input:password", attributes="password")
LABEL = replace(BUTTON, index=3, tag="label", text="Username", attributes="")
GREY = replace(BUTTON, index=4, text="Cancel", disabled=True)


def make_page(*elements: Element, instruction: str = LOGIN, clipboard: str = "") -> Snapshot:
    """A page before its end."""
    return Snapshot(instruction, elements, ended=False, raw_reward=0.0, clock_ms=0.0, clipboard=clipboard)


def make_observations() -> Float32:
    """[4, SIZE]: pages of 5, 2, 1 and 20 elements, one with a clipboard, one without an instruction's fields."""
    pages = (
        make_page(BUTTON, USER, PASSWORD, LABEL, GREY, clipboard="kept"),
        make_page(USER, BUTTON, instruction="Find the mail by Trixi and delete it."),
        make_page(BUTTON, instruction="go"),
        make_page(*(replace(LABEL, index=place, text=f"word {place}") for place in range(20))),
    )
    return np.stack([encode_page(page, shown(page), 0.25) for page in pages])
