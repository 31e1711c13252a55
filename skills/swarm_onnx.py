"""A drone policy's features and network (`swarm_policy.py`) as nodes of an ONNX graph.

The features are part of the graph, so that it takes the observation as a drone senses it. Sums keep the order of the NumPy code: the curvature
of the distance field is a small difference of large numbers, and another order would show in the action's sixth digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from skills.artifact import Tensors
from skills.onnx_graph import Graph
from skills.swarm_policy import NEAR_M, NEIGHBOUR, RAW_GRID, RAW_NEIGHBOUR, RAW_OWN


def draw_swarm(graph: Graph, spec: Mapping[str, Any], tensors: Tensors) -> int:
    """Add the whole policy from `observation` to `action`; returns the observation's length."""
    sums = _Sums(graph)
    neighbours, history = int(spec["neighbours"]), int(spec["history"])
    own, near, grid = _draw_features(sums, neighbours, history)
    x = _draw_encoder(sums, str(spec["kind"]), tensors, neighbours, (own, near, grid))
    count = int(spec["layers"])
    for i in range(count):
        x = sums.dense(x, tensors, f"w{i}", f"b{i}")
        x = graph.add("Tanh", x) if i < count - 1 else x
    low, high = (graph.keep(side, np.asarray(spec[side], np.float32)) for side in ("low", "high"))
    graph.add("Min", graph.add("Max", x, low), high, output="action")
    return RAW_OWN + RAW_NEIGHBOUR * neighbours + RAW_GRID + 4 * history


