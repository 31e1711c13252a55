"""Task parameters of the web family. All are numbers, so that teachers can move along them."""

from __future__ import annotations

from pydantic import Field

from envs.family import Params
from envs.web.miniwob import TASKS
from envs.web.tasks import ALL_TASKS, SERVED

MOST_CLUTTER = 30
MOST_PREFILLED = 12
MOST_DEPTH = 3
FEWEST_ITEMS, MOST_ITEMS = 10, 10_000
MOST_ASKED = 4


class WebParams(Params):
    """One task: which page, how much else stands on it, how much of it is already done."""

    task: int = Field(default=ALL_TASKS.index("click-button"), ge=0, le=len(ALL_TASKS) - 1)
    page_size: int = Field(default=0, ge=0, le=MOST_CLUTTER)
    prefilled: int = Field(default=0, ge=0, le=MOST_PREFILLED)
    catalogue: int = Field(default=1000, ge=FEWEST_ITEMS, le=MOST_ITEMS)
    """Items of the shop; a hundredth of it, tickets of the tracker. No other site knows it."""
    asked: int = Field(default=2, ge=1, le=MOST_ASKED)
    """Things that the instruction of the shop or the tracker asks for. No other site knows it."""
    guidance: int = Field(default=1, ge=0, le=1)
    """Whether the instruction of the shop or the tracker also says the way (1), or only what is wanted (0)."""

    depth: int = Field(default=1, ge=1, le=MOST_DEPTH)
    """Tasks on one page, to be done in order: `task`, `second` and `third`. Served tasks stand alone."""
    second: int = Field(default=TASKS.index("click-test"), ge=0, le=len(TASKS) - 1)
    third: int = Field(default=TASKS.index("enter-text"), ge=0, le=len(TASKS) - 1)
    shaping: float = Field(default=0.0, ge=0.0, le=1.0)
    """Weight of the progress along a known solution in the native reward, and whether it is measured at all."""

    @property
    def task_name(self) -> str:
        return ALL_TASKS[self.task]

    @property
    def task_names(self) -> tuple[str, ...]:
        """Every task of the page, in the order in which they are to be done."""
        if self.task_name in SERVED:
            return (self.task_name,)
        return tuple(ALL_TASKS[number] for number in (self.task, self.second, self.third)[: self.depth])
