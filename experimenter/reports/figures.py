"""Figures of the report: learning curves with intervals as SVG text, reward terms, episodes, and the winner's film."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.evaluation.rollout import record_rollout
from experimenter.evaluation.seeds import admission_seeds
from experimenter.evaluation.video import write_animation
from experimenter.records import CurvePoint, JobResult
from skills.artifact import load_policy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GRID = 60
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#f0e442")
"""Okabe and Ito's colours, told apart by colour-blind readers."""


def draw_arms(arms: Mapping[str, Sequence[JobResult]], name: str = "fitness") -> str:
    """Draw one curve an arm: mean over its training seeds, the band from the lowest to the highest seed."""
    figure, axis = _figure(7.2, 3.4)
    for colour, (label, results) in zip(_cycle(len(arms)), arms.items(), strict=True):
        curves = [pairs for result in results if len((pairs := _series(result.curve, name))[0]) > 1]
        if not curves:
            continue
        grid = np.linspace(min(x[0] for x, _ in curves), max(x[-1] for x, _ in curves), _GRID)
        rows = np.array([np.interp(grid, x, y, right=np.nan) for x, y in curves])
        with np.errstate(all="ignore"):
            mean = np.nanmean(rows, axis=0)
            axis.plot(
                grid, mean, color=colour, label=f"{label} ({len(curves)} seed{'s' * (len(curves) > 1)})", linewidth=1.6
            )
            if len(curves) > 1:
                axis.fill_between(
                    grid, np.nanmin(rows, axis=0), np.nanmax(rows, axis=0), color=colour, alpha=0.15, linewidth=0
                )
    axis.set_ylabel(f"{name} of training episodes")
    return _finish(figure, axis)


def draw_terms(result: JobResult) -> str:
    """Draw the mean per-step value of each reward term over training."""
    figure, axis = _figure(7.2, 2.8)
    names = sorted({name for point in result.curve for name in point.terms})
    for colour, name in zip(_cycle(len(names)), names, strict=True):
        points = [(point.step, point.terms[name]) for point in result.curve if name in point.terms]
        axis.plot(*zip(*points, strict=True), color=colour, label=name, linewidth=1.4)
    axis.axhline(0.0, color="#999999", linewidth=0.6)
    axis.set_ylabel("mean per step")
    return _finish(figure, axis)


def draw_tree(
    points: Mapping[str, tuple[int, float, bool]], lines: Sequence[tuple[str, str]], levels: Mapping[str, float]
) -> str:
    """Draw programs by generation and fitness: label -> (generation, fitness, won), lines parent to child, level lines."""
    figure, axis = _figure(7.2, 3.0)
    for colour, (label, value) in zip(_cycle(len(levels)), levels.items(), strict=True):
        axis.axhline(value, color=colour, linewidth=1.0, linestyle="--", label=label)
    for parent, child in lines:
        if parent in points and child in points:
            (x0, y0, _), (x1, y1, _) = points[parent], points[child]
            axis.plot([x0, x1], [y0, y1], color="#999999", linewidth=0.8)
    for label, (generation, value, won) in points.items():
        axis.plot(
            [generation],
            [value],
            "*" if won else "o",
            color="#00703c" if won else "#555555",
            markersize=11 if won else 5,
        )
        axis.annotate(label[-6:], (generation, value), textcoords="offset points", xytext=(6, 3), fontsize=7)
    axis.set_xlabel("generation")
    axis.set_ylabel("held-out fitness (IQM)")
    axis.set_xticks(sorted({generation for generation, _, _ in points.values()}))
    return _finish(figure, axis)


def film(home: Path, task: TaskSpec, policy_folder: Path, *, max_bytes: int = 1_400_000) -> str | None:
    """Record the policy in one held-out world as a data URI; None when there is no policy to play."""
    if not policy_folder.is_dir():
        return None
    rollout = record_rollout(get_family(task.family), task, load_policy(policy_folder), admission_seeds(1)[0], every=3)
    with tempfile.TemporaryDirectory() as folder:
        content = write_animation(
            Path(folder) / "film.webp", rollout.frames, frames_per_s=17.0, max_bytes=max_bytes
        ).read_bytes()
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlabel("env steps")
    return figure, axis


def _finish(figure: Figure, axis: Axes) -> str:
    if axis.lines:
        axis.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _series(curve: Sequence[CurvePoint], name: str) -> tuple[list[float], list[float]]:
    pairs = [(float(point.step), float(value)) for point in curve if (value := getattr(point, name)) is not None]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _cycle(count: int) -> list[Any]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]
