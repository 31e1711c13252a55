"""A task space cut into numbered cells, for teachers that keep a number for each: written choices times bins of the axes.

Choices are discrete task parameters, written out: `task=3|7|12;page_size=0|10` (their product). Axes are those of the task
space (space.py): a whole-number axis of few values is cut into these, another into equal bins. Where that would make too many cells, a
cell is a band of the mean over all axes instead: how far a task lies between the easy end and the target.

A choice may name a parameter that the card calls fixed, where worlds can change it from episode to episode (the task of the web family); of a family
that cannot, outcomes report the value that they really had, and only that one's cell is ever counted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.family import Card
from envs.task import ParamValue
from experimenter.curricula.space import Axis, TaskSpace, Unit, checked_value, make_space
from experimenter.errors import UsageError

MOST_CELLS = 512


@dataclass(frozen=True)
class Bins:
    """One axis in `count` parts; `exact` when each part is one whole number."""

    count: int
    exact: bool

    def draw(self, place: int, rng: np.random.Generator) -> float:
        """Draw a coordinate in [0, 1] from a part."""
        return place / max(1, self.count - 1) if self.exact else (place + rng.random()) / self.count

    def find(self, at: float) -> int:
        """Part in which a coordinate lies."""
        place = round(at * (self.count - 1)) if self.exact else int(at * self.count)
        return min(self.count - 1, max(0, place))


@dataclass(frozen=True)
class TaskCells:
    """Numbered cells of a task space."""

    space: TaskSpace
    choices: tuple[Mapping[str, ParamValue], ...]
    """Combinations of the written choices; one empty one where there are none."""
    axes: tuple[Bins, ...]
    """Cut of each axis; empty when cells are bands of the mean."""
    bands: int

    @property
    def per_choice(self) -> int:
        """Cells of each combination."""
        return math.prod(bins.count for bins in self.axes) if self.axes else self.bands

    def __len__(self) -> int:
        return len(self.choices) * self.per_choice

    def target(self) -> dict[str, ParamValue]:
        """The target itself."""
        return self.space.params([1.0] * self.space.size)

    def draw(self, cell: int, rng: np.random.Generator) -> dict[str, ParamValue]:
        """Draw a task uniformly from `cell`, complete and plain."""
        choice, rest = divmod(cell, self.per_choice)
        unit = self._in_bins(rest, rng) if self.axes else self._in_band(rest, rng)
        return {**self.space.params(unit), **self.choices[choice]}

    def _in_bins(self, cell: int, rng: np.random.Generator) -> Unit:
        places = np.unravel_index(cell, [bins.count for bins in self.axes])
        return np.array([bins.draw(int(place), rng) for bins, place in zip(self.axes, places, strict=True)])

    def _in_band(self, band: int, rng: np.random.Generator) -> Unit:
        unit, wanted = rng.random(self.space.size), (band + rng.random()) / self.bands
        mean = float(unit.mean()) if len(unit) else wanted
        # towards the near end until the mean is the wanted one: every coordinate stays in [0, 1]
        if mean > wanted:
            return unit * (wanted / mean)
        return 1.0 - (1.0 - unit) * ((1.0 - wanted) / max(1e-9, 1.0 - mean))

    def find(self, params: Mapping[str, ParamValue]) -> int | None:
        """Cell in which a task lies; None when it is none of the choices."""
        for place, choice in enumerate(self.choices):
            if all(params.get(name) == value for name, value in choice.items()):
                return place * self.per_choice + self._find_unit(self.space.unit(params))
        return None

    def _find_unit(self, unit: Unit) -> int:
        if self.axes:
            places = [bins.find(float(at)) for bins, at in zip(self.axes, unit, strict=True)]
            return int(np.ravel_multi_index(places, [bins.count for bins in self.axes]))
        return Bins(self.bands, exact=False).find(float(unit.mean())) if len(unit) else 0


class CellValues:
    """What the student is expected to reach in each cell, V(c) in [0, 1]: what it says itself where it says so, else its mean success."""

    def __init__(self, count: int, weight: float) -> None:
        self._weight = weight
        self._means, self._seen = [0.0] * count, [0] * count
        self._heard: list[float | None] = [None] * count

    def get(self, cell: int) -> float | None:
        """V(c); None for a cell of which nothing is known."""
        heard = self._heard[cell]
        return heard if heard is not None else self._means[cell] if self._seen[cell] else None

    def hear(self, cell: int, value: float) -> None:
        """Take the student's own expectation of a success."""
        before = self._heard[cell]
        value = min(1.0, max(0.0, value))
        self._heard[cell] = value if before is None else before + self._weight * (value - before)

    def update(self, cell: int, score: float) -> None:
        """Move the mean towards an episode's score in [0, 1]; it starts as the plain mean."""
        self._seen[cell] += 1
        self._means[cell] += max(self._weight, 1.0 / self._seen[cell]) * (score - self._means[cell])

    def state(self) -> dict[str, Any]:
        """JSON-plain."""
        return {"means": list(self._means), "seen": list(self._seen), "heard": list(self._heard)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._means, self._seen, self._heard = list(state["means"]), list(state["seen"]), list(state["heard"])


def make_cells(card: Card, target: Mapping[str, ParamValue], choices: str, bins: int) -> TaskCells:
    """Cut the space between the card's defaults and `target` into cells of `bins` an axis, for each of the written `choices`.

    Raises `UsageError` on a bad target, or on choices that name an unknown parameter or a value out of its range.
    """
    listed = _combine(parse_choices(card, choices))
    plain = make_space(card, target)
    chosen = set(listed[0])
    kept = [axis for axis in plain.axes if axis.name not in chosen]
    fixed = {axis.name: axis.value(1.0) for axis in plain.axes if axis.name in chosen}
    space = TaskSpace(tuple(kept), {**plain.rest, **fixed})
    cuts = tuple(_cut(axis, bins) for axis in kept)
    if not kept:
        return TaskCells(space, listed, (), 1)
    few = math.prod(cut.count for cut in cuts) * len(listed) <= MOST_CELLS
    return TaskCells(space, listed, cuts if few else (), bins)


def _cut(axis: Axis, bins: int) -> Bins:
    values = round(abs(axis.end - axis.start)) + 1
    return Bins(values, exact=True) if axis.integer and values <= 2 * bins else Bins(bins, exact=False)


def parse_choices(card: Card, text: str) -> dict[str, list[ParamValue]]:
    """Read `task=3|7;page_size=0|10`; a value may be one of the card's words for it (`task=login-user|click-link`). Raises `UsageError`."""
    found: dict[str, list[ParamValue]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, values = part.partition("=")
        name = name.strip()
        listed = [_read_value(card, name, value.strip()) for value in values.split("|")]
        found[name] = list(dict.fromkeys(listed))
    return found


def _read_value(card: Card, name: str, text: str) -> ParamValue:
    words = next((parameter.words for parameter in card.params if parameter.name == name), {})
    try:
        value = words[text] if text in words else float(text)
    except ValueError:
        raise UsageError(
            f"cannot read the choice {name}={text!r}; write numbers, or words of the card, joined by |: name=1|2|3."
        ) from None
    return checked_value(card, name, value)


def _combine(parsed: Mapping[str, Sequence[ParamValue]]) -> tuple[Mapping[str, ParamValue], ...]:
    return tuple(dict(zip(parsed, values, strict=True)) for values in itertools.product(*parsed.values()))
