"""Temporary folders that never outlive their process by long: each is held by a lock, and unheld ones are swept away. No process is started."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "experimenter-site-"
_LOCK = "held"
_held: dict[Path, int] = {}


def make_folder(name: str) -> Path:
    """A fresh folder of this process, removed at its end; one that a killed process left is removed by the next that asks."""
    if not _held:
        atexit.register(_remove_all)
        sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-"))
    end = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(end, fcntl.LOCK_EX)
    _held[folder] = end
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder of ours and let go of its lock. May be called twice."""
    shutil.rmtree(folder, ignore_errors=True)
    end = _held.pop(folder, -1)
    if end >= 0:
        os.close(end)


def sweep() -> list[Path]:
    """Remove the folders whose process is gone; return them."""
    gone = []
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError):
            end = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(end, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
                gone.append(lock.parent)
            finally:
                os.close(end)
    return gone


def _remove_all() -> None:
    for folder in list(_held):
        remove_folder(folder)
