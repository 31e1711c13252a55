"""The task table of `experimenter env show web`: what each browser can do with each task, as it was measured."""

from __future__ import annotations

from typing import Any

from experimenter.cli.output import print_table

_COLUMNS = (("runs", "same page", "oracle", "by hand"), ("runs", "same page", "oracle", "trains"))


def web_tasks() -> list[dict[str, Any]]:
    """One row a task; see `envs.web.survey.Support` for the columns of a browser."""
    from envs.web.survey import list_support

    return list_support()


def print_tasks(rows: list[dict[str, Any]]) -> None:
    """Print the table: `runs` is made, reset and stepped; `same page` for the same seed; the oracle's rate of solving.

    `trains` is a fast browser that does the task as Chromium does it; `by hand` the oracle with trusted mouse and keyboard.
    """
    browsers = sorted({name for row in rows for name in row} - {"number", "task", "oracle"})
    head = ["number", "task", *(f"{name}: {what}" for name in browsers for what in _COLUMNS[name != "chromium"])]
    print_table(head, [(row["number"], row["task"], *_cells(row, browsers)) for row in rows])


def _cells(row: dict[str, Any], browsers: list[str]) -> list[str]:
    cells = []
    for name in browsers:
        told = row[name]
        last = _yes(told.get("trains")) if name != "chromium" else _rate(told.get("trusted"))
        cells += [_yes(told.get("runs")), _yes(told.get("same_page")), _rate(told.get("oracle")), last]
    return cells


def _rate(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _yes(flag: object) -> str:
    return "-" if flag is None else "yes" if flag else "no"
