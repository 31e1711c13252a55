"""The result for people: a table for the terminal, and `results.json`, `results.md`, `results.html` and the figure in a run's folder."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experimenter.bench.rewards.arms import ARMS
from experimenter.bench.rewards.figure import draw_figure

Result = Mapping[str, Any]
Rows = Sequence[Sequence[str]]
_SHORT = {
    "native": "native",
    "sparse": "sparse",
    "one_shot": "one-shot",
    "best_of_k": "best of K",
    "best_model": "best written",
    "search": "search",
}
_MARK = {"win": "+", "loss": "-", "tie": "="}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Bench: rewards</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;margin:1rem 0}}td,th{{border:1px solid #ccc;padding:.2rem .6rem;text-align:right}}
td:first-child,th:first-child{{text-align:left}}img{{max-width:100%}}</style></head><body>
{body}
</body></html>
"""


def table(result: Result) -> str:
    """Lay the result out for a terminal."""
    parts = [_heading(result)]
    for title, head, rows in _tables(result):
        parts += ["", title, _aligned([head, *rows])] if rows else []
    return "\n".join([*parts, "", *_notes(result), f"all of it: {result['folder']}"])


def write_results(folder: Path, result: Result) -> None:
    """Write the result's files into `folder`, each whole or not at all."""
    figure = draw_figure(result)
    _write(folder / "results.json", json.dumps(result, indent=2, allow_nan=False).encode())
    _write(folder / "results.md", markdown(result).encode())
    _write(folder / "results.html", page(result).encode())
    for kind, picture in figure.items():
        _write(folder / f"figure.{kind}", picture)


def markdown(result: Result) -> str:
    """The tables as Markdown."""
    parts = ["# Bench: rewards", "", _heading(result), "", "![scores by task](figure.png)"]
    for title, head, rows in _tables(result):
        if rows:
            parts += ["", f"## {title}", "", _pipes(head), _pipes(["---"] * len(head)), *(_pipes(row) for row in rows)]
    return "\n".join([*parts, "", *(f"- {note}" for note in _notes(result)), "", *_sources(result)]) + "\n"


def page(result: Result) -> str:
    """The tables as one HTML page beside the figure."""
    parts = [
        "<h1>Bench: rewards</h1>",
        f"<p>{html.escape(_heading(result))}</p>",
        '<img src="figure.svg" alt="scores by task">',
    ]
    for title, head, rows in _tables(result):
        if rows:
            parts += [f"<h2>{html.escape(title)}</h2>", _html_table(head, rows)]
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in [*_notes(result), *_sources(result)] if note)
    return _PAGE.format(body="\n".join([*parts, f"<ul>{notes}</ul>"]))


def _heading(result: Result) -> str:
    options, spent = result["options"], result["spent"]
    who = options["answers"] or options["model"] or "the default model"
    start = ", searches begun from the native reward" if options["from_native"] else ""
    wide = " (twice that where a training takes seconds)" if options["widen"] and result["mode"] == "quick" else ""
    minutes = spent.get("search_minutes", 0.0) + spent.get("final_minutes", 0.0)
    return (
        f"{result['tasks_done']} tasks, {result['mode']}, {options['seeds']} seeds, K {options['candidates']}{wide}, G {options['generations']}, "
        f"model: {who}{start}; {minutes:.0f} minutes, {spent.get('cpu_s', 0.0):,.0f} CPU-seconds of training"
    )


def _tables(result: Result) -> list[tuple[str, list[str], Rows]]:
    return [
        ("Human-normalised score, all tasks x seeds", *_overall(result)),
        ("Mean fitness by task", *_by_task(result)),
        ("Human-normalised score by task", *_scores(result)),
        ("Mean native return by task, success rate in brackets", *_returns(result)),
        ("What it cost", *_costs(result)),
        ("Screens before training", *_screens(result)),
    ]


def _overall(result: Result) -> tuple[list[str], Rows]:
    head = [
        "arm",
        "tasks",
        "IQM",
        "95% interval",
        "mean",
        "raw IQM",
        "wins",
        "losses",
        "ties",
        "sign test p",
        "P(improvement)",
    ]
    rows = [
        [
            row["label"],
            str(row["tasks"]),
            f"{row['iqm']['value']:.2f}",
            _range(row["iqm"]),
            f"{row['mean']:.2f}",
            _number(row["raw_iqm"]),
            "" if row["arm"] == "native" else f"{row['wins']} ({row['clear_wins']} clear)",
            "" if row["arm"] == "native" else f"{row['losses']} ({row['clear_losses']} clear)",
            "" if row["arm"] == "native" else str(row["ties"]),
            "" if row["arm"] == "native" else f"{row['sign_p']:.3f}",
            "" if row["arm"] == "native" else f"{row['improvement']['value']:.2f} {_range(row['improvement'])}",
        ]
        for row in result["overall"]
    ]
    return head, rows


def _by_task(result: Result) -> tuple[list[str], Rows]:
    shown = _shown(result)
    rows = []
    for task in result["tasks"]:
        arms = {arm["arm"]: arm for arm in task["arms"]}
        cells = [_fitness(arms[name]) if name in arms else "-" for name in shown]
        rows.append([task["task"], f"{task['steps']:,}", *cells])
    return ["task", "steps", *(_SHORT[name] for name in shown)], rows


