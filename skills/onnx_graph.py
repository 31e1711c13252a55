"""Writes an ONNX file field by field: the format is protocol buffers, of which this needs two wire types.

Operator set 13, ONNX IR 8. Field numbers are those of onnx.proto3 (github.com/onnx/onnx).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_IR, _OPERATORS = 8, 13
_FLOAT, _INT64 = 1, 7


class Graph:
    """Collects nodes and constants as encoded messages; names of values are handed from node to node."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._kept: dict[str, str] = {}

    def keep(self, name: str, values: NDArray[Any]) -> str:
        """Store a float32 constant and return its name."""
        return self._keep(name, np.ascontiguousarray(values, dtype="<f4").reshape(np.shape(values)), _FLOAT)

    def whole(self, *values: int) -> str:
        """Return the name of an int64 constant [len(values)], stored once: a shape or a list of indices."""
        name = "i" + "_".join(map(str, values)).replace("-", "m")
        if name not in self._kept:
            self._kept[name] = self._keep(name, np.array(values, dtype="<i8"), _INT64)
        return name

    def number(self, value: float) -> str:
        """Return the name of a float32 scalar, stored once."""
        name = f"f{value!r}"
        if name not in self._kept:
            self._kept[name] = self.keep(name, np.array(value, np.float32))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: int) -> str:
        """Store a node (NodeProto) and return its output's name."""
        output = output or f"t{len(self._nodes)}"
        message = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)
        for name, value in attributes.items():  # AttributeProto of type INT (2)
            message += _bytes(5, _text(1, name) + _number(3, value) + _number(20, 2))
        self._nodes.append(message)
        return output

    def model(self, wide: int, narrow: int | None) -> bytes:
        """Encode the whole (ModelProto) for `observation` [n, wide] and `action` [n, narrow], or [n] without `narrow`."""
        observation = _value("observation", _FLOAT, [wide])
        action = _value("action", _INT64, []) if narrow is None else _value("action", _FLOAT, [narrow])
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _text(2, "policy")
        graph += b"".join(_bytes(5, constant) for constant in self._constants)
        graph += _bytes(11, observation) + _bytes(12, action)
        operators = _text(1, "") + _number(2, _OPERATORS)
        return _number(1, _IR) + _text(2, "rl-experimenter") + _bytes(7, graph) + _bytes(8, operators)

    def _keep(self, name: str, content: NDArray[Any], kind: int) -> str:
        """Store a TensorProto."""
        sizes: tuple[int, ...] = content.shape
        dims = b"".join(_number(1, size) for size in sizes)
        self._constants.append(dims + _number(2, kind) + _text(8, name) + _bytes(9, content.tobytes()))
        return name


def _value(name: str, kind: int, sizes: Sequence[int]) -> bytes:
    """ValueInfoProto of a tensor [n, *sizes]."""
    shape = _bytes(1, _text(2, "n")) + b"".join(_bytes(1, _number(1, size)) for size in sizes)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, shape)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, content: str) -> bytes:
    return _bytes(field, content.encode())
