"""A network policy as an ONNX model, written field by field: the format is protocol buffers, of which this needs two wire types.

Only policies of kind `mlp` (see `artifact.py`). Input `observation` [n, d] float32; output `action` [n, k] float32, or [n] int64 for a
discrete policy. Operator set 13, ONNX IR 8. Field numbers are those of onnx.proto3 (github.com/onnx/onnx).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.artifact import Tensors
from skills.c_export import check_network, input_scale

_IR, _OPERATORS = 8, 13
_FLOAT, _INT64 = 1, 7
_ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "elu": "Elu"}


def make_onnx(spec: Mapping[str, Any], tensors: Tensors) -> bytes:
    """Return the policy as the bytes of an ONNX file. Raises `ArtifactError` for another kind or a damaged policy."""
    check_network(spec, tensors)
    graph = _Graph()
    x = "observation"
    if spec.get("normalise"):
        limit = np.float32(spec.get("clip_obs", 10.0))
        x = graph.add("Sub", x, graph.keep("mean", tensors["obs_mean"]))
        x = graph.add("Mul", x, graph.keep("scale", input_scale(tensors)))
        x = graph.add("Clip", x, graph.keep("lowest", np.array(-limit)), graph.keep("highest", np.array(limit)))
    count = int(spec["layers"])
    for i in range(count):
        weight, bias = graph.keep(f"w{i}", tensors[f"w{i}"].T), graph.keep(f"b{i}", tensors[f"b{i}"])
        x = graph.add("Add", graph.add("MatMul", x, weight), bias)
        if i < count - 1:
            x = graph.add(_ACTIVATIONS[spec["activation"]], x)
    discrete = spec["head"] == "argmax"
    _finish(graph, x, spec, discrete)
    wide, narrow = tensors["w0"].shape[1], len(tensors[f"b{count - 1}"])
    return graph.model(wide, None if discrete else narrow)


def _finish(graph: _Graph, x: str, spec: Mapping[str, Any], discrete: bool) -> None:
    if discrete:
        graph.add("ArgMax", x, output="action", axis=1, keepdims=0)
        return
    low, high = (np.asarray(spec[side], np.float32) for side in ("low", "high"))
    if spec["head"] == "clip":
        graph.add("Min", graph.add("Max", x, graph.keep("low", low)), graph.keep("high", high), output="action")
        return
    # low + (tanh(y) + 1) / 2 * (high - low)
    x = graph.add("Add", graph.add("Tanh", x), graph.keep("one", np.array(1.0, np.float32)))
    x = graph.add("Mul", x, graph.keep("half", (high - low) * np.float32(0.5)))
    graph.add("Add", x, graph.keep("low", low), output="action")


class _Graph:
    """Collects nodes and constants as encoded messages."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def keep(self, name: str, values: NDArray[Any]) -> str:
        """Store a float32 constant (TensorProto) and return its name."""
        content = np.ascontiguousarray(values, dtype="<f4").reshape(np.shape(values))
        sizes: tuple[int, ...] = content.shape
        dims = b"".join(_number(1, size) for size in sizes)
        self._constants.append(dims + _number(2, _FLOAT) + _text(8, name) + _bytes(9, content.tobytes()))
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
        """Encode the whole (ModelProto) for observations [n, wide] and actions [n, narrow], or [n] without `narrow`."""
        observation = _value("observation", _FLOAT, [wide])
        action = _value("action", _INT64, []) if narrow is None else _value("action", _FLOAT, [narrow])
        graph = b"".join(_bytes(1, node) for node in self._nodes) + _text(2, "policy")
        graph += b"".join(_bytes(5, constant) for constant in self._constants)
        graph += _bytes(11, observation) + _bytes(12, action)
        operators = _text(1, "") + _number(2, _OPERATORS)
        return _number(1, _IR) + _text(2, "rl-experimenter") + _bytes(7, graph) + _bytes(8, operators)


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
