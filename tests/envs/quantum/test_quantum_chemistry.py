"""Molecules from geometries; runs where the extra `chem` is installed."""

from __future__ import annotations

from typing import Any

import pytest

from envs.quantum.chemistry import Molecule, make_molecule
from envs.quantum.problems import load_problem

pytest.importorskip("pyscf")
pytest.importorskip("openfermion")


def molecule(**changes: Any) -> Molecule:
    return Molecule(**{"name": "mine", "atoms": "H 0 0 0; H 0 0 0.7414", **changes})


@pytest.mark.parametrize(
    ("name", "mapping"), [("h2-2", "parity"), ("h2-3", "jordan-wigner-1"), ("h2-4", "jordan-wigner")]
)
def test_shipped_hydrogen_comes_out_again(name: str, mapping: str) -> None:
    made, shipped = make_molecule(molecule(mapping=mapping)), load_problem(name, 0.7414)
    assert made.exact == pytest.approx(shipped.exact, abs=1e-9)
    assert made.qubits == shipped.qubits


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"atoms": "H 0 0"}, "not an element and three numbers"),
        ({"charge": 1}, "odd|even"),
        ({"atoms": "Li 0 0 0; H 0 0 1.6", "active": "2e30o"}, "does not fit"),
        ({"atoms": "H 0 0 -1; H 0 0 1; O 0 0 0; O 0 0 3; H 1 1 3; H 1 -1 3"}, "At most 12 fit"),
        ({"mapping": "magic"}, "unknown mapping"),
        ({"active": "many"}, "not understood"),
    ],
)
def test_what_cannot_be_built_is_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        make_molecule(molecule(**changes))
    assert "\n" not in str(caught.value)
