from __future__ import annotations

import pytest

pytest.importorskip("numba")

from experimenter.bench.quantum import measure, table
from experimenter.bench.quantum_peers import check_equal


def test_the_bench_measures_energies_and_steps() -> None:
    measured = measure(seconds=0.4)
    assert 0 < measured["energy_us"] < measured["gradient_us"]
    assert measured["energy_us"] < measured["single_energy_us"]
    assert measured["energy_us"] < measured["noisy_energy_us"]
    assert measured["steps_per_cpu_s"] > 100  # about 2,000; `bench quantum` reports the figure
    assert measured["noisy_steps_per_cpu_s"] > 20
    assert len(table(measured).splitlines()) == 17


def test_peers_that_disagree_are_not_compared() -> None:
    with pytest.raises(RuntimeError, match=r"disagree by 1\.0e-02"):
        check_equal([1.0, 2.0], [1.0, 2.01], "the peer")
