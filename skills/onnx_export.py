"""A network policy as an ONNX model, for other runtimes. The file format itself is written by `onnx_graph.py`.

Policies of kind `mlp` (see `artifact.py`) and of drones (`swarm_onnx.py`). Input `observation` [n, d] float32; output `action` [n, k]
float32, or [n] int64 for a discrete policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skills.artifact import Tensors
from skills.c_export import check_network, input_scale
from skills.onnx_graph import Graph
from skills.swarm_onnx import draw_swarm
from skills.swarm_policy import KINDS as SWARM_KINDS

_ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "elu": "Elu"}


def make_onnx(spec: Mapping[str, Any], tensors: Tensors) -> bytes:
    """Return the policy as the bytes of an ONNX file. Raises `ArtifactError` for another kind or a damaged policy."""
    check_network(spec, tensors)
    graph = Graph()
    if spec["kind"] in SWARM_KINDS:
        return graph.model(draw_swarm(graph, spec, tensors), len(spec["low"]))
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


def _finish(graph: Graph, x: str, spec: Mapping[str, Any], discrete: bool) -> None:
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
