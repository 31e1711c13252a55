"""What a run of the bench has done so far, in one file of its folder: with it a killed run goes on where it was."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from experimenter.bench.rewards.options import BenchOptions
from experimenter.errors import UsageError
from experimenter.execution.folder import read_record, write_record
from experimenter.records import Record

FORMAT = "bench-rewards-1"
STATE_FILE = "bench.json"
_LOCK_FILE = "bench.lock"
_MAX_BYTES = 10_000_000


class TaskState(Record):
    session: str
    """The session that searches, or searched."""
    searched: bool = False
    finals_wall_s: float = 0.0
    """Wall seconds of the final training over all resumes."""
    done: bool = False


class BenchState(Record):
    format: str = FORMAT
    options: BenchOptions
    tasks: dict[str, TaskState] = Field(default_factory=dict)


def open_state(folder: Path, options: BenchOptions) -> BenchState:
    """Read the folder's state, or begin one; raises `UsageError` when it holds a run with other options."""
    path = folder / STATE_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        state = BenchState(options=options)
        write_record(path, state)
        return state
    state_read = read_record(path, BenchState, _MAX_BYTES)
    if state_read is None or state_read.format != FORMAT:
        raise UsageError(f"{path} is not the state of this bench: choose another folder with --out.")
    if state_read.options != options:
        raise UsageError(
            f"{folder} holds a run with other options ({_difference(state_read.options, options)}): resume it with those, "
            "or choose another folder with --out."
        )
    return state_read


def put_task(folder: Path, state: BenchState, name: str, task: TaskState) -> BenchState:
    """Write down how far a task is; returns the new state, with what other processes wrote of theirs meanwhile."""
    with locked(folder / _LOCK_FILE):
        held = read_record(folder / STATE_FILE, BenchState, _MAX_BYTES) or state
        tasks = {**{key: value.model_dump() for key, value in held.tasks.items()}, name: task.model_dump()}
        changed = state.evolve(tasks=tasks)
        write_record(folder / STATE_FILE, changed)
    return changed


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` (made where there is none) against other processes; a killed process lets go of it."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _difference(held: BenchOptions, asked: BenchOptions) -> str:
    before, now = held.model_dump(), asked.model_dump()
    return ", ".join(f"{name} {before[name]!r}, not {now[name]!r}" for name in before if before[name] != now[name])
