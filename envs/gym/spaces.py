"""Flatten Gymnasium's observation and action spaces into the two kinds that trainers know: a flat Box, and Box or Discrete.

An observation becomes a row of float64: boxes as they are, discrete values one-hot. Named state undoes the one-hot again.
Small integer grids (MiniGrid's view) are flattened; camera images, text, graphs and sequences are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.family import FloatArray, NamedState, Variable

_MOST_NAMES = 64
"""A flat box of more numbers than this stays one named array."""
_LARGEST_GRID = 1024


@dataclass(frozen=True)
class Part:
    """One leaf of an observation space and its place in the flat row."""

    name: str
    path: tuple[str | int, ...]
    space: spaces.Box | spaces.Discrete
    start: int
    size: int

    def write(self, value: Any, row: NDArray[np.float64]) -> None:
        """Write one raw value into the flat row."""
        if isinstance(self.space, spaces.Discrete):
            row[self.start : self.start + self.size] = 0.0
            row[self.start + int(value) - int(self.space.start)] = 1.0
        else:
            row[self.start : self.start + self.size] = np.asarray(value, np.float64).reshape(-1)

    def read(self, rows: FloatArray) -> FloatArray:
        """Take this part out of rows [n, d]: [n] for a discrete value, [n, *shape] for a box."""
        columns = rows[:, self.start : self.start + self.size]
        if isinstance(self.space, spaces.Discrete):
            return np.asarray(columns.argmax(axis=1), np.float64)
        return np.asarray(columns.reshape(len(rows), *self.space.shape), np.float64)


class ObservationCodec:
    """Raw observation -> flat row -> named parts."""

    def __init__(self, family: str, space: gymnasium.Space[Any], names: Sequence[str] | None = None) -> None:
        self.dropped: list[str] = []
        self.parts = list(self._split(family, space))
        if not self.parts:
            raise ValueError(f"{family}: nothing in its observation space {space} can be turned into numbers.")
        lows, highs = zip(*(_bounds(part.space) for part in self.parts), strict=True)
        self.space = spaces.Box(np.concatenate(lows), np.concatenate(highs), dtype=np.float32)
        self._plain = isinstance(space, spaces.Box)
        self._flat = len(space.shape or ()) == 1
        self._names = self._name_components(names)

    def encode(self, raw: Any, row: NDArray[np.float64]) -> None:
        """Write one raw observation into `row` [d]."""
        if self._plain:
            row[:] = raw if self._flat else np.asarray(raw).reshape(-1)
            return
        for part in self.parts:
            value = raw
            for key in part.path:
                value = value[key]
            part.write(value, row)

    def name_parts(self, rows: FloatArray) -> NamedState:
        """Name every part of rows [n, d]: one array [n, ...] each."""
        if self._names:
            return dict(zip(self._names, rows.T, strict=True))
        return {part.name: part.read(rows) for part in self.parts}

    def variables(self, meanings: Sequence[tuple[str, str]] | None = None) -> tuple[Variable, ...]:
        """Card rows of the named parts; `meanings` gives (unit, meaning) for each number of a plain flat box."""
        if self._names:
            told = meanings or [("1", f"number {i} of the observation") for i in range(len(self._names))]
            low, high = self.space.low.tolist(), self.space.high.tolist()
            rows = zip(self._names, told, low, high, strict=True)
            return tuple(Variable(name=n, unit=u, low=lo, high=hi, meaning=m) for n, (u, m), lo, hi in rows)
        return tuple(_describe(part) for part in self.parts)

    def _name_components(self, names: Sequence[str] | None) -> list[str]:
        only = self.parts[0]
        flat = self._plain and len(only.space.shape or ()) == 1 and only.size <= _MOST_NAMES
        if not flat:
            return []
        return list(names) if names else [f"obs_{i}" for i in range(only.size)]

    def _split(self, family: str, space: gymnasium.Space[Any]) -> Iterator[Part]:
        start = 0
        for path, leaf in _leaves(space, ()):
            name = _name_leaf(path, leaf)
            if leaf.dtype is not None and leaf.dtype.kind in "US":
                self.dropped.append(name)
                continue
            plain = _plain_leaf(family, name, leaf)
            size = int(plain.n) if isinstance(plain, spaces.Discrete) else int(np.prod(plain.shape))
            yield Part(name=name, path=path, space=plain, start=start, size=size)
            start += size


class ActionCodec:
    """Policy action -> raw action. Box actions are flattened, discrete ones start at 0."""

    def __init__(self, family: str, space: gymnasium.Space[Any]) -> None:
        self._raw = space
        self.space: spaces.Box | spaces.Discrete
        if isinstance(space, spaces.Discrete):
            self.space = spaces.Discrete(int(space.n))
        elif isinstance(space, spaces.Box):
            self.space = spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=np.float32)
        else:
            raise ValueError(
                f"{family}: actions of kind {type(space).__name__} are not supported; only Box and Discrete are."
            )

    def decode(self, actions: NDArray[Any]) -> Sequence[Any] | NDArray[Any]:
        """Turn [n] int64 or [n, k] float32 into one raw action a world."""
        if isinstance(self._raw, spaces.Discrete):
            first = int(self._raw.start)
            return list((actions + first).tolist())
        return actions.reshape(len(actions), *(self._raw.shape or ())).astype(self._raw.dtype)

    def variables(self) -> tuple[Variable, ...]:
        """Card rows of the action."""
        if isinstance(self.space, spaces.Discrete):
            last = int(self.space.n) - 1
            return (
                Variable(name="action", unit="choice", low=0, high=last, meaning=f"one of the choices 0 to {last}"),
            )
        bounds = zip(self.space.low.tolist(), self.space.high.tolist(), strict=True)
        return tuple(
            Variable(name=f"action_{i}", low=lo, high=hi, meaning=f"number {i} of the action")
            for i, (lo, hi) in enumerate(bounds)
        )


def _leaves(
    space: gymnasium.Space[Any], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], gymnasium.Space[Any]]]:
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for index, inner in enumerate(space.spaces):
            yield from _leaves(inner, (*path, index))
    else:
        yield path, space


def _name_leaf(path: tuple[str | int, ...], leaf: gymnasium.Space[Any]) -> str:
    if not path:
        return "state" if isinstance(leaf, spaces.Discrete) else "obs"
    name = re.sub(r"\W+", "_", "_".join(str(key) for key in path))
    return f"part_{name}" if name[0].isdigit() else name


def _plain_leaf(family: str, name: str, leaf: gymnasium.Space[Any]) -> spaces.Box | spaces.Discrete:
    if isinstance(leaf, spaces.Discrete):
        return leaf
    if isinstance(leaf, spaces.MultiBinary):
        return spaces.Box(0.0, 1.0, leaf.shape, np.float32)
    if isinstance(leaf, spaces.MultiDiscrete):
        highest = (leaf.nvec + leaf.start - 1).astype(np.float32)
        return spaces.Box(leaf.start.astype(np.float32), highest, dtype=np.float32)
    if not isinstance(leaf, spaces.Box):
        raise ValueError(
            f"{family}: observations of kind {type(leaf).__name__} ({name}) are not supported; only boxes and choices are."
        )
    if leaf.dtype == np.uint8 and int(np.prod(leaf.shape)) > _LARGEST_GRID:
        size = "x".join(str(side) for side in leaf.shape)
        raise ValueError(
            f"{family}: image observations ({name}, {size}) are not supported; choose an id with numeric state."
        )
    return leaf


def _bounds(space: spaces.Box | spaces.Discrete) -> tuple[FloatArray, FloatArray]:
    if isinstance(space, spaces.Discrete):
        return np.zeros(int(space.n), np.float32), np.ones(int(space.n), np.float32)
    with np.errstate(over="ignore"):
        return space.low.reshape(-1).astype(np.float32), space.high.reshape(-1).astype(np.float32)


def _describe(part: Part) -> Variable:
    if isinstance(part.space, spaces.Discrete):
        count = int(part.space.n)
        meaning = f"which of {count} choices, counted from 0 (the policy sees it one-hot)"
        return Variable(name=part.name, unit="choice", low=0, high=count - 1, meaning=meaning)
    low, high = float(part.space.low.min()), float(part.space.high.max())
    kind = "small grid of integer codes" if part.space.dtype == np.uint8 else "array of numbers"
    meaning = f"{kind} from the observation"
    return Variable(name=part.name, shape=tuple(part.space.shape), low=low, high=high, meaning=meaning)
