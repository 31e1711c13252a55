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

TASKS: tuple[str, ...] = tuple(files("envs.web").joinpath("tasks.txt").read_text().split())
"""The 125 registered tasks in alphabetical order; a task parameter is an index into it."""

FRESH_PREFIXES = (
    "book-flight",
    "choose-date",
    "click-pie",
    "focus-text",
    "scroll-text",
    "stock-market",
    "use-autocomplete",
    "use-colorwheel",
    "use-slider",
)
"""Tasks whose pages carry something (timers, widgets) from one episode into the next: loaded afresh for every episode."""

CONTINUOUS = frozenset({"bisect-angle", "circle-center", "find-midpoint", "use-colorwheel", "use-colorwheel-2"})
"""Tasks whose reward measures closeness."""


def is_success(task: str, raw_reward: float) -> bool:
    """Whether the page's own judgement counts as solved: full marks, or 0.9 where it measures closeness."""
    return raw_reward >= (0.9 if task in CONTINUOUS else 1.0)


def is_fresh(task: str) -> bool:
    """Whether every episode of `task` loads its page afresh."""
    return task.startswith(FRESH_PREFIXES)


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
