"""`experimenter bench audit` as a person calls it: a table, one JSON object, and a clear line for a folder without cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from experimenter.bench.audit import CASES
from experimenter.cli.bench_audit import audit
from experimenter.errors import UsageError

APP = typer.Typer()
APP.command()(audit)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """One family of the shipped set."""
    name = "CartPole-v1.json.gz"
    (tmp_path / name).write_bytes((CASES / name).read_bytes())
    return tmp_path


def test_it_prints_precision_and_recall(cases: Path) -> None:
    ran = CliRunner().invoke(APP, ["--cases", str(cases)])
    assert ran.exit_code == 0, ran.output
    lines = ran.output.splitlines()
    assert "labelled runs of 1 families" in lines[0]
    assert "recall" in lines[1] and "precision" in lines[1]
    assert any(line.startswith("evidence: curve") for line in lines)


def test_json_is_one_object(cases: Path) -> None:
    ran = CliRunner().invoke(APP, ["--cases", str(cases), "--json"])
    found = json.loads(ran.output)
    assert found["bench"] == "audit"
    full = found["evidence"]["full"]
    assert full["found"] + full["missed"] == found["hacked"] and full["flagged"] + full["passed"] == found["clean"]
    assert full["recall_low"] <= full["recall"] <= full["recall_high"]


def test_a_folder_without_cases_is_said(tmp_path: Path) -> None:
    ran = CliRunner().invoke(APP, ["--cases", str(tmp_path)])
    assert isinstance(ran.exception, UsageError) and "--make" in str(ran.exception)
