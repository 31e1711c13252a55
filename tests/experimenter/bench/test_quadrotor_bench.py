from __future__ import annotations

from experimenter.bench.quadrotor import CASES, measure, table


def test_the_bench_measures_every_case_and_prints_it() -> None:
    measured = measure(seconds=0.2, sb3_rollouts=0)
    assert measured["agent_steps_per_cpu_s"] == measured["8_drones_agent_steps_per_cpu_s"]
    assert set(measured) == {"agent_steps_per_cpu_s", *(f"{name}_agent_steps_per_cpu_s" for name in CASES)}
    # 1.7 to 2.3 million on a busy machine; a kernel that fell back to Python would give some thousands
    assert min(measured.values()) > 100_000
    printed = table(measured)
    assert len(printed.splitlines()) == 1 + len(CASES)
    assert f"{measured['8_drones_agent_steps_per_cpu_s']:,.0f}" in printed
