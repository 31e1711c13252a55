"""Failures as values: `boundary(stage)` turns whatever goes wrong inside it into a `StageError` that carries a `Failure`."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite

from experimenter.errors import ProgramRefused, SandboxError
from experimenter.records import Failure

_MESSAGE = 2_000
_TRACEBACK = 8_000
_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
}

_PLACE = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EIO)


class StageError(Exception):
    """Something failed in a known stage; `failure` says what."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.stage}: {failure.kind}: {failure.message}")
        self.failure = failure


@contextmanager
def boundary(stage: str) -> Iterator[None]:
    """Attribute every exception inside to `stage`. The one broad handler of a job: inner boundaries win."""
    try:
        yield
    except StageError:
        raise
    except Exception as error:
        raise StageError(describe(stage, error)) from error


def describe(stage: str, error: BaseException) -> Failure:
    """Describe an exception as a failure; an error that knows its own `stage` or `kind` (a string attribute) is believed."""
    kind = getattr(error, "kind", None) or _kind(error)
    stage = getattr(error, "stage", None) or ("sandbox" if type(error) is SandboxError else stage)
    text = "".join(traceback.format_exception(error))
    return Failure(
        stage=str(stage), kind=str(kind), message=_message(error)[:_MESSAGE], traceback=clip(text, _TRACEBACK)
    )


def fail(stage: str, kind: str, message: str, details: str = "") -> StageError:
    """Make a `StageError` from words."""
    failure = Failure(stage=stage, kind=kind, message=message[:_MESSAGE], traceback=clip(details, _TRACEBACK))
    return StageError(failure)


def clip(text: str, limit: int) -> str:
    """Keep the end of `text`, where the cause of a traceback stands."""
    return text if len(text) <= limit else "... " + text[-limit:]


def is_transient(failure: Failure) -> bool:
    """True for failures of this machine or installation, not of the job: never stored as its result, so that a later run tries again."""
    return failure.kind in ("disk", "ImportError", "ModuleNotFoundError")


def all_finite(values: object) -> bool:
    """True when every float inside plain JSON `values` is finite."""
    if isinstance(values, dict):
        return all(all_finite(value) for value in values.values())
    if isinstance(values, list | tuple):
        return all(all_finite(value) for value in values)
    return isfinite(values) if isinstance(values, float) else True


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, ProgramRefused):
        return "screen"
    if isinstance(error, OSError) and error.errno in (*_DISK, *_PLACE):
        return "disk"
    if isinstance(error, FloatingPointError) or type(error).__name__ == "NonFinite":
        return "nan"
    return type(error).__name__


def _message(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory: the job needed more than it may use"
    if isinstance(error, OSError) and error.errno is not None:
        cause = _DISK.get(error.errno) or error.strerror or type(error).__name__
        where = f" ({error.filename})" if error.filename else ""
        advice = ": free space or choose another home folder" if error.errno in (*_DISK, *_PLACE) else ""
        return f"{cause}{where}{advice}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
