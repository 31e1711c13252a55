"""Circuits as policies: what an observation says of progress, damage, loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skills.artifact import ArtifactError, load_policy, save_policy
from skills.circuit import CircuitPolicy, make_circuit


def make_spec(**changed: Any) -> dict[str, Any]:
    gates = [{"gate": "RY", "qubit": 0, "angle": 0.5}, {"gate": "CNOT", "control": 0, "qubit": 1}]
    spec = {"kind": "circuit", "actions": [57, 0], "stop": 80, "gates": gates}
    return {**spec, "progress": {"share": 1, "left": 2, "left_scale": 100.0}, **changed}


def seen(placed: int, limit: int) -> list[float]:
    return [7.0, placed / limit, (limit - placed) / 100.0]


def test_it_plays_its_actions_in_order_and_then_stops_whatever_the_limit() -> None:
    policy = CircuitPolicy(make_spec())
    observation = np.array([seen(0, 40), seen(1, 40), seen(2, 40), seen(0, 3), seen(1, 3), seen(3, 3)], np.float32)
    assert policy.act(observation).tolist() == [57, 0, 80, 57, 0, 80]


def test_it_is_stored_and_read_back(tmp_path: Path) -> None:
    save_policy(tmp_path, make_spec(), {"angles": np.array([0.5, 0.0], np.float32)})
    assert load_policy(tmp_path).act(np.array([seen(1, 10)], np.float32)).tolist() == [0]


@pytest.mark.parametrize(
    "changed",
    [{"actions": [57]}, {"actions": [-1, 0]}, {"progress": {"share": -1, "left": 2, "left_scale": 1.0}}, {"gates": []}],
)
def test_a_damaged_circuit_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        make_circuit(make_spec(**changed), {"angles": np.zeros(2, np.float32)})
