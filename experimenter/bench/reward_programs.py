"""Reward programs of a file, trained on fresh seeds beside the native reward: what a form of reward is worth, without a search.

The programs run confined, as a model's do; training, worlds and intervals are those of the final training of `bench rewards`. Finished
runs are found again in the folder. `reward_forms.toml` holds the programs behind what the reward writer's prompt says about forms.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from experimenter.bench.rewards.arms import Arms
from experimenter.bench.rewards.finals import make_jobs, open_pool, run_finals
from experimenter.bench.rewards.options import BenchOptions, make_options
from experimenter.bench.rewards.scores import duel, score_task
from experimenter.bench.rewards.tasks import BenchTask, find_tasks
from experimenter.errors import JobError, UsageError
from experimenter.execution.base import make_executor
from experimenter.records import Record, RewardKind, RewardProgram
from experimenter.services import open_home

FORMS = Path(__file__).with_name("reward_forms.toml")
NATIVE, SPARSE = "native", "sparse"
Say = Callable[[str], None]


class Entry(Record):
    """One program of the file."""

    name: str = Field(min_length=1)
    tasks: tuple[str, ...] = Field(min_length=1)
    """Tasks of `bench rewards` that it is trained on."""
    code: str
    numbers: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Task -> constant -> value, put where the code says `{constant}`: one form for bodies of different size."""

    def program(self, task: str) -> RewardProgram:
        code = self.code
        for constant, value in self.numbers.get(task, {}).items():
            code = code.replace(f"{{{constant}}}", repr(value))
        return RewardProgram(kind=RewardKind.CODE, source=code, rationale=self.name)


def read_entries(path: Path) -> list[Entry]:
    """Read the `[[program]]` tables of a TOML file. Raises `UsageError` that says what is wrong with it."""
    try:
        entries = [Entry.model_validate(row) for row in tomllib.loads(path.read_text())["program"]]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: every program is a table [[program]] with name, tasks (a list) and code ({str(error).splitlines()[0]})."
        ) from error
    for entry in entries:
        find_tasks(entry.tasks)
        if entry.name in (NATIVE, SPARSE):
            raise UsageError(f"{path}: the name {entry.name!r} is that of a baseline: choose another.")
        if twice := [other for other in entries if other is not entry and other.name == entry.name]:
            raise UsageError(
                f"{path}: {len(twice) + 1} programs are called {entry.name!r}: give each a name of its own."
            )
    return entries


def measure(
    path: Path,
    folder: Path,
    *,
    tasks: Sequence[str] = (),
    seeds: int = 4,
    steps_scale: float = 1.0,
    workers: int | None = None,
    allow_unconfined: bool = False,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Train every program of `path` (on `tasks` only, where some are named) and return its table, JSON-plain. Resumable."""
    entries = read_entries(path)
    wanted = find_tasks(tasks) if tasks else find_tasks(sorted({name for entry in entries for name in entry.tasks}))
    options = make_options("quick", seeds=seeds, steps_scale=steps_scale, allow_unconfined=allow_unconfined or None)
    count = workers or len(os.sched_getaffinity(0))
    open_home(folder / "home")
    rows = []
    for task in wanted:
        mine = [entry for entry in entries if task.name in entry.tasks]
        if not mine:
            raise UsageError(f"no program of {path} is meant for {task.name}.")
        programs = {NATIVE: RewardProgram(kind=RewardKind.NATIVE), SPARSE: RewardProgram(kind=RewardKind.FITNESS)}
        programs |= {entry.name: entry.program(task.name) for entry in mine}
        say(f"{task.name}: {len(programs)} rewards on {seeds} seeds, {options.final_steps(task):,} env steps each")
        rows.append(_train(task, Arms(programs=programs), options, folder, count))
    return {"file": str(path), "seeds": seeds, "steps_scale": steps_scale, "tasks": rows}


def _train(task: BenchTask, arms: Arms, options: BenchOptions, folder: Path, workers: int) -> dict[str, Any]:
    jobs = make_jobs(task, arms, options)
    executor = make_executor(folder / "home", workers=workers, allow_unconfined=options.allow_unconfined)
    try:
        with open_pool(workers) as pool:
            runs = run_finals(executor, pool, folder, arms, jobs, options.episodes)
    except ValueError as error:
        raise JobError(f"{task.name}: {error}") from error
    fitness: Mapping[str, tuple[float, ...]] = {arm.arm: arm.fitness for arm in runs.arms}
    scores = {score.arm: score for score in score_task(task.name, fitness, task.scale)}
    return {
        "task": task.name,
        "steps": runs.steps,
        "failures": list(runs.failures),
        "programs": [
            {
                "name": name,
                "fitness": scores[name].fitness.model_dump(),
                "by_seed": list(values),
                "beats_native": duel(task.name, name, fitness, same=name == NATIVE).improvement.model_dump(),
            }
            for name, values in fitness.items()
        ],
    }


def table(result: Mapping[str, Any]) -> str:
    """The result in Markdown."""
    lines = [
        "| task | env steps | reward | fitness, 95% interval over seeds | by seed | chance to beat native |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["tasks"]:
        for program in row["programs"]:
            mean, chance = program["fitness"], program["beats_native"]
            seeds = ", ".join(f"{value:.3g}" for value in program["by_seed"])
            told = (
                ""
                if program["name"] == NATIVE
                else f"{chance['value']:.2f} [{chance['low']:.2f}, {chance['high']:.2f}]"
            )
            lines.append(
                f"| {row['task']} | {row['steps'] // 1000}k | {program['name']} | {mean['value']:.3g} [{mean['low']:.3g}, {mean['high']:.3g}] "
                f"| {seeds} | {told} |"
            )
        lines += [f"| {row['task']} | | failed: {failure} | | | |" for failure in row["failures"]]
    return "\n".join(lines)
