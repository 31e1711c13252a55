"""Policies of drones, played by NumPy: features in the drone's own frame, then a plain network, a deep set or attention.

The observation is that of the quadrotor family (`envs/quadrotor/observe.py`): itself, K neighbours, a grid of distances to cylinders, past
actions. `features` turns it into the body frame, so that a network need not learn what it means to be turned, and squashes lengths so that near
things are told apart better than far ones. Kinds of policy, all with a tanh trunk over what `encode` gives::

    swarm_mlp   trunk(own, neighbours, obstacles)
    deep_set    trunk(own, mean of e(neighbour), f(obstacles))
    attention   trunk(own, f(obstacles), attention from own over e(neighbours) and f(obstacles))

Spec: {"kind", "neighbours": K, "history": H, "layers": n, "low", "high"}; tensors `w0` [out, in], `b0` [out], ... of the trunk,
`neighbour_w` [e, 6], `neighbour_b`, `obstacle_w` [e, 8], `obstacle_b`, and `query_w` [e, own], `key_w`, `value_w` [e, e] for attention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.float32]]

KINDS = ("swarm_mlp", "deep_set", "attention")
OWN, NEIGHBOUR, OBSTACLE = 14, 6, 8
"""Features of the drone itself (without past actions), of one neighbour, of the cylinders around."""
NEAR_M = 1.5
"""Distance over which a neighbour's weight falls by e."""
RAW_OWN, RAW_NEIGHBOUR, RAW_GRID = 19, 6, 9
"""Numbers of the observation: the drone itself, one neighbour, the grid of distances."""
_MOST_LAYERS = 64


def count_features(neighbours: int, history: int) -> int:
    """Length of `features`."""
    return OWN + 4 * history + NEIGHBOUR * neighbours + OBSTACLE


def features(observation: NDArray[Any], neighbours: int, history: int) -> Float32:
    """Turn observations [n, 28 + 6 K + 4 H] into features [n, own 14 + 4 H, neighbours 6 K, obstacles 8], each of order one."""
    rows = np.ascontiguousarray(np.asarray(observation, dtype=np.float32).T)
    own, grid = OWN + 4 * history, RAW_OWN + RAW_NEIGHBOUR * neighbours
    rotation = rows[6:15].reshape(3, 3, -1)
    vectors = np.concatenate((rows[:6], rows[RAW_OWN:grid])).reshape(2 + 2 * neighbours, 3, -1)
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    body = np.empty_like(vectors)
    for axis in range(3):  # R^T v
        body[:, axis] = x * rotation[0, axis] + y * rotation[1, axis] + z * rotation[2, axis]
    out = np.empty((count_features(neighbours, history), rows.shape[1]), np.float32)
    out[:OWN] = _own(rows, rotation, body)
    out[OWN:own] = rows[grid + RAW_GRID :]
    for k in range(neighbours):
        out[own + NEIGHBOUR * k : own + NEIGHBOUR * (k + 1)] = _neighbour(body[2 + 2 * k], body[3 + 2 * k])
    out[own + NEIGHBOUR * neighbours :] = _obstacles(rows[grid : grid + RAW_GRID], rotation)
    return np.ascontiguousarray(out.T)


def _length(vector: Float32) -> Float32:
    """Lengths [n] of vectors [3, n]; column sums are several times faster than `sum(axis=0)`."""
    length: Float32 = np.sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2])
    return length


def _own(rows: Float32, rotation: Float32, body: Float32) -> Float32:
    """Goal (direction, near 1 m also distance), log distance, velocity, the world's up, rates, height: [14, n]."""
    distance = _length(body[0])
    up = 3.0 * rotation[2]
    up[2] -= 3.0
    parts = (
        2.0 * body[0] / np.maximum(distance, 1.0),
        np.log1p(distance)[None],
        body[1],
        up,
        0.5 * rows[15:18],
        np.minimum(rows[18:19], 2.0) - 1.0,
    )
    return np.concatenate(parts)


def _neighbour(position: Float32, velocity: Float32) -> Float32:
    """Direction and relative velocity, both fading with distance: [6, n]."""
    distance = _length(position) + 1e-6
    weight = 2.0 * np.exp(-distance / NEAR_M)
    return np.concatenate((position * (weight / distance), velocity * weight))


