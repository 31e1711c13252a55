"""Exported skills stand alone: their player needs NumPy only and acts like the library's policy."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memory.store import Store
from skills import play
from skills.artifact import make_policy, save_policy
from skills.embedder import HashEmbedder
from skills.library import Library, SkillProblem
from skills.testing import make_request


@pytest.fixture
def library(sqlite_store: Store, tmp_path: Path) -> Library:
    return Library(sqlite_store, tmp_path / "skills", HashEmbedder())


def test_an_exported_folder_plays_in_a_bare_python(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    folder = library.export(skill, tmp_path / "out")
    code = "import sys, play, numpy as np;"
    code += (
        "print(play.load('.')(np.array([[3.0, 1.0]])).tolist(), 'skills' in sys.modules, 'safetensors' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[[5.0]] False False\n", "")
    script = subprocess.run([sys.executable, "play.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert script.stdout == "a policy of 2 observations; action for zeros: [0.]\n"


def test_the_readme_shows_the_evidence(library: Library, tmp_path: Path) -> None:
    readme = (library.export(library.admit(make_request(tmp_path)), tmp_path / "out") / "README.md").read_text()
    for part in (
        "# walk-flat@1",
        "walk forward on flat ground",
        "| success rate, 20 episodes | 1.000 | 0.839 to 1.000 |",
        "| stump_height | 0 | 0 |",
    ):
        assert part in readme


def test_a_zip_holds_the_same_files(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    folder, archive = (
        library.export(skill, tmp_path / "deep" / "out"),
        library.export(skill, tmp_path / "deep" / "walk.zip"),
    )
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        packed = {name.removeprefix("walk/"): opened.read(name) for name in opened.namelist()}
    assert packed == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["out", "walk.zip"]


def test_nothing_is_ever_overwritten(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    (tmp_path / "mine.zip").write_text("mine")
    for target in (tmp_path / "mine.zip", tmp_path):
        with pytest.raises(SkillProblem, match="exists already"):
            library.export(skill, target)
    assert (tmp_path / "mine.zip").read_text() == "mine"


def test_a_target_that_cannot_be_written_is_one_clear_line(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    (tmp_path / "file").write_text("in the way")
    for target in (tmp_path / "file" / "out", tmp_path / "file" / "out.zip"):
        with pytest.raises(SkillProblem, match="cannot be exported to"):
            library.export(skill, target)


@pytest.mark.parametrize("head", ["clip", "tanh", "argmax"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "elu"])
def test_the_player_acts_like_the_library(tmp_path: Path, head: str, activation: str) -> None:
    rng = np.random.default_rng(0)
    spec: dict[str, Any] = {
        "kind": "mlp",
        "activation": activation,
        "layers": 3,
        "head": head,
        "normalise": True,
        "clip_obs": 2.0,
    }
    if head != "argmax":
        spec |= {"low": [-1.0, 0.0, -2.0], "high": [1.0, 3.0, 2.0]}
    shapes = {
        "w0": (8, 4),
        "b0": (8,),
        "w1": (8, 8),
        "b1": (8,),
        "w2": (3, 8),
        "b2": (3,),
        "obs_mean": (4,),
        "obs_var": (4,),
    }
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["obs_var"] = np.abs(tensors["obs_var"])
    tensors["b2"] *= 0.0  # so that no action wins everywhere
    save_policy(tmp_path, spec, tensors)
    observations = rng.normal(size=(50, 4)) * 3
    expected = make_policy(spec, tensors).act(observations)
    assert play.load(tmp_path)(observations) == pytest.approx(expected, abs=1e-5)
    assert len({tuple(np.atleast_1d(row)) for row in expected.tolist()}) > 1


def test_the_player_says_what_it_cannot_play(tmp_path: Path) -> None:
    save_policy(tmp_path, {"kind": "tree"}, {"w0": np.zeros(1, np.float32)})
    with pytest.raises(ValueError, match="needs the package rl-experimenter"):
        play.load(tmp_path)