class _Sums:
    """Short words for the operators that the features need; every method returns the name of its result."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def plus(self, a: str, b: str) -> str:
        return self.graph.add("Add", a, b)

    def minus(self, a: str, b: str) -> str:
        return self.graph.add("Sub", a, b)

    def times(self, a: str | float, *others: str) -> str:
        """The product, from left to right."""
        name = a if isinstance(a, str) else self.graph.number(a)
        for other in others:
            name = self.graph.add("Mul", name, other)
        return name

    def take(self, *columns: int, of: str = "observation") -> str:
        """Columns of a value [n, d]."""
        return self.graph.add("Gather", of, self.graph.whole(*columns), axis=1)

    def join(self, *parts: str, axis: int = 1) -> str:
        return self.graph.add("Concat", *parts, axis=axis)

    def shape(self, name: str, *sizes: int) -> str:
        return self.graph.add("Reshape", name, self.graph.whole(*sizes))

    def length(self, vectors: str) -> str:
        """Lengths [n, m, 1] of vectors [n, m, 3]."""
        squares = self.times(vectors, vectors)
        parts = [self.graph.add("Gather", squares, self.graph.whole(axis), axis=2) for axis in range(3)]
        return self.graph.add("Sqrt", self.plus(self.plus(parts[0], parts[1]), parts[2]))

    def dense(self, x: str, tensors: Tensors, weight: str, bias: str = "") -> str:
        y = self.graph.add("MatMul", x, self.graph.keep(weight, tensors[weight].T))
        return self.plus(y, self.graph.keep(bias, tensors[bias])) if bias else y


def _draw_features(sums: _Sums, neighbours: int, history: int) -> tuple[str, str, str]:
    """Own [n, 14 + 4 H], neighbours [n, K, 6] ("" for none) and obstacles [n, 8], as `swarm_policy.features`."""
    grid = RAW_OWN + RAW_NEIGHBOUR * neighbours
    vectors = sums.shape(sums.take(*range(6), *range(RAW_OWN, grid)), -1, 2 + 2 * neighbours, 3)
    rotation = sums.shape(sums.take(*range(6, 15)), -1, 3, 3)
    body = sums.graph.add("MatMul", vectors, rotation)  # rows v: v^T R = (R^T v)^T
    own = _draw_own(sums, body)
    if history:
        own = sums.join(own, sums.take(*range(grid + RAW_GRID, grid + RAW_GRID + 4 * history)))
    near = _draw_neighbours(sums, body, neighbours) if neighbours else ""
    return own, near, _draw_obstacles(sums, grid)


def _draw_own(sums: _Sums, body: str) -> str:
    graph = sums.graph
    goal = graph.add("Gather", body, graph.whole(0), axis=1)
    velocity = sums.shape(graph.add("Gather", body, graph.whole(1), axis=1), -1, 3)
    distance = sums.length(goal)
    direction = graph.add("Div", sums.times(2.0, goal), graph.add("Max", distance, graph.number(1.0)))
    farness = graph.add("Log", sums.plus(distance, graph.number(1.0)))
    up = sums.minus(sums.times(3.0, sums.take(12, 13, 14)), graph.keep("upright", np.array([0, 0, 3])))
    rates = sums.times(0.5, sums.take(15, 16, 17))
    height = sums.minus(graph.add("Min", sums.take(18), graph.number(2.0)), graph.number(1.0))
    return sums.join(sums.shape(direction, -1, 3), sums.shape(farness, -1, 1), velocity, up, rates, height)


def _draw_neighbours(sums: _Sums, body: str, neighbours: int) -> str:
    graph = sums.graph
    position, velocity = (
        graph.add("Gather", body, graph.whole(*(2 + 2 * k + part for k in range(neighbours))), axis=1)
        for part in (0, 1)
    )
    distance = sums.plus(sums.length(position), graph.number(1e-6))
    faded = graph.add("Exp", graph.add("Div", graph.add("Neg", distance), graph.number(NEAR_M)))
    weight = sums.times(2.0, faded)
    return sums.join(
        sums.times(position, graph.add("Div", weight, distance)),
        sums.times(velocity, weight),
        axis=2,
    )


def _draw_obstacles(sums: _Sums, grid: int) -> str:
    graph = sums.graph
    g = [sums.take(grid + index) for index in range(RAW_GRID)]
    a, b, c, d = (sums.take(column) for column in (6, 7, 9, 10))  # x = a forward + b left, y = c forward + d left
    middle = g[4]
    clipped = graph.add("Clip", middle, graph.number(0.0), graph.number(10.0))
    close = graph.add("Exp", sums.times(-2.0, clipped))
    gx, gy = (sums.times(10.0, close, sums.minus(g[i], g[j])) for i, j in ((7, 1), (5, 3)))
    twice = sums.times(2.0, middle)
    hxx, hyy = (sums.times(30.0, sums.plus(sums.minus(g[i], twice), g[j])) for i, j in ((7, 1), (5, 3)))
    hxy = sums.times(7.5, sums.plus(sums.minus(sums.minus(g[8], g[6]), g[2]), g[0]))
    gradient = sums.plus(sums.times(sums.take(6, 7, 8), gx), sums.times(sums.take(9, 10, 11), gy))

    def bend(first: str, both: str, second: str) -> str:
        return sums.plus(sums.plus(sums.times(first, hxx), sums.times(both, hxy)), sums.times(second, hyy))

    return sums.join(
        sums.minus(graph.add("Min", middle, graph.number(2.0)), graph.number(1.0)),
        sums.times(2.0, close),
        gradient,
        bend(sums.times(a, a), sums.times(2.0, a, c), sums.times(c, c)),
        bend(sums.times(b, b), sums.times(2.0, b, d), sums.times(d, d)),
        bend(sums.times(a, b), sums.plus(sums.times(a, d), sums.times(b, c)), sums.times(c, d)),
    )


def _draw_encoder(sums: _Sums, kind: str, tensors: Tensors, neighbours: int, parts: tuple[str, str, str]) -> str:
    """What the trunk sees: [n, width]."""
    own, near, grid = parts
    if kind == "swarm_mlp":
        flat = [sums.shape(near, -1, NEIGHBOUR * neighbours)] if near else []
        return sums.join(own, *flat, grid)
    graph, token = sums.graph, len(tensors["neighbour_b"])
    around = graph.add("Tanh", sums.dense(near, tensors, "neighbour_w", "neighbour_b"))
    wall = graph.add("Tanh", sums.dense(grid, tensors, "obstacle_w", "obstacle_b"))
    if kind == "deep_set":
        evenly = graph.keep("evenly", np.full((1, neighbours), 1.0 / neighbours))
        mean = sums.shape(graph.add("MatMul", evenly, around), -1, token)
        return sums.join(own, mean, wall)
    tokens = sums.join(around, sums.shape(wall, -1, 1, token))
    query = sums.shape(sums.dense(own, tensors, "query_w"), -1, token, 1)
    scores = graph.add("MatMul", sums.dense(tokens, tensors, "key_w"), query)
    scaled = graph.add("Div", scores, graph.number(math.sqrt(token)))
    weights = sums.shape(graph.add("Softmax", scaled, axis=1), -1, 1, neighbours + 1)
    mixed = graph.add("MatMul", weights, sums.dense(tokens, tensors, "value_w"))
    return sums.join(own, wall, sums.shape(mixed, -1, token))
