"""Which browser worlds are opened in: a fast one to train in, the real one with trusted input to be examined in. Nothing is started here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

from envs.web.backend import Browser, BrowserMissing
from envs.web.chromium import Chromium, find_chromium
from envs.web.lightpanda import Lightpanda, find_lightpanda
from envs.web.miniwob import miniwob_site
from envs.web.mixed import Mixed
from envs.web.survey import can_train

NAMES = ("chromium", "lightpanda")
VARIABLE = "EXPERIMENTER_WEB_BACKEND"
"""Names the browser to train in: `auto` (the default), `chromium` or `lightpanda`."""

Mode = Literal["train", "certify"]


def open_browser(name: str = "", *, mode: Mode = "train") -> Browser:
    """A browser for all sites of the family; raises `BrowserMissing` with what to install, `ValueError` on an unknown name.

    To train, `auto` takes Lightpanda for the tasks that it does as Chromium does them (see survey.py) and Chromium for all others.
    To `certify`, it is always the full Chromium with trusted mouse and keyboard.
    """
    if mode == "certify":
        find_chromium(full=True)
        return Chromium([miniwob_site()], trusted=True)
    chosen = name or os.environ.get(VARIABLE, "") or "auto"
    if chosen == "auto":
        return _open_auto()
    if chosen == "chromium":
        find_chromium()
        return Chromium([miniwob_site()])
    if chosen == "lightpanda":
        find_lightpanda()
        return Lightpanda([miniwob_site()])
    raise ValueError(f"{VARIABLE} or name {chosen!r} is no browser: give auto, {' or '.join(NAMES)}.")


def _open_auto() -> Browser:
    installed = list_installed()
    if "lightpanda" not in installed:
        find_chromium()
        return Chromium([miniwob_site()])
    return Mixed(lambda: Lightpanda([miniwob_site()]), lambda: Chromium([miniwob_site()]), can_train)


def list_installed() -> tuple[str, ...]:
    """Names of the browsers that are there."""
    finders: dict[str, Callable[[], str]] = {"chromium": find_chromium, "lightpanda": find_lightpanda}
    found = []
    for name, find in finders.items():
        try:
            find()
        except BrowserMissing:
            continue
        found.append(name)
    return tuple(found)
