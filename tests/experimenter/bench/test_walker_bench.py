from __future__ import annotations

import pytest

from experimenter.bench.walker import measure, table


def test_the_bench_measures_all_three_in_one_run() -> None:
    measured = measure(seconds=0.5)
    assert measured["steps_each"] >= 1600
    rates = [measured[f"{name}_steps_per_cpu_s"] for name in ("gymnasium", "walker_batch", "walker_single")]
    assert measured["ratio"] == pytest.approx(rates[1] / rates[0])
    assert measured["ratio"] > 1.0  # 2.0 on an idle machine; `bench walker` reports the figure
    printed = table(measured)
    assert len(printed.splitlines()) == 4
    assert f"{measured['ratio']:.2f}" in printed
