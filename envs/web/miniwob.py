"""Tier T1: the tasks of MiniWoB++ from its own package. Only its pages are used; its Python (and Selenium) is never imported.

Shi et al. 2017 and Liu et al. 2018 (arXiv 1802.08802); pages under the MIT licence in the package `miniwob`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from envs.web.backend import BrowserMissing
from envs.web.sites import Site

TASKS: tuple[str, ...] = tuple(
    """
ascending-numbers bisect-angle book-flight book-flight-nodelay buy-ticket choose-date choose-date-easy choose-date-medium
choose-date-nodelay choose-list circle-center click-button click-button-sequence click-checkboxes click-checkboxes-large
click-checkboxes-soft click-checkboxes-transfer click-collapsible click-collapsible-2 click-collapsible-2-nodelay
click-collapsible-nodelay click-color click-dialog click-dialog-2 click-link click-menu click-menu-2 click-option click-pie
click-pie-nodelay click-scroll-list click-shades click-shape click-tab click-tab-2 click-tab-2-easy click-tab-2-hard
click-tab-2-medium click-test click-test-2 click-test-transfer click-widget copy-paste copy-paste-2 count-shape count-sides
daily-calendar drag-box drag-circle drag-cube drag-items drag-items-grid drag-shapes drag-shapes-2 drag-single-shape
drag-sort-numbers draw-circle draw-line email-inbox email-inbox-delete email-inbox-forward email-inbox-forward-nl
email-inbox-forward-nl-turk email-inbox-important email-inbox-nl-turk email-inbox-noscroll email-inbox-reply
email-inbox-star-reply enter-date enter-password enter-text enter-text-2 enter-text-dynamic enter-time find-greatest
find-midpoint find-word focus-text focus-text-2 form-sequence form-sequence-2 form-sequence-3 generate-number grid-coordinate
guess-number highlight-text highlight-text-2 hot-cold identify-shape login-user login-user-popup multi-layouts multi-orderings
navigate-tree number-checkboxes odd-or-even order-food phone-book read-table read-table-2 resize-textarea right-angle
scroll-text scroll-text-2 search-engine sign-agreement simple-algebra simple-arithmetic social-media social-media-all
social-media-some stock-market terminal text-editor text-transform tic-tac-toe unicode-test use-autocomplete
use-autocomplete-nodelay use-colorwheel use-colorwheel-2 use-slider use-slider-2 use-spinner visual-addition
""".split()
)
"""The 125 registered tasks in alphabetical order; a task parameter is an index into it."""

FRESH_PREFIXES: tuple[str, ...] = ()
"""Tasks whose pages carry something (timers, widgets) from one episode into the next: loaded afresh for every episode."""

CONTINUOUS = frozenset({"bisect-angle", "circle-center", "find-midpoint", "use-colorwheel", "use-colorwheel-2"})
"""Tasks whose reward measures closeness."""


def is_success(task: str, raw_reward: float) -> bool:
    """Whether the page's own judgement counts as solved: full marks, or 0.9 where it measures closeness."""
    return raw_reward >= (0.9 if task in CONTINUOUS else 1.0)


def is_fresh(task: str) -> bool:
    """Whether every episode of `task` loads its page afresh."""
    return task.startswith(FRESH_PREFIXES) if FRESH_PREFIXES else False


def page_of(task: str) -> str:
    """Path of a task's page on its site."""
    return f"/miniwob/{task}.html"


@lru_cache(maxsize=1)
def miniwob_site() -> Site:
    """The site of all tasks; raises `BrowserMissing` with what to install when the package is not there."""
    spec = find_spec("miniwob")
    if spec is None or not spec.submodule_search_locations:
        raise BrowserMissing("the web family needs the pages of MiniWoB++: pip install 'rl-experimenter[web]'.")
    folder = Path(next(iter(spec.submodule_search_locations))) / "html"
    return Site(name="miniwob", folder=folder, adapter=files("envs.web").joinpath("miniwob.js").read_text())
