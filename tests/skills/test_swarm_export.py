"""Drone policies as C and ONNX act like the library's, on what real rooms show and on what stands close."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.catalog import get_family
from skills.artifact import Tensors, make_policy
from skills.c_export import make_c
from skills.onnx_export import make_onnx
from skills.swarm_policy import KINDS, NEIGHBOUR, OBSTACLE, OWN, count_features

Float32 = NDArray[np.float32]
_SIZES = [(2, 0), (6, 3)]
"""Neighbours and past actions."""


def make_network(kind: str, neighbours: int, history: int, *, token: int = 24) -> tuple[dict[str, Any], Tensors]:
    """A network as wide as trained ones, 64 and 64 hidden units, its weights of the usual size."""
    rng = np.random.default_rng(5)
    own = OWN + 4 * history
    width = count_features(neighbours, history) if kind == "swarm_mlp" else own + 2 * token
    sizes: dict[str, tuple[int, ...]] = {"w0": (64, width), "w1": (64, 64), "w2": (4, 64)}
    if kind != "swarm_mlp":
        sizes |= {"neighbour_w": (token, NEIGHBOUR), "obstacle_w": (token, OBSTACLE)}
    if kind == "attention":
        sizes |= {"query_w": (token, own), "key_w": (token, token), "value_w": (token, token)}
    tensors = {name: (rng.normal(size=size) / np.sqrt(size[1])).astype(np.float32) for name, size in sizes.items()}
    biased = [name for name in sizes if name[0] == "w" or name in ("neighbour_w", "obstacle_w")]
    for name in biased:
        bias = f"b{name[1:]}" if name[0] == "w" else name.replace("_w", "_b")
        tensors[bias] = rng.normal(size=sizes[name][0]).astype(np.float32) * np.float32(0.1)
    bounds = {"low": [-1.0, -1.0, -0.2, -1.0], "high": [1.0, 1.0, 1.0, 0.3]}
    return {"kind": kind, "neighbours": neighbours, "history": history, "layers": 3, **bounds}, tensors


def observations(neighbours: int, history: int) -> Float32:
    """What drones of crowded rooms see while they tumble about, and past actions and further neighbours beside it."""
    family = get_family("quadrotor")
    task = family.resolve_task({"drones": 8, "density": 0.5, "history": history, "start_speed": 1.0, "tilt": 40.0})
    env, rng, seen = family.make_vec(task, 8), np.random.default_rng(0), []
    row = env.reset(3)
    for step in range(60):
        if step % 20 == 0:
            seen.append(row.copy())
        row = env.step(rng.uniform(-1, 1, (64, 4)).astype(np.float32)).observation
    env.close()
    found = np.concatenate(seen).astype(np.float32)
    more = rng.normal(size=(len(found), 6 * (neighbours - 2))).astype(np.float32) * 2
    return np.concatenate((found[:, :31], more, found[:, 31:]), axis=1)


def run_c(source: str, seen: Float32, folder: Path) -> Float32:
    """Compile as strict C99 and call the function for each drone."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    (folder / "fly.c").write_text(source)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "fly.c", "-o", "fly.so", "-lm"], cwd=folder, check=True)
    act, pointer = ctypes.CDLL(str(folder / "fly.so")).fly_act, ctypes.POINTER(ctypes.c_float)
    act.restype = None
    actions = np.zeros((len(seen), 4), np.float32)
    for one, action in zip(np.ascontiguousarray(seen), actions, strict=True):
        act(one.ctypes.data_as(pointer), action.ctypes.data_as(pointer))
    return actions


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("neighbours", "history"), _SIZES)
def test_compiled_c_and_onnx_act_like_the_library(kind: str, neighbours: int, history: int, tmp_path: Path) -> None:
    spec, tensors = make_network(kind, neighbours, history)
    seen = observations(neighbours, history)
    wanted = make_policy(spec, tensors).act(seen)
    assert np.ptp(wanted, axis=0).min() > 0.1 and (wanted == np.asarray(spec["high"], np.float32)).any()
    assert np.abs(run_c(make_c(spec, tensors, "fly"), seen, tmp_path) - wanted).max() < 1e-6
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(make_onnx(spec, tensors), providers=["CPUExecutionProvider"])
    (given,), (told,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, told.name, told.shape) == ("observation", ["n", seen.shape[1]], "action", ["n", 4])
    (found,) = session.run(None, {"observation": seen})
    assert np.abs(found - wanted).max() < 1e-6
    (alone,) = session.run(None, {"observation": seen[:1]})
    assert np.abs(alone - wanted[:1]).max() < 1e-6


def test_a_plain_network_of_a_drone_that_sees_nobody_is_exported_too(tmp_path: Path) -> None:
    spec, tensors = make_network("swarm_mlp", 0, 0)
    full = observations(2, 0)
    seen = np.concatenate((full[:, :19], full[:, 31:]), axis=1)
    wanted = make_policy(spec, tensors).act(seen)
    assert np.abs(run_c(make_c(spec, tensors, "fly"), seen, tmp_path) - wanted).max() < 1e-6
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(make_onnx(spec, tensors), providers=["CPUExecutionProvider"])
    assert np.abs(session.run(None, {"observation": seen})[0] - wanted).max() < 1e-6
