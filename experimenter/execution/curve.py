"""The learning curve as a file of lines: written by the training worker, read with suspicion by the parent.

The worker closes a point when at least 1/`_POINTS` of the budget went by and an episode ended, so a job leaves about that
many points. After a resume the points behind the checkpoint are cut. Losses are the newest, everything else is a mean.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from envs.family import EpisodeOutcome
from experimenter.execution.failures import all_finite
from experimenter.execution.folder import read_plain
from experimenter.records import CurvePoint

CURVE_FILE = "curve.jsonl"
_POINTS = 250
_MAX_POINTS = 3_000
_MAX_LINE = 64_000
_MAX_BYTES = 64_000_000
_MAX_NAMES = 64


class CurveWriter:
    """Collects episodes and reward terms and writes points; the training side."""

    def __init__(self, folder: Path, budget_steps: int) -> None:
        self._path = folder / CURVE_FILE
        self._gap = max(1, budget_steps // _POINTS)
        self._started = time.monotonic()
        self._episodes: list[EpisodeOutcome] = []
        self._points = read_curve(self._path, 2**62)
        self._last = self._points[-1].step if self._points else 0
        self._before_s = self._points[-1].wall_s if self._points else 0.0

    def add(self, outcomes: Sequence[EpisodeOutcome]) -> None:
        self._episodes.extend(outcomes)

    def cut(self, step: int) -> None:
        """Forget every point after `step` and every episode of the open point."""
        self._episodes.clear()
        self._points = [point for point in self._points if point.step <= step]
        self._last = self._points[-1].step if self._points else 0
        part = self._path.with_name(self._path.name + ".part")
        part.write_text("".join(point.model_dump_json(exclude_defaults=True) + "\n" for point in self._points))
        part.replace(self._path)

    @property
    def has_episodes(self) -> bool:
        return bool(self._episodes)

    def is_due(self, step: int) -> bool:
        """True when an episode has ended and the open point is wide enough."""
        return bool(self._episodes) and step - self._last >= self._gap

    def close_point(self, step: int, means: Mapping[str, float], losses: Mapping[str, float]) -> None:
        """Append a point for what ended since the last one. `means` holds the reward wrapper's term means and `return`."""
        if step <= self._last:
            return
        done, self._episodes = self._episodes, []
        point = CurvePoint(
            step=step,
            fitness=_mean([o.fitness for o in done]),
            success=_mean([float(o.success) for o in done]),
            reward=_finite(means.get("return")),
            native_return=_mean([o.native_return for o in done]),
            length=_mean([float(o.length) for o in done]),
            episodes=len(done),
            terms={name: float(value) for name, value in means.items() if name != "return" and isfinite(value)},
            losses={name: float(value) for name, value in losses.items() if isfinite(value)},
            wall_s=round(self._before_s + time.monotonic() - self._started, 3),
        )
        self._points.append(point)
        self._last = step
        with self._path.open("a") as file:
            file.write(point.model_dump_json(exclude_defaults=True) + "\n")


class CurveTail:
    """Follows a growing curve file from the parent's side."""

    def __init__(self, path: Path, budget_steps: int) -> None:
        self._path = path
        self._budget = budget_steps
        self._offset = 0
        self._last = -1

    def poll(self) -> list[CurvePoint]:
        """Return the valid points that came since the last call."""
        if self._path.is_symlink() or not self._path.is_file():
            return []
        if self._path.stat().st_size < self._offset:
            self._offset = 0
        content = read_plain(self._path, 16 * _MAX_LINE, self._offset) or b""
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole) or (len(content) if len(content) > _MAX_LINE else 0)
        points = parse_points(whole, self._budget, self._last)
        self._last = points[-1].step if points else self._last
        return points


def read_curve(path: Path, budget_steps: int) -> list[CurvePoint]:
    """Read the valid points of a possibly hostile curve file: finite numbers, steps rising and within the budget."""
    return parse_points(read_plain(path, _MAX_BYTES) or b"", budget_steps)


def parse_points(content: bytes, budget_steps: int, after: int = -1) -> list[CurvePoint]:
    """Parse lines of JSON; drops what is too long, invalid, not finite, out of order, beyond the budget or too much."""
    points: list[CurvePoint] = []
    for line in content.splitlines():
        point = _parse(line) if len(line) <= _MAX_LINE else None
        if point is None or not after < point.step <= budget_steps:
            continue
        points.append(point)
        after = point.step
        if len(points) == _MAX_POINTS:
            break
    return points


def _parse(line: bytes) -> CurvePoint | None:
    try:
        point = CurvePoint.model_validate_json(line)
    except ValidationError:
        return None
    plain: dict[str, Any] = point.model_dump()
    names = [*point.terms, *point.losses]
    sane = len(names) <= _MAX_NAMES and all(len(name) <= 100 and name.isprintable() for name in names)
    return point if sane and point.episodes >= 0 and all_finite(plain) else None


def _mean(values: Sequence[float]) -> float | None:
    return _finite(sum(values) / len(values)) if values else None


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and isfinite(value) else None
