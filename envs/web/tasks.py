"""The tasks of all sites, numbered: MiniWoB++ first, then the shop's, then the tracker's. A task parameter is a number of this list."""

from __future__ import annotations

from envs.web.backend import BrowserMissing
from envs.web.miniwob import TASKS as MINIWOB_TASKS
from envs.web.served import Venue

SHOP_TASKS = ("shop-buy",)
TRACKER_TASKS = (
    "tracker-login",
    "tracker-close",
    "tracker-close-newest",
    "tracker-priority",
    "tracker-owner",
    "tracker-comment",
    "tracker-milestone",
    "tracker-create",
)
ALL_TASKS: tuple[str, ...] = (*MINIWOB_TASKS, *SHOP_TASKS, *TRACKER_TASKS)
SERVED = frozenset((*SHOP_TASKS, *TRACKER_TASKS))
"""Tasks of sites with many pages and a state of their own, see served.py."""


def make_venue(task: str) -> Venue:
    """The site of a served task; raises `BrowserMissing` with what to install where its application is not there."""
    if task in SHOP_TASKS:
        from envs.web.shop.app import Shop

        return Shop()
    from envs.web.tracker.venue import Tracker

    return Tracker()


def venue_of(task: str) -> str:
    """Name of a task's site: its first word for served tasks, `miniwob` for all others."""
    return task.partition("-")[0] if task in SERVED else "miniwob"


def check_site(task: int) -> None:
    """Raise `ValueError` with what to install where the site of a task is not there."""
    if ALL_TASKS[task] in TRACKER_TASKS:
        from envs.web.tracker.base import trac_version

        try:
            trac_version()
        except BrowserMissing as missing:
            raise ValueError(f"web: task = {task} ({ALL_TASKS[task]}) cannot be made here: {missing}") from None


def list_here() -> list[int]:
    """Numbers of the tasks whose sites are installed."""
    found = []
    for task in range(len(ALL_TASKS)):
        try:
            check_site(task)
        except ValueError:
            continue
        found.append(task)
    return found
