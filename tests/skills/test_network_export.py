"""Policies as C and ONNX act like the library's: the C is compiled, the ONNX run by onnxruntime where it is installed."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from memory.store import Store
from skills.artifact import ArtifactError, Tensors, make_policy
from skills.c_export import make_c
from skills.embedder import HashEmbedder
from skills.library import Library, SkillProblem
from skills.onnx_export import make_onnx
from skills.testing import make_request

HEADS, ACTIVATIONS = ("clip", "tanh", "argmax"), ("tanh", "relu", "elu")


def make_network(head: str, activation: str, *, normalise: bool = True) -> tuple[dict[str, Any], Tensors]:
    """A network of 6 inputs, 16 and 12 hidden units and 3 outputs, its weights of the usual size."""
    rng = np.random.default_rng(0)
    spec: dict[str, Any] = {"kind": "mlp", "activation": activation, "layers": 3, "head": head, "normalise": normalise}
    if head != "argmax":
        spec |= {"low": [-0.4, 0.0, -2.0], "high": [0.3, 3.0, 2.0]}
    widths = (6, 16, 12, 3)
    tensors: Tensors = {}
    for i in range(3):
        tensors[f"w{i}"] = (rng.normal(size=(widths[i + 1], widths[i])) / np.sqrt(widths[i])).astype(np.float32)
        tensors[f"b{i}"] = rng.normal(size=widths[i + 1]).astype(np.float32) * np.float32(0.1)
    tensors["w2"] -= tensors["w2"].mean(axis=1, keepdims=True)  # so that no choice wins everywhere
    if normalise:
        spec["clip_obs"] = 2.0
        variance = np.array([0.5, 1, 2, 0, 4, 1], np.float32)
        tensors |= {"obs_mean": rng.normal(size=6).astype(np.float32), "obs_var": variance}
    return spec, tensors


def observations() -> NDArray[np.float32]:
    return (np.random.default_rng(1).normal(size=(64, 6)) * 2).astype(np.float32)


def compile_c(source: str, folder: Path) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    (folder / "policy.c").write_text(source)
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "policy.c", "-o", "policy.so", "-lm"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "policy.so"))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_compiled_c_acts_like_the_library(head: str, activation: str, tmp_path: Path) -> None:
    spec, tensors = make_network(head, activation)
    act = compile_c(make_c(spec, tensors), tmp_path).policy_act
    pointer = ctypes.POINTER(ctypes.c_float)
    expected = make_policy(spec, tensors).act(observations())
    for seen, wanted in zip(observations(), expected, strict=True):
        if head == "argmax":
            act.restype = ctypes.c_int
            assert act(seen.ctypes.data_as(pointer)) == wanted
        else:
            action = np.zeros(3, np.float32)
            act.restype = None
            act(seen.ctypes.data_as(pointer), action.ctypes.data_as(pointer))
            assert np.abs(action - wanted).max() < 1e-6
    assert len({tuple(np.atleast_1d(row)) for row in expected.tolist()}) > 1


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalise", [True, False])
def test_onnx_acts_like_the_library(head: str, activation: str, normalise: bool) -> None:
    runtime = pytest.importorskip("onnxruntime")
    spec, tensors = make_network(head, activation, normalise=normalise)
    session = runtime.InferenceSession(make_onnx(spec, tensors), providers=["CPUExecutionProvider"])
    (given,), (told,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape, told.name) == ("observation", ["n", 6], "action")
    assert told.shape == (["n"] if head == "argmax" else ["n", 3])
    (found,) = session.run(None, {"observation": observations()})
    expected = make_policy(spec, tensors).act(observations())
    assert found.dtype == (np.int64 if head == "argmax" else np.float32)
    assert np.abs(found - expected).max() < 1e-6


def test_what_is_no_plain_network_is_refused_in_one_line() -> None:
    spec, tensors = make_network("clip", "tanh")
    for make in (make_c, make_onnx):
        with pytest.raises(ArtifactError, match="kind 'other' cannot be exported to C or ONNX"):
            make({**spec, "kind": "other"}, tensors)
    with pytest.raises(ArtifactError, match="is no C identifier"):
        make_c(spec, tensors, "fly-now")


def test_a_skill_is_exported_as_c_and_onnx_and_never_over_a_file(sqlite_store: Store, tmp_path: Path) -> None:
    library = Library(sqlite_store, tmp_path / "skills", HashEmbedder())
    skill = library.admit(make_request(tmp_path))
    source = library.export_network(skill, tmp_path / "walk.c", "c").read_text()
    assert "void policy_act(const float *observation, float *action)" in source
    assert library.export_network(skill, tmp_path / "walk.onnx", "onnx").stat().st_size > 100
    with pytest.raises(SkillProblem, match="exists already"):
        library.export_network(skill, tmp_path / "walk.c", "c")
    with pytest.raises(SkillProblem, match=r"unknown export format 'pt'\. Known: folder, onnx, c\."):
        library.export_network(skill, tmp_path / "walk.pt", "pt")
