"""Task parameters of the web family. All are numbers, so that teachers can move along them."""

from __future__ import annotations

from pydantic import Field

from envs.family import Params
from envs.web.miniwob import TASKS

MOST_CLUTTER = 30
MOST_PREFILLED = 8


class WebParams(Params):
    """One task: which page, how much else stands on it, how much of it is already done."""

    task: int = Field(default=TASKS.index("click-button"), ge=0, le=len(TASKS) - 1)
    page_size: int = Field(default=0, ge=0, le=MOST_CLUTTER)
    prefilled: int = Field(default=0, ge=0, le=MOST_PREFILLED)

    @property
    def task_name(self) -> str:
        return TASKS[self.task]
