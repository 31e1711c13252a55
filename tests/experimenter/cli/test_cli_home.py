"""`--home` is the home of the families too, for the length of one command."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envs.catalog import list_files
from experimenter.cli.main import app

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `quantum`")


def test_a_made_problem_is_found_in_the_home_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from envs.quantum.problems import make_problem
    from envs.quantum.stored import store_problem

    monkeypatch.setenv("EXPERIMENTER_HOME", str(tmp_path / "other"))
    path = store_problem(make_problem("pair", [("ZZ", 0.5), ("XI", 0.2)], title="a pair"), tmp_path / "mine")
    family = f"quantum:{path.stem}"
    words = ["env", "show", family, "--json"]
    assert CliRunner().invoke(app, words).exit_code != 0
    done = CliRunner().invoke(app, [*words, "--home", str(tmp_path / "mine")])
    assert json.loads(done.output)["family"] == family
    assert os.environ["EXPERIMENTER_HOME"] == str(tmp_path / "other")


def test_only_made_problems_have_files_outside_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTER_HOME", str(tmp_path))
    assert list_files("quantum:pair-0123") == (tmp_path / "problems" / "pair-0123.json",)
    assert list_files("quantum") == list_files("gym:CartPole-v1") == ()