def _scores(result: Result) -> tuple[list[str], Rows]:
    shown = [name for name in _shown(result) if name != "sparse"]
    rows = []
    for task in result["tasks"]:
        arms = {arm["arm"]: arm for arm in task["arms"]}
        cells = [
            f"{arms[name]['score']:.2f} ({_number(arms[name]['raw_score'])})" if name in arms else "-" for name in shown
        ]
        rows.append([task["task"] + (" *" if task["arms"][0]["floored"] else ""), *cells])
    return ["task (* floored)", *(f"{_SHORT[name]} (raw)" for name in shown)], rows


def _returns(result: Result) -> tuple[list[str], Rows]:
    shown = _shown(result)
    rows = []
    for task in result["tasks"]:
        arms = {arm["arm"]: arm for arm in task["arms"]}
        rows.append([task["task"], *(_return(arms.get(name)) for name in shown)])
    return ["task", *(_SHORT[name] for name in shown)], rows


def _return(arm: Mapping[str, Any] | None) -> str:
    if arm is None or arm["native_return"] is None:
        return "-"
    return f"{arm['native_return']:.1f} ({arm['success']:.2f})"


def _costs(result: Result) -> tuple[list[str], Rows]:
    head = ["task", "calls", "tokens", "money", "env steps", "CPU-s", "search min", "final min", "programs", "winner"]
    rows = []
    for task in result["tasks"]:
        spent, search = task["spent"], task["search"]
        winner = next((arm["program"] for arm in task["arms"] if arm["arm"] == "search"), "none")
        written = f"{search['programs_written']} ({search['programs_refused']} refused)"
        rows.append([task["task"], *_spending(spent), written, winner])
    if result["tasks"]:
        rows.append(["all", *_spending(result["spent"]), "", ""])
    return head, rows


def _spending(spent: Mapping[str, float]) -> list[str]:
    price = f"${spent['money_usd']:.2f}" + (" + unknown" if spent["unpriced_calls"] else "")
    steps = spent["search_env_steps"] + spent["final_env_steps"]
    return [
        f"{spent['calls']:,.0f}",
        f"{spent['tokens']:,.0f}",
        price,
        f"{steps:,.0f}",
        f"{spent['cpu_s']:,.0f}",
        f"{spent['search_minutes']:.1f}",
        f"{spent['final_minutes']:.1f}",
    ]


def _screens(result: Result) -> tuple[list[str], Rows]:
    head = ["screen", "programs", "refused", "seconds a program", "later winners it would have thrown away"]
    rows = [
        [
            screen["screen"],
            str(screen["programs"]),
            str(screen["refused"]),
            f"{screen['mean_cost_s']:.3f}",
            f"{screen['winners_refused']} of {screen['winners']}",
        ]
        for screen in result["screens"]
    ]
    return head, rows


def _notes(result: Result) -> list[str]:
    method, notes = result["method"], []
    if without := [task["task"] for task in result["tasks"] if task["no_model"]]:
        notes.append(
            f"no model-written arm on {', '.join(without)}: {result['tasks'][0]['missing'].get('one_shot', 'no usable program')}"
        )
    if failed := sum(len(task["failures"]) for task in result["tasks"]):
        notes.append(f"{failed} final training runs failed and count as their task's worst")
    if floored := [task["task"] for task in result["tasks"] if task["arms"][0]["floored"]]:
        notes.append(
            f"on {', '.join(floored)} native and sparse differ by less than {method['floor']:.0%} of the span of fitness: "
            "the denominator is that much there (raw quotients stand in brackets)"
        )
    notes.append(
        f"score = {method['score']}, clipped to +-{method['clip']:g}; interval: {method['interval']}; in the table by task + wins, - loses, "
        "= ties with the native reward, doubled where the interval of P(improvement) leaves out 1/2"
    )
    if result["screens"] and not result["options"]["audit_screens"]:
        notes.append(
            "a program that a screen refused did not race and could not win: --audit-screens lets it, to judge the screens"
        )
    if result["screens"] == [] and any(not task["no_model"] for task in result["tasks"]):
        notes.append("the sessions wrote no screen events")
    return notes


def _sources(result: Result) -> list[str]:
    if result["mode"] != "full":
        return [
            "Budgets of `quick` are shorter than the native reward needs: it compares how fast each reward teaches."
        ]
    return [f"{task['task']}: {task['full_steps']:,} steps. {task['full_steps_source']}." for task in result["tasks"]]


def _shown(result: Result) -> list[str]:
    have = {arm["arm"] for task in result["tasks"] for arm in task["arms"]}
    return [name for name in ARMS if name in have]


def _fitness(arm: Mapping[str, Any]) -> str:
    text = f"{arm['fitness']['value']:.3g} {_range(arm['fitness'])}"
    if (against := arm["against_native"]) is None:
        return text
    return f"{text} {_MARK[against['outcome']] * (2 if against['clear'] else 1)}"


def _range(interval: Mapping[str, float]) -> str:
    return f"[{interval['low']:.3g}, {interval['high']:.3g}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _aligned(rows: Rows) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _html_table(head: Sequence[str], rows: Rows) -> str:
    lines = ["<table><tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table>"])


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
