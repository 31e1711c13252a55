"""Learning curves as a picture: fitness and reward over env steps, one line a training seed."""

from __future__ import annotations

import io
from collections.abc import Sequence

from experimenter.records import JobResult


def draw_curves(results: Sequence[JobResult], *, width_px: int = 800, height_px: int = 480) -> bytes:
    """Draw fitness (above) and the return under the trained-on reward (below) of each result; returns PNG bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_px / 100, height_px / 100), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for index, result in enumerate(results):
        for axis, name in ((upper, "fitness"), (lower, "reward")):
            pairs = [(point.step, getattr(point, name)) for point in result.curve if getattr(point, name) is not None]
            if pairs:
                axis.plot(*zip(*pairs, strict=True), label=f"seed {index}", linewidth=1.5)
    upper.set_ylabel("fitness")
    lower.set_ylabel("return under the reward")
    lower.set_xlabel("env steps")
    if upper.lines:
        upper.legend(loc="lower right", fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
