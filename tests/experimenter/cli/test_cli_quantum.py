"""`experimenter env quantum ...` and the problems in `env show quantum`."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experimenter.cli.main import app
from experimenter.errors import EnvironmentNotReady, UsageError

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `quantum`")
CHEMISTRY = find_spec("pyscf") is not None and find_spec("openfermion") is not None


def test_show_lists_every_problem_with_its_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTER_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["env", "show", "quantum", "--json"])
    rows = {(row["name"], row["setting"]): row for row in json.loads(done.output)["problems"]}
    # name, angstrom, exact energy, floor above it in mHa, strings
    for name, setting, exact, floor_mha, terms in (
        ("h2-2", 0.7414, -1.1372701747, 20.59, 5),
        ("lih-4", 1.2, -7.8506984711, 15.08, 100),
        ("lih-4", 3.4, -7.7890887260, 119.03, 100),
        ("lih-6", 2.2, -7.8448791504, 36.88, 118),
        ("h2o-8-paper", 0.5127, -73.2941067593, 2.63, 193),
        ("h2o-8", 0.9689, -74.9723355877, 7.81, 193),
    ):
        row = rows[name, setting]
        assert abs(row["exact"] - exact) < 1e-6
        assert row["hartree_fock_floor"] - row["exact"] == pytest.approx(1e-3 * floor_mha, abs=1e-5)
        assert row["terms"] == terms
    text = CliRunner().invoke(app, ["env", "show", "quantum"]).output
    assert "Hartree-Fock floor" in text
    assert "-73.2941067" in text


def test_problems_of_other_families_are_not_listed() -> None:
    assert "problems" not in json.loads(CliRunner().invoke(app, ["env", "show", "walker", "--json"]).output)


@pytest.mark.skipif(CHEMISTRY, reason="the extra `chem` is installed")
def test_without_chemistry_the_extra_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["env", "quantum", "make", "--molecule", "H 0 0 0; H 0 0 1", "--home", str(tmp_path)]
    )
    assert isinstance(done.exception, EnvironmentNotReady)
    assert "rl-experimenter[chem]" in str(done.exception)


@pytest.mark.skipif(not CHEMISTRY, reason="needs the extra `chem`")
def test_a_molecule_is_made_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTER_HOME", str(tmp_path))
    words = ["env", "quantum", "make", "--molecule", "H 0 0 0; H 0 0 0.7414", "--mapping", "parity", "--json"]
    facts = json.loads(CliRunner().invoke(app, words).output)
    assert facts["exact"] == pytest.approx(-1.1372701747, abs=1e-6)
    shown = CliRunner().invoke(app, ["env", "show", facts["family"], "--json"])
    assert json.loads(shown.output)["family"] == facts["family"]
    listed = json.loads(CliRunner().invoke(app, ["env", "quantum", "problems", "--json"]).output)["problems"]
    assert listed[-1]["family"] == facts["family"]


@pytest.mark.skipif(not CHEMISTRY, reason="needs the extra `chem`")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--molecule", "H 0 0"], "three numbers"),
        (["--molecule", "H 0 0 0; H 0 0 0"], "one another"),
        (["--molecule", "H 0 0 0; He 0 0 1"], "3 electrons"),
        (["--molecule", "N 0 0 0; N 0 0 1.1", "--mapping", "jordan-wigner"], "20 qubits.*At most 12"),
    ],
)
def test_what_cannot_be_made_is_one_line(words: list[str], told: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["env", "quantum", "make", *words, "--home", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    with pytest.raises(UsageError, match=told):
        raise done.exception
