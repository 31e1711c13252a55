"""`experimenter skill export` of a drone's skill: as C, as ONNX, and as a folder that flies with NumPy alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experimenter.cli.main import app
from experimenter.services import open_memory
from skills.artifact import load_policy, save_policy
from skills.embedder import HashEmbedder
from skills.library import Library
from skills.swarm_policy import NEIGHBOUR, OBSTACLE, OWN
from skills.testing import make_request


def make_home(home: Path, kind: str) -> Path:
    """A home with one certified drone skill; returns the folder of its policy."""
    rng = np.random.default_rng(2)
    shapes: dict[str, tuple[int, ...]] = {"w0": (6, OWN + 10), "b0": (6,), "w1": (4, 6), "b1": (4,)}
    shapes |= {"neighbour_w": (5, NEIGHBOUR), "neighbour_b": (5,), "obstacle_w": (5, OBSTACLE), "obstacle_b": (5,)}
    if kind == "attention":
        shapes |= {"query_w": (5, OWN), "key_w": (5, 5), "value_w": (5, 5)}
    tensors = {name: (0.3 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    spec = {"kind": kind, "neighbours": 2, "history": 0, "layers": 2, "low": [-1.0] * 4, "high": [1.0] * 4}
    save_policy(home / "made", spec, tensors)
    store = open_memory(home)
    library = Library(store, home / "skills", HashEmbedder())
    library.admit(make_request(home, "fly", policy_folder=home / "made"))
    store.close()
    return home / "made"


@pytest.mark.parametrize("kind", ["deep_set", "attention"])
def test_a_drone_skill_is_exported_in_every_form(tmp_path: Path, kind: str) -> None:
    policy = make_home(tmp_path, kind)

    def export(name: str, *words: str) -> Path:
        target = tmp_path / name
        done = CliRunner().invoke(app, ["skill", "export", "fly", str(target), *words, "--home", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return target

    source = export("fly.c", "--format", "c").read_text()
    assert "POLICY_OBSERVATIONS = 40, POLICY_ACTIONS = 4" in source
    assert "void policy_act(const float *observation, float *action)" in source
    assert export("fly.onnx", "--format", "onnx").stat().st_size > 1000
    folder = export("flown")
    code = (
        "import numpy as np; from play import load; import sys; assert 'skills' not in sys.modules;"
        "np.save('actions.npy', load('.')(np.load('seen.npy')))"
    )
    seen = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    np.save(folder / "seen.npy", seen)
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)
    assert np.load(folder / "actions.npy") == pytest.approx(load_policy(policy).act(seen), abs=1e-7)
    told = subprocess.run([sys.executable, "play.py"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert told.startswith("a policy of 40 observations; action for zeros: [")
