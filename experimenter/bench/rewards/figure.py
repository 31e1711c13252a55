"""The figure: one group of bars a task with intervals, and the interquartile mean over all tasks on the right."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from experimenter.bench.rewards.arms import ARMS, LABELS
from experimenter.bench.rewards.scores import CLIP, FLOOR

_COLOURS = dict(zip(ARMS, ("#555555", "#bbbbbb", "#e69f00", "#56b4e9", "#cc79a7", "#0072b2"), strict=True))
"""After Okabe and Ito, told apart by colour-blind readers."""
_WIDTH = 0.13


def draw_figure(result: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw the human-normalised scores; returns the files' content by kind (png, svg)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tasks = result["tasks"]
    figure = Figure(figsize=(5.5 + 1.1 * max(2, len(tasks)), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[max(2, len(tasks)), 1.6], sharey=True)
    for place, arm in enumerate(ARMS):
        _bars_by_task(left, tasks, arm, (place - (len(ARMS) - 1) / 2) * _WIDTH)
        _bar_of_all(right, result["overall"], arm, place)
    left.set_xticks(range(len(tasks)), [task["task"] for task in tasks], rotation=25, ha="right")
    left.set_ylabel("human-normalised score (native = 1, sparse = 0)")
    right.set_xticks([])
    right.set_title("IQM, all tasks", fontsize=10)
    for axis in (left, right):
        axis.axhline(0.0, color="#999999", linewidth=0.6)
        axis.axhline(1.0, color="#555555", linewidth=0.8, linestyle="--")
        axis.spines[["top", "right"]].set_visible(False)
    left.legend(loc="upper left", fontsize=8, ncols=3, frameon=False)
    files = {}
    for kind in ("png", "svg"):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
        files[kind] = buffer.getvalue()
    return files


def _bars_by_task(axis: Any, tasks: list[Mapping[str, Any]], arm: str, shift: float) -> None:
    """One bar a task, with the interval of the mean fitness turned into scores by the task's own denominator."""
    for index, task in enumerate(tasks):
        arms = {row["arm"]: row for row in task["arms"]}
        if arm not in arms:
            continue
        score, ends = arms[arm]["score"], _ends(task, arms[arm]["fitness"])
        low, high = (min(CLIP, max(-CLIP, end)) for end in ends)
        label = LABELS[arm] if index == _first(tasks, arm) else None
        axis.bar(index + shift, score, _WIDTH, color=_COLOURS[arm], label=label)
        axis.plot([index + shift] * 2, [min(low, score), max(high, score)], color="#222222", linewidth=0.9)


def _bar_of_all(axis: Any, overall: list[Mapping[str, Any]], arm: str, place: int) -> None:
    for row in overall:
        if row["arm"] == arm:
            axis.bar(place, row["iqm"]["value"], 0.8, color=_COLOURS[arm])
            axis.plot([place] * 2, [row["iqm"]["low"], row["iqm"]["high"]], color="#222222", linewidth=1.2)


def _ends(task: Mapping[str, Any], fitness: Mapping[str, float]) -> tuple[float, float]:
    means = {row["arm"]: row["fitness"]["value"] for row in task["arms"]}
    gap = max(abs(means["native"] - means["sparse"]), FLOOR * task["scale"])
    return (fitness["low"] - means["sparse"]) / gap, (fitness["high"] - means["sparse"]) / gap


def _first(tasks: list[Mapping[str, Any]], arm: str) -> int:
    return next(index for index, task in enumerate(tasks) if any(row["arm"] == arm for row in task["arms"]))
