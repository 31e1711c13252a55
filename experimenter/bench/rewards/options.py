"""What a run of the bench is asked to do: presets `quick` and `full`, and what the person changes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from envs.task import ParamValue
from experimenter.bench.rewards.tasks import TASKS, BenchTask, find_tasks
from experimenter.errors import UsageError
from experimenter.records import Record

PRESETS: dict[str, dict[str, int]] = {
    "quick": {"seeds": 3, "candidates": 3, "generations": 3, "search_seeds": 4, "search_episodes": 10, "episodes": 20},
    "full": {"seeds": 5, "candidates": 6, "generations": 5, "search_seeds": 3, "search_episodes": 20, "episodes": 30},
}
"""What the two modes set where the person says nothing."""

FULL_SEARCH_SHARE = 0.5
"""Last rung of a full search's races as a share of the task's full budget: five generations at the whole of it take two nights."""


class BenchOptions(Record):
    """Everything that shapes the result of a run; a run is resumed only with the same."""

    mode: str = "quick"
    """`quick` (short budgets; within an hour on two cores) or `full` (budgets at which the native reward has its known level)."""
    model: str | None = None
    base_url: str | None = None
    answers: str | None = None
    """File of recorded answers that speaks instead of a model."""
    seeds: int = Field(ge=1, le=50)
    """Fresh training seeds of every arm in the final training."""
    candidates: int = Field(ge=0, le=64)
    """K: reward programs a generation."""
    widen: bool = True
    """A quick search of a task whose training takes seconds is wider, by the task's `quick_breadth`."""
    generations: int = Field(ge=1, le=100)
    """G."""
    search_seeds: int = Field(ge=1, le=50)
    """Training seeds of the search's own races."""
    search_episodes: int = Field(ge=5)
    """Held-out episodes behind each step of the search's races."""
    episodes: int = Field(ge=5)
    """Episodes of the final evaluation, on worlds of their own."""
    steps_scale: float = Field(default=1.0, gt=0)
    """Factor on every env-step budget, for trying things out; 1 in any result worth reporting."""
    from_native: bool = False
    """Human-initialised searches, which Eureka reports apart."""
    audit_screens: bool = False
    """Let programs race that the preference screen would refuse: only then can it be seen to refuse a later winner."""
    trainer: str = "ppo"
    trainer_settings: dict[str, ParamValue] = Field(default_factory=dict)
    allow_unconfined: bool = False

    @property
    def model_name(self) -> str:
        """Short name for folders and headings."""
        return f"answers-{Path(self.answers).stem}" if self.answers else (self.model or "default")

    def model_for(self, scope: str) -> str | None:
        """The model's name for the session of one task."""
        return f"answers/{self.answers}#{scope}" if self.answers else self.model

    def candidates_for(self, task: BenchTask) -> int:
        """Reward programs a generation of the search of `task`."""
        return min(64, self.candidates * self._breadth(task))

    def search_seeds_for(self, task: BenchTask) -> int:
        """Training seeds of the last rung of the races of `task`."""
        return self.search_seeds * self._breadth(task)

    def _breadth(self, task: BenchTask) -> int:
        return task.quick_breadth if self.widen and self.mode == "quick" else 1

    def final_steps(self, task: BenchTask) -> int:
        """Env steps of every arm of `task` in the final training."""
        return max(1, round(self.steps_scale * (task.quick_steps if self.mode == "quick" else task.full_steps)))

    def search_steps(self, task: BenchTask) -> int:
        """Env steps of the last rung of the search's races."""
        share = 1.0 if self.mode == "quick" else FULL_SEARCH_SHARE
        return max(1, round(share * self.final_steps(task)))


def make_options(mode: str = "quick", **changes: Any) -> BenchOptions:
    """Build options from a preset and what was said beside it (None: not said); raises `UsageError`."""
    if mode not in PRESETS:
        raise UsageError(f"unknown mode {mode!r}: expected {' or '.join(PRESETS)}.")
    said = {name: value for name, value in changes.items() if value is not None}
    said.setdefault("widen", "candidates" not in said)  # a number that was said holds for every task
    if said.get("answers") and (said.get("model") or said.get("base_url")):
        raise UsageError("--answers replays recorded answers: leave out --model and --base-url.")
    try:
        return BenchOptions.model_validate({"mode": mode, **PRESETS[mode], **said})
    except ValueError as error:
        first = error.errors()[0] if hasattr(error, "errors") else {"loc": (), "msg": str(error), "input": ""}
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"--{name.replace('_', '-')}: {first['msg']} (got {first['input']!r}).") from error


def choose_tasks(names: str | None) -> tuple[BenchTask, ...]:
    """Tasks by comma-separated names, all of them for None; raises `UsageError` with the nearest name."""
    return TASKS if names is None else find_tasks([name.strip() for name in names.split(",") if name.strip()])
