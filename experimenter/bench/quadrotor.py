"""How many agent-steps a CPU-second the quadrotor kernel gives: 8 drones a room at 20 % density, effects off and on, and other sizes.

An agent-step is one drone advanced by one control step of 0.01 s, with contacts, reward, observation and restarts. Actions are random
around hover, drawn beforehand; compilation happens before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from envs.quadrotor.params import check_params
from envs.task import ParamValue

CASES: Mapping[str, tuple[int, Mapping[str, ParamValue]]] = {
    "8_drones": (128, {"drones": 8, "density": 0.2}),
    "8_drones_noise_downwash": (128, {"drones": 8, "density": 0.2, "noise": 1.0, "downwash": 1}),
    "8_drones_density_80": (128, {"drones": 8, "density": 0.8}),
    "32_drones": (32, {"drones": 32, "density": 0.2}),
    "1_drone": (512, {"drones": 1}),
}
"""Name -> rooms, task parameters."""
_HOVER, _SPREAD, _DRAWN = 0.05, 0.3, 16
Runner = Callable[[], int]
"""Runs a slice and returns its agent-steps."""


def measure(seconds: float = 10) -> dict[str, float]:
    """Measure each case for its share of `seconds` of CPU time, in alternating slices; return agent-steps per CPU-second."""
    runners = {name: make_runner(worlds, params) for name, (worlds, params) in CASES.items()}
    for run in runners.values():
        run()
    spent, steps = dict.fromkeys(runners, 0.0), dict.fromkeys(runners, 0)
    while sum(spent.values()) < seconds:
        for name, run in runners.items():
            started = time.process_time()
            steps[name] += run()
            spent[name] += time.process_time() - started
    rates = {name: steps[name] / spent[name] for name in runners}
    return {
        "agent_steps_per_cpu_s": rates["8_drones"],
        **{f"{name}_agent_steps_per_cpu_s": rate for name, rate in rates.items()},
    }


def table(measured: dict[str, float]) -> str:
    """Lay out what `measure` returned for a terminal."""
    rows = [(name, measured[f"{name}_agent_steps_per_cpu_s"]) for name in CASES]
    lines = [f"{'case':<28}{'agent-steps per CPU-second':>28}"]
    lines += [f"{name.replace('_', ' '):<28}{rate:>28,.0f}" for name, rate in rows]
    return "\n".join(lines)


def make_runner(worlds: int, params: Mapping[str, ParamValue]) -> Runner:
    """A swarm that steps through 16 drawn action sets in each call."""
    from envs.quadrotor.swarm import Swarm

    swarm = Swarm(worlds, check_params(params), 1500)
    swarm.reset(0)
    drawn = np.random.default_rng(0).uniform(_HOVER - _SPREAD, _HOVER + _SPREAD, (_DRAWN, swarm.agents, 4))
    actions = drawn.astype(np.float32)

    def run() -> int:
        for action in actions:
            swarm.step(action)
        return _DRAWN * swarm.agents

    return run
