from __future__ import annotations

import time

from experimenter.bench.quadrotor import CASES, measure, table, time_slice


def test_the_bench_measures_every_case_and_prints_it() -> None:
    measured = measure(seconds=0.2, sb3_rollouts=0)
    assert measured["agent_steps_per_cpu_s"] == measured["8_drones_agent_steps_per_cpu_s"]
    rates = {"agent_steps_per_cpu_s", *(f"{name}_agent_steps_per_cpu_s" for name in CASES)}
    assert set(measured) == rates | {f"{name}_rooms" for name in CASES}
    # 2 to 5 million; a kernel that fell back to Python would give some thousands
    assert min(measured[name] for name in rates) > 100_000
    assert {measured[f"{name}_rooms"] * (int(name.split("_")[0])) for name in CASES} == {512, 1024}
    printed = table(measured)
    assert len(printed.splitlines()) == 1 + len(CASES)
    assert f"{measured['8_drones_agent_steps_per_cpu_s']:,.0f}" in printed


def test_a_slice_is_timed_after_a_warm_up() -> None:
    calls = []

    def run() -> int:
        until = time.process_time() + 0.01
        while time.process_time() < until:
            pass
        calls.append(1)
        return 50

    rate = time_slice(run, 0.05)
    # five calls of 10 ms fill the slice, the sixth call is the warm-up: 50 steps in 10 ms are 5,000 a second
    assert len(calls) == 6
    assert 4_000 < rate <= 5_000
    calls.clear()
    assert time_slice(run, 0.0) > 4_000 and len(calls) == 2
