"""Which browser worlds are opened in: Chromium, or the one that `EXPERIMENTER_WEB_BROWSER` names. Nothing is started here."""

from __future__ import annotations

import os

from envs.web.backend import Browser, BrowserMissing
from envs.web.chromium import Chromium, find_chromium
from envs.web.lightpanda import Lightpanda, find_lightpanda
from envs.web.miniwob import miniwob_site

NAMES = ("chromium", "lightpanda")


def open_browser(name: str = "") -> Browser:
    """A browser for all sites of the family; raises `BrowserMissing` with what to install, `ValueError` on an unknown name."""
    chosen = name or os.environ.get("EXPERIMENTER_WEB_BROWSER", "") or "chromium"
    if chosen == "chromium":
        find_chromium()
        return Chromium([miniwob_site()])
    if chosen == "lightpanda":
        find_lightpanda()
        return Lightpanda([miniwob_site()])
    raise ValueError(f"unknown browser {chosen!r}: expected one of {', '.join(NAMES)}.")


def list_installed() -> tuple[str, ...]:
    """Names of the browsers that are there."""
    found = []
    for name in NAMES:
        try:
            find_chromium() if name == "chromium" else find_lightpanda()
        except BrowserMissing:
            continue
        found.append(name)
    return tuple(found)