def _obstacles(grid: Float32, rotation: Float32) -> Float32:
    """Distance, closeness, gradient (3) and curvature (3) of the distance field, in the body frame: [8, n]."""
    middle = grid[4]
    close = np.exp(-2.0 * np.clip(middle, 0.0, 10.0))
    gx, gy = 10.0 * close * (grid[7] - grid[1]), 10.0 * close * (grid[5] - grid[3])
    hxx, hyy = 30.0 * (grid[7] - 2.0 * middle + grid[1]), 30.0 * (grid[5] - 2.0 * middle + grid[3])
    hxy = 7.5 * (grid[8] - grid[6] - grid[2] + grid[0])
    (a, b, _), (c, d, _) = rotation[0], rotation[1]  # x = a forward + b left, y = c forward + d left
    gradient = rotation[0] * gx + rotation[1] * gy
    curvature = (
        a * a * hxx + 2.0 * a * c * hxy + c * c * hyy,
        b * b * hxx + 2.0 * b * d * hxy + d * d * hyy,
        a * b * hxx + (a * d + b * c) * hxy + c * d * hyy,
    )
    return np.stack((np.minimum(middle, 2.0) - 1.0, 2.0 * close, *gradient, *curvature))


def forward(kind: str, tensors: Tensors, layers: int, neighbours: int, x: Float32) -> Float32:
    """Run the network on features [n, f]; returns its outputs [n, k] before clipping."""
    y = encode(kind, tensors, neighbours, x)
    for i in range(layers - 1):
        y = np.tanh(y @ tensors[f"w{i}"].T + tensors[f"b{i}"])
    out: Float32 = y @ tensors[f"w{layers - 1}"].T + tensors[f"b{layers - 1}"]
    return out


def encode(kind: str, tensors: Tensors, neighbours: int, x: Float32) -> Float32:
    """What the trunk sees of features [n, f]: [n, width]."""
    if kind == "swarm_mlp":
        return x
    others = x.shape[1] - OBSTACLE - NEIGHBOUR * neighbours
    own, rest, grid = x[:, :others], x[:, others:-OBSTACLE], x[:, -OBSTACLE:]
    tokens = rest.reshape(len(x), neighbours, NEIGHBOUR)
    near = np.tanh(tokens @ tensors["neighbour_w"].T + tensors["neighbour_b"])
    wall = np.tanh(grid @ tensors["obstacle_w"].T + tensors["obstacle_b"])
    if kind == "deep_set":
        return np.concatenate((own, near.mean(axis=1), wall), axis=1)
    return np.concatenate((own, wall, attend(tensors, own, np.concatenate((near, wall[:, None]), axis=1))), axis=1)


def attend(tensors: Tensors, own: Float32, tokens: Float32) -> Float32:
    """One head of scaled dot-product attention from the drone over tokens [n, t, e]: [n, e]."""
    query = own @ tensors["query_w"].T
    scores = np.einsum("nte,ne->nt", tokens @ tensors["key_w"].T, query) / math.sqrt(tokens.shape[2])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    mixed: Float32 = np.einsum("nt,nte->ne", weights, tokens @ tensors["value_w"].T)
    return mixed


class SwarmPolicy:
    """A deterministic drone policy; every drone is one row."""

    def __init__(self, spec: Mapping[str, Any], tensors: Tensors) -> None:
        self._kind, self._layers = str(spec["kind"]), int(spec["layers"])
        self._neighbours, self._history = int(spec["neighbours"]), int(spec["history"])
        self._low, self._high = (np.asarray(spec[name], dtype=np.float32) for name in ("low", "high"))
        self._tensors = dict(tensors)
        _check(self._kind, self._layers, self._neighbours, self._history)
        # a dry run finds whatever does not fit: NumPy raises ValueError
        if self._play(np.zeros((2, self._width), np.float32)).shape != (2, len(self._low)) or len(self._low) != len(
            self._high
        ):
            raise ValueError(f"the last layer does not fit {len(self._low)} and {len(self._high)} bounds")

    @property
    def _width(self) -> int:
        return RAW_OWN + RAW_NEIGHBOUR * self._neighbours + RAW_GRID + 4 * self._history

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Map observations [n, 28 + 6 K + 4 H] to actions [n, 4]; raises `ValueError` for another width."""
        if observation.shape[1] != self._width:
            raise ValueError(
                f"this policy was trained with {self._neighbours} neighbours and {self._history} past actions, which makes "
                f"observations of {self._width} numbers, not {observation.shape[1]}"
            )
        return np.clip(self._play(observation), self._low, self._high)

    def _play(self, observation: NDArray[Any]) -> Float32:
        seen = features(observation, self._neighbours, self._history)
        return forward(self._kind, self._tensors, self._layers, self._neighbours, seen)


def _check(kind: str, layers: int, neighbours: int, history: int) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if not (1 <= layers <= _MOST_LAYERS and 0 <= neighbours <= 127 and 0 <= history <= 64):
        raise ValueError(f"{layers} layers, {neighbours} neighbours, {history} past actions: out of range")
    if kind != "swarm_mlp" and neighbours == 0:
        raise ValueError(f"a policy of kind {kind} needs at least one neighbour")


def make_swarm_policy(spec: Mapping[str, Any], tensors: Tensors) -> SwarmPolicy:
    """Build the policy; raises KeyError, TypeError or ValueError when spec and tensors do not fit together."""
    return SwarmPolicy(spec, tensors)
