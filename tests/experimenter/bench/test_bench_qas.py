"""The bench of qas: a tiny arm end to end, its table, and that finished runs are read, not run again."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from experimenter.bench import qas

pytestmark = pytest.mark.skipif(not find_spec("numba"), reason="needs the extra quantum")


def test_a_stopped_bench_goes_on_and_its_table_says_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = qas.Arm(problem="h2-2", bond_length=0.7414, steps=320, seeds=2, target=2)
    monkeypatch.setattr(qas, "ARMS", {"tiny": arm})
    one = qas.measure(tmp_path, seeds=1)
    (stored,) = tmp_path.glob("*.json")
    row = json.loads(stored.read_text())
    assert row["accurate"] and row["gates"] == 2 and row["success_rate"] == 1.0
    stored.write_text(json.dumps({**row, "gates": 99}))
    both = qas.measure(tmp_path)
    assert [run["gates"] for run in both["arms"]["tiny"]["runs"]] == [99, 2]
    assert one["arms"]["tiny"]["summary"]["seeds"] == 1
    assert "2/2" in qas.table(both) and json.dumps(both)
