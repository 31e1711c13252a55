"""Tier T1: the tasks of MiniWoB++ from its own package. Only its pages are used; its Python (and Selenium) is never imported.

Shi et al. 2017 and Liu et al. 2018 (arXiv 1802.08802); pages under the MIT licence in the package `miniwob`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from envs.web.backend import BrowserMissing
from envs.web.sites import Site

TASKS: tuple[str, ...] = tuple(files("envs.web").joinpath("tasks.txt").read_text().split())
"""The 125 registered tasks in alphabetical order; a task parameter is an index into it."""

FRESH = frozenset({"click-pie", "scroll-text", "scroll-text-2", "use-colorwheel", "use-colorwheel-2"})
"""Tasks whose pages carry something into the next episode that only loading them afresh takes away; miniwob.js renews the others."""

CONTINUOUS = frozenset({"bisect-angle", "circle-center", "find-midpoint", "use-colorwheel", "use-colorwheel-2"})
"""Tasks whose reward measures closeness."""


def is_success(task: str, raw_reward: float) -> bool:
    """Whether the page's own judgement counts as solved: full marks, or 0.9 where it measures closeness."""
    return raw_reward >= (0.9 if task in CONTINUOUS else 1.0)


def is_fresh(task: str) -> bool:
    """Whether every episode of `task` loads its page afresh."""
    return task in FRESH


def page_of(task: str) -> str:
    """Path of a task's page on its site."""
    return f"/miniwob/{task}.html"


PARTS_FOLDER = "/parts/"


def path_of(tasks: Sequence[str]) -> str:
    """Path of the page for a task, or of the page that holds several, to be done in this order."""
    return page_of(tasks[0]) if len(tasks) == 1 else f"{PARTS_FOLDER}{'+'.join(tasks)}.html"


def frames_of(path: str) -> tuple[str, ...]:
    """Paths of the pages that the page at `path` holds in frames; none for a page of one task."""
    if not path.startswith(PARTS_FOLDER):
        return ()
    return tuple(page_of(task) for task in path.removeprefix(PARTS_FOLDER).removesuffix(".html").split("+"))


def _parts_page(path: str) -> bytes:
    """The page that holds others side by side, with the least reward that solves each; see agent.js."""
    tasks = path.removeprefix(PARTS_FOLDER).removesuffix(".html").split("+")
    least = [0.9 if task in CONTINUOUS else 1.0 for task in tasks]
    frames = "".join(f'<iframe src="{page_of(task)}"></iframe>' for task in tasks)
    return (
        "<!DOCTYPE html><html><head><title>parts</title><style>body{margin:0;white-space:nowrap;background:#fff}"
        f"iframe{{border:0;width:160px;height:210px}}</style><script>window.__parts = {least};</script></head>"
        f"<body><div>{frames}</div></body></html>"
    ).encode()


class MiniwobSite(Site):
    """The pages of the package, and pages that hold two or three of them."""

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if frames_of(path) and all((self.folder / part.lstrip("/")).is_file() for part in frames_of(path)):
            return 200, "text/html; charset=utf-8", _parts_page(path)
        return super().answer(path)

    def frames_of(self, path: str) -> Sequence[str]:
        return frames_of(path)


@lru_cache(maxsize=1)
def miniwob_site() -> Site:
    """The site of all tasks; raises `BrowserMissing` with what to install when the package is not there."""
    spec = find_spec("miniwob")
    if spec is None or not spec.submodule_search_locations:
        raise BrowserMissing("the web family needs the pages of MiniWoB++: pip install 'rl-experimenter[web]'.")
    folder = Path(next(iter(spec.submodule_search_locations))) / "html"
    return MiniwobSite(name="miniwob", folder=folder, adapter=files("envs.web").joinpath("miniwob.js").read_text())
