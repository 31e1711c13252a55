"""The bench from end to end: search, final training and statistics of one task after the other; a killed run goes on.

The folder of a run holds `bench.json` (its state), `home` (database, jobs, sessions), `evaluations`, and the results: `results.json`,
`results.md`, `results.html`, `figure.png` and `figure.svg`, written anew after every task.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experimenter.bench.rewards.arms import Arms, find_arms
from experimenter.bench.rewards.finals import FinalRuns, make_jobs, open_pool, run_finals
from experimenter.bench.rewards.lanes import Relay, default_lanes, run_lanes
from experimenter.bench.rewards.options import BenchOptions
from experimenter.bench.rewards.progress import Progress, Say
from experimenter.bench.rewards.results import TaskResult, summarise, summarise_task
from experimenter.bench.rewards.search import Found, begin_search, read_search, run_search
from experimenter.bench.rewards.state import BenchState, TaskState, open_state, put_task
from experimenter.bench.rewards.tasks import BenchTask
from experimenter.errors import JobError
from experimenter.execution.base import JobUpdate, make_executor
from experimenter.journal import Event
from experimenter.rewards.screens import STATIC
from experimenter.services import open_home

_TOLD = ("model", "rewards", "standing", "verdict", "failure")
"""Kinds of events of a search that the bench passes on."""


@dataclass
class Run:
    """One process's run of the bench: where it writes and to whom it speaks."""

    options: BenchOptions
    folder: Path
    state: BenchState
    progress: Progress | Relay
    workers: int
    record: Path | None
    steps: dict[str, int] = field(default_factory=dict)
    """Env steps of the jobs of the task at hand, by job digest."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def put(self, task: BenchTask, state: TaskState) -> TaskState:
        self.state = put_task(self.folder, self.state, task.name, state)
        return state

    def hear(self, task: BenchTask, phase: str, update: JobUpdate) -> None:
        self.steps[update.job_digest] = max(self.steps.get(update.job_digest, 0), update.step)
        self.progress.tick(task.name, phase, sum(self.steps.values()))


def measure(
    options: BenchOptions,
    tasks: Sequence[BenchTask],
    folder: Path,
    *,
    workers: int | None = None,
    lanes: int | None = None,
    record: Path | None = None,
    models: Path | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Run what of the bench has not run yet and return its result, JSON-plain (see `results.summarise`).

    `lanes` is the number of tasks at the same time, which share the `workers` (None: see `default_lanes`). `models` is a
    folder with fetched weights, for the embedded model. Raises `UsageError` for a folder that holds another run.
    """
    count = workers or len(os.sched_getaffinity(0))
    state = open_state(folder, options)
    open_home(folder / "home")
    _link_models(folder / "home" / "models", models)
    progress = Progress(tasks, options, count, say)
    run = Run(options, folder, state, progress, count, record)
    done: dict[str, TaskResult] = {}
    with open_pool(count) as pool:

        def finish(task: BenchTask) -> None:
            done[task.name] = _run_task(run, task, pool)
            _write(run, [done[one.name] for one in tasks if one.name in done], progress.elapsed_s)

        def read(task: BenchTask) -> None:
            run.state = open_state(folder, options)
            finish(task)

        ended = [task for task in tasks if (known := state.tasks.get(task.name)) is not None and known.done]
        waiting = sorted((task for task in tasks if task not in ended), key=progress.forecast_of, reverse=True)
        together = min(lanes or default_lanes(options, run.home, len(waiting), count), max(1, len(waiting)))
        try:
            if together > 1:
                for task in ended:
                    finish(task)
                run_lanes(
                    _in_lane, options, waiting, folder, lanes=together, workers=count, record=record, progress=progress, on_done=read
                )  # fmt: skip
            else:
                for task in tasks:
                    finish(task)
        except KeyboardInterrupt:
            progress.say("interrupted: the same command goes on where this was")
            raise
        return _write(run, [done[task.name] for task in tasks], progress.elapsed_s)


def _write(run: Run, done: Sequence[TaskResult], elapsed_s: float) -> dict[str, Any]:
    from experimenter.bench.rewards.report import write_results

    result = summarise(run.options, done, run.folder, elapsed_s)
    write_results(run.folder, result)
    return result


def _in_lane(
    options: BenchOptions, task: BenchTask, folder: Path, workers: int, record: Path | None, relay: Relay
) -> None:
    """One task, in a process of its own."""
    with open_pool(workers) as pool:
        _run_task(Run(options, folder, open_state(folder, options), relay, workers, record), task, pool)


def _run_task(run: Run, task: BenchTask, pool: ProcessPoolExecutor) -> TaskResult:
    run.steps = {}
    known = run.state.tasks.get(task.name)
    found = _search(run, task, known)
    sound = {verdict.digest for verdict in found.screens if verdict.screen == STATIC and verdict.passed}
    arms = find_arms(found.candidates, found.finished, sound)
    finals = _finals(run, task, arms, pool)
    state = run.state.tasks[task.name]
    if known is not None and known.done:
        run.progress.skip(task.name)
    else:
        state = run.put(task, state.evolve(done=True))
        run.progress.finish(task.name)
    result = summarise_task(task, run.options, found, arms, finals, state.finals_wall_s)
    if not isinstance(run.progress, Relay):  # else the parent says so when it reads it back
        run.progress.say(f"{task.name}: {result.in_one_line()}")
    return result


def _search(run: Run, task: BenchTask, known: TaskState | None) -> Found:
    """The task's search: begun, gone on with, or read back."""
    state = known
    if state is None:
        state = run.put(task, TaskState(session=begin_search(task, run.options, run.home, run.workers)))
    if not state.searched:
        run.progress.say(f"{task.name}: searching (session {state.session})")

        def listen(event: Event) -> None:
            if event.kind in _TOLD:
                run.progress.say(f"{task.name}: {event.text}")

        run_search(
            state.session,
            task,
            run.home,
            record=run.record,
            listen=listen,
            on_update=lambda update: run.hear(task, "searching", update),
        )
        run.put(task, state.evolve(searched=True))
    found = read_search(state.session, task, run.home)
    run.steps = {run_.job.digest: run_.result.new_steps for run_ in found.finished}
    return found


def _finals(run: Run, task: BenchTask, arms: Arms, pool: ProcessPoolExecutor) -> FinalRuns:
    """Train and play every arm; wall time is added up over resumes."""
    state, started = run.state.tasks[task.name], time.monotonic()
    jobs = make_jobs(task, arms, run.options)
    executor = make_executor(run.home, workers=run.workers, allow_unconfined=run.options.allow_unconfined)
    if not state.done:
        run.progress.say(f"{task.name}: final training, {len(arms.distinct)} programs on {run.options.seeds} seeds")
    try:
        return run_finals(
            executor, pool, run.folder, arms, jobs, run.options.episodes,
            lambda update: run.hear(task, "final training", update),
        )  # fmt: skip
    except ValueError as error:
        raise JobError(f"{task.name}: {error}") from error
    finally:
        if not state.done:
            run.put(task, state.evolve(finals_wall_s=state.finals_wall_s + time.monotonic() - started))


def _link_models(target: Path, models: Path | None) -> None:
    """Let the bench's home use weights that were fetched before; a home that has its own keeps them."""
    if models is None or not models.is_dir():
        return
    for file in models.iterdir():
        place = target / file.name
        if file.is_file() and not place.exists():
            place.symlink_to(file.resolve())
