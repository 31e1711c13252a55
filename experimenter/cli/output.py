"""How the command line prints: JSON objects, plain tables, durations, sparklines, and errors as one line."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from experimenter.config import HOME_VARIABLE
from experimenter.wording import count, duration

__all__ = ["count", "duration", "explain", "home_option", "json_option", "print_json", "print_table", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
UNEXPECTED = 70
"""Exit code of an error that is ours (EX_SOFTWARE)."""


def print_json(value: Any) -> None:
    """Print one JSON object; NaN and infinities become null, so that every reader can parse it."""
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, str | int | bool) or value is None:
        return value
    return str(value)


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "nothing here yet.") -> None:
    """Print an aligned table in plain text that also reads well in a pipe."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty)
        return
    widths = [max(len(line[i]) for line in [list(head), *cells]) for i in range(len(head))]
    for line in [list(head), *cells]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """Draw up to `width` values as block characters, scaled to their own range."""
    shown = [value for value in values if value == value]
    if not shown:
        return ""
    if len(shown) > width:
        shown = [shown[round(i * (len(shown) - 1) / (width - 1))] for i in range(width)]
    low, high = min(shown), max(shown)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in shown)


def explain(error: BaseException) -> tuple[str, int]:
    """Turn any error into (one line, exit code). An unexpected one leaves its traceback in a file that the line names."""
    from sqlalchemy.exc import DBAPIError

    from experimenter.errors import ExperimenterError
    from memory.store import StoreProblem
    from skills.artifact import ArtifactError
    from skills.library import SkillProblem

    if isinstance(error, ExperimenterError):
        return _one_line(error), error.exit_code
    if isinstance(error, StoreProblem):
        return _one_line(error), 4
    if isinstance(error, SkillProblem | ArtifactError):
        return _one_line(error), 8
    if isinstance(error, DBAPIError):
        return (
            f"the database refused: {_one_line(error.orig or error)}. Free disk space or check its rights, then try again.",
            4,
        )
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or ''}".rstrip(": "), 3
    return f"unexpected {type(error).__name__}: {_one_line(error)} (details in {_keep_traceback(error)})", UNEXPECTED


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _keep_traceback(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error))
    try:
        handle, name = tempfile.mkstemp(prefix="experimenter-", suffix=".log")
        with os.fdopen(handle, "w") as file:
            file.write(text)
    except OSError:
        sys.stderr.write(text)
        return "standard error"
    return name


def home_option() -> Any:
    return typer.Option(
        "--home",
        callback=_move_home,
        help="Folder with database, jobs, skills and models (EXPERIMENTER_HOME, or the user's data folder).",
    )


def _move_home(context: typer.Context, given: Path | None) -> Path | None:
    """Make `--home` the home of this command's families and worker processes too; undone when the command ends."""
    if given is not None:
        before = os.environ.get(HOME_VARIABLE)
        os.environ[HOME_VARIABLE] = str(given.expanduser().resolve())
        context.call_on_close(lambda: _restore_home(before))
    return given


def _restore_home(before: str | None) -> None:
    os.environ.pop(HOME_VARIABLE, None)
    if before is not None:
        os.environ[HOME_VARIABLE] = before


def json_option() -> Any:
    return typer.Option("--json", help="Print one JSON object instead of text.")
