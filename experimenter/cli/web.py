"""The task table of `experimenter env show web`: what each browser can do with each task, as it was measured."""

from __future__ import annotations

from typing import Any

from experimenter.cli.output import print_table


def web_tasks() -> list[dict[str, Any]]:
    """One row a task; see `envs.web.survey.Support` for the columns of a browser."""
    from envs.web.survey import list_support

    return list_support()


def print_tasks(rows: list[dict[str, Any]]) -> None:
    """Print the table: `runs` is made, reset and stepped; `same page` for the same seed; the oracle's rate of solving."""
    browsers = sorted({name for row in rows for name in row} - {"number", "task", "oracle"})
    head = ["number", "task", *(f"{name}: {what}" for name in browsers for what in ("runs", "same page", "oracle"))]
    print_table(head, [(row["number"], row["task"], *_cells(row, browsers)) for row in rows])


def _cells(row: dict[str, Any], browsers: list[str]) -> list[str]:
    cells = []
    for name in browsers:
        told = row[name]
        rate = told.get("oracle")
        cells += [_yes(told.get("runs")), _yes(told.get("same_page")), "-" if rate is None else f"{rate:.0%}"]
    return cells


def _yes(flag: object) -> str:
    return "-" if flag is None else "yes" if flag else "no"
