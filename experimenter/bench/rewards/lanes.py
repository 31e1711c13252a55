"""Tasks of the bench side by side, each in a process of its own: while one waits for its model or for the last run of a rung, another trains.

The processes share the run's folder (see `state.py`) and home, and tell the parent how far they are. They end with their parent,
however it ends; the same command then goes on where they were.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from experimenter.bench.rewards.options import BenchOptions
from experimenter.bench.rewards.progress import Progress
from experimenter.bench.rewards.tasks import BenchTask, find_tasks
from experimenter.errors import (
    EnvironmentNotReady,
    ExperimenterError,
    JobError,
    ModelError,
    SandboxError,
    SkillError,
    StoreError,
    UsageError,
)
from experimenter.llm.choose import resolve_model
from experimenter.llm.embedded_child import leave_with_parent

Work = Callable[[BenchOptions, BenchTask, Path, int, Path | None, "Relay"], None]
"""Runs one task to its end; importable by name, for it is called in another process."""
_ERRORS = (UsageError, EnvironmentNotReady, StoreError, ModelError, SandboxError, JobError, SkillError)
"""What a child's error becomes in the parent, with its words; they differ by their exit code."""
LANES = 3
"""Tasks at the same time where nothing speaks against it. With two, each with half of the workers, cores idled a sixth of the time."""
_LEAVE_S = 30.0
"""Seconds that the other tasks get to stop in order when one of them failed."""


@dataclass
class Relay:
    """Stands for the parent's `Progress` in a child process."""

    pipe: Connection

    def say(self, text: str) -> None:
        self.pipe.send(("say", text))

    def tick(self, name: str, phase: str, steps: int) -> None:
        self.pipe.send(("tick", name, phase, steps))

    def skip(self, name: str) -> None:
        self.pipe.send(("skip", name))

    def finish(self, name: str) -> None:
        self.pipe.send(("finish", name))


def default_lanes(options: BenchOptions, home: Path, tasks: int, workers: int) -> int:
    """Three, of which one is taken to wait (for its model, a screen, the last run of a rung) while the others train; one with the
    embedded model, whose weights each lane would hold."""
    if tasks < 2 or workers < 2:
        return 1
    if options.answers is not None or not options.candidates:
        return LANES
    chosen = resolve_model(options.model, base_url=options.base_url, environment=os.environ, home=home)
    return 1 if chosen.provider == "embedded" else LANES


def run_lanes(
    work: Work,
    options: BenchOptions,
    tasks: Sequence[BenchTask],
    folder: Path,
    *,
    lanes: int,
    workers: int,
    record: Path | None,
    progress: Progress,
    on_done: Callable[[BenchTask], None],
) -> None:
    """Run `tasks`, up to `lanes` at the same time, the first ones first; `on_done` hears of each that ended well.

    Of several lanes one is taken to wait: the `workers` are shared out among the others, and the kernel among all.

    Raises what the first failing task says, after the others have stopped: all of it can be gone on with.
    """
    context = multiprocessing.get_context("spawn")
    share = max(1, workers // max(1, lanes - 1))
    asked = False
    queue, running = list(tasks), dict[Connection, tuple[BenchTask, SpawnProcess]]()
    try:
        while queue or running:
            while queue and len(running) < lanes:
                task = queue.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(
                    target=_child, args=(work, options.model_dump_json(), task.name, folder, share, record, theirs)
                )
                with _deaf():  # until it has imported what it needs, an interrupt would only print where it was
                    process.start()
                theirs.close()
                running[ours] = (task, process)
            ready = set(wait(list(running)))
            for pipe in [pipe for pipe in running if pipe in ready]:
                task, process = running[pipe]
                try:
                    _hear(progress, pipe.recv())
                except EOFError:
                    del running[pipe]
                    process.join()
                    if process.exitcode:
                        raise JobError(
                            f"{task.name}: its process ended with {process.exitcode}: run the same command again."
                        ) from None
                    on_done(task)
    except KeyboardInterrupt:
        asked = True  # the terminal told the children too
        raise
    finally:
        _stop([process for _, process in running.values()], asked)


def _hear(progress: Progress, message: tuple[Any, ...]) -> None:
    kind, *told = message
    if kind == "error":
        place, text = told
        raise _ERRORS[place](text)
    hear: Callable[..., None] = getattr(progress, kind)
    hear(*told)


@contextmanager
def _deaf() -> Iterator[None]:
    """Let what is started meanwhile ignore Ctrl-C; this process hears it right after."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(processes: Sequence[SpawnProcess], asked: bool) -> None:
    """End what still runs: asked first, then killed."""
    for process in [] if asked else processes:
        process.terminate()
    end = time.monotonic() + _LEAVE_S
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _child(
    work: Work, options: str, name: str, folder: Path, workers: int, record: Path | None, pipe: Connection
) -> None:
    threading.Thread(target=leave_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # both end it in order
            signal.signal(number, signal.default_int_handler)
        work(BenchOptions.model_validate_json(options), find_tasks([name])[0], folder, workers, record, Relay(pipe))
    except ExperimenterError as error:
        place = next((i for i, known in enumerate(_ERRORS) if isinstance(error, known)), _ERRORS.index(JobError))
        pipe.send(("error", place, str(error)))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
