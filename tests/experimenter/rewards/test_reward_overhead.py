"""The overhead benchmark runs, and the wrapper keeps its promise with room to spare."""

from __future__ import annotations

from experimenter.bench.rewards_overhead import TARGET_US, measure, table


def test_a_program_costs_less_than_the_target() -> None:
    figures = measure(steps=50, rounds=5)
    assert 0 < figures["specification_us"] < TARGET_US
    assert 0 < figures["code_us"] < TARGET_US
    assert figures["native_us"] < figures["specification_us"]
    assert table(figures).count("\n") == 3
