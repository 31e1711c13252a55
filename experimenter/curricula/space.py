"""The task space of a teacher: the card's axes along which the target differs from the defaults, as a unit cube.

0 is the easy end (the card's default) and 1 the target, whichever way that runs; with span `full` 0 and 1 are the bounds
of the card instead, and its difficulty axes join in.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from envs.family import Card, EpisodeOutcome, Parameter
from envs.task import ParamValue
from experimenter.errors import UsageError
from experimenter.records import Record

Unit = NDArray[np.float64]
"""A point of the unit cube [d]."""


class Span(StrEnum):
    TARGET = "target"
    """From the easy task to the target."""
    FULL = "full"
    """The whole range of the card's difficulty axes and of those on which the target differs."""


class Signal(StrEnum):
    """What a teacher takes as the student's score on an episode."""

    FITNESS = "fitness"
    SUCCESS = "success"
    NATIVE_RETURN = "native_return"

    def read(self, outcome: EpisodeOutcome) -> float:
        """Read this score from `outcome`."""
        return float(getattr(outcome, self.value))


@dataclass(frozen=True)
class Axis:
    """One task parameter: its value at 0 and at 1 of the cube."""

    name: str
    start: float
    end: float
    integer: bool
    step: float

    def value(self, unit: float) -> ParamValue:
        """Value at `unit` in [0, 1]."""
        at = self.end if unit >= 1.0 else self.start + unit * (self.end - self.start)
        return round(at) if self.integer else at


@dataclass(frozen=True)
class TaskSpace:
    axes: tuple[Axis, ...]
    rest: Mapping[str, ParamValue]
    """The target's other parameters, the same in every task."""

    @property
    def size(self) -> int:
        """Number of axes; 0 when the target is the easy task."""
        return len(self.axes)

    def params(self, unit: Sequence[float] | Unit) -> dict[str, ParamValue]:
        """Task parameters at a point [d] of the cube, complete and plain."""
        return {**self.rest, **{axis.name: axis.value(float(at)) for axis, at in zip(self.axes, unit, strict=True)}}

    def unit(self, params: Mapping[str, ParamValue]) -> Unit:
        """Point [d] of the cube at which `params` lie; raises `UsageError` when one is missing."""
        missing = [axis.name for axis in self.axes if axis.name not in params]
        if missing:
            raise UsageError(f"an outcome without {missing[0]!r} cannot be placed; give every task parameter")
        return np.array([(float(params[axis.name]) - axis.start) / (axis.end - axis.start) for axis in self.axes])


def make_space(card: Card, target: Mapping[str, ParamValue], span: Span = Span.TARGET) -> TaskSpace:
    """Build the space between `card`'s defaults and `target` (missing parameters take their default).

    Raises `UsageError` on a parameter that the card does not have or a value out of its range.
    """
    whole: dict[str, ParamValue] = {parameter.name: _plain(parameter, parameter.default) for parameter in card.params}
    for name, value in target.items():
        whole[name] = checked_value(card, name, value)
    axes = tuple(axis for parameter in card.params if (axis := _axis(parameter, float(whole[parameter.name]), span)))
    names = {axis.name for axis in axes}
    return TaskSpace(axes, {name: value for name, value in whole.items() if name not in names})


def make_space_from(card: Card, target: Mapping[str, ParamValue], start: Mapping[str, float]) -> TaskSpace:
    """Build the space between `start` and `target` along the parameters that `start` names.

    Raises `UsageError` on a parameter that the card does not have, that cannot be an axis, or a value out of its range.
    """
    direct = make_space(card, target)
    whole = direct.params([1.0] * direct.size)
    axes: list[Axis] = []
    for name, value in start.items():
        checked = float(checked_value(card, name, value))
        parameter = next(parameter for parameter in card.params if parameter.name == name)
        if parameter.fixed:
            raise UsageError(
                f"{card.family}: {name} is the same in every episode of a training, so no teacher can move it."
            )
        if checked != float(whole[name]):
            axes.append(Axis(name, checked, float(whole[name]), parameter.integer, parameter.step))
    names = {axis.name for axis in axes}
    return TaskSpace(tuple(axes), {name: value for name, value in whole.items() if name not in names})


def _axis(parameter: Parameter, target: float, span: Span) -> Axis | None:
    if parameter.fixed:
        return None
    start, end = parameter.default, target
    if span is Span.FULL and (parameter.step or start != end):
        start, end = parameter.low, parameter.high
    if start == end:
        return None
    return Axis(parameter.name, start, end, parameter.integer, parameter.step)


def checked_value(card: Card, name: str, value: ParamValue) -> ParamValue:
    """Value of a parameter as the card wants it; raises `UsageError` on an unknown name or a value out of its range."""
    parameter = next((parameter for parameter in card.params if parameter.name == name), None)
    if parameter is None:
        raise UsageError(unknown(f"task parameter of {card.family}", name, [each.name for each in card.params]))
    if isinstance(value, str) or not parameter.low <= value <= parameter.high:
        raise UsageError(f"{card.family}: {name} = {value!r} is not from {parameter.low:g} to {parameter.high:g}.")
    return _plain(parameter, value)


def _plain(parameter: Parameter, value: float) -> ParamValue:
    return round(value) if parameter.integer else float(value)


Settings = TypeVar("Settings", bound=Record)


def read_settings(model: type[Settings], teacher: str, settings: Mapping[str, ParamValue]) -> Settings:
    """Validate a teacher's settings; raises `UsageError` with one line on an unknown name or a bad value."""
    for name in settings:
        if name not in model.model_fields:
            raise UsageError(unknown(f"setting of the {teacher} teacher", name, list(model.model_fields)))
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "settings"
        raise UsageError(f"{teacher} teacher: {where} = {first['input']!r}: {first['msg'].lower()}.") from None


def unknown(what: str, name: str, known: list[str]) -> str:
    """Say that `name` is not known, with the nearest match."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"unknown {what}: {name!r}. {hint}Known: {', '.join(known) or 'none'}."


def dump_rng(rng: np.random.Generator) -> dict[str, Any]:
    """State of `rng` as JSON-plain values."""
    return dict(rng.bit_generator.state)


def load_rng(state: Mapping[str, Any]) -> np.random.Generator:
    """Generator that goes on where `dump_rng` left off."""
    rng = np.random.default_rng()
    rng.bit_generator.state = dict(state)
    return rng
