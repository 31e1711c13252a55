"""The comparison with quad-swarm-rl: its protocol against a stand-in package in an interpreter of its own, and what is said without one."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from experimenter.bench.quadrotor_peer import Peer, measure, table
from experimenter.errors import UsageError

STAND_IN = """
import time
class QuadrotorEnvMulti:
    def __init__(self, num_agents, **settings):
        assert settings["use_obstacles"] and settings["obst_density"] == 0.2 and settings["use_downwash"]
        self.agents = num_agents
        print("noise on standard output, as the package makes")
    def reset(self):
        pass
    def step(self, actions):
        assert actions.shape == (self.agents, 4)
        until = time.process_time() + 1e-4 * self.agents
        while time.process_time() < until:
            pass
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    package = tmp_path / "lib" / "gym_art" / "quadrotor_multi"
    package.mkdir(parents=True)
    (package / "quadrotor_multi.py").write_text(STAND_IN)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path / "lib"}" exec "{sys.executable}" "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    return str(wrapper)


def test_both_are_stepped_in_one_run(python: str) -> None:
    measured = measure(python, seconds=0.4)
    for name in ("8_drones", "32_drones"):
        size = measured["sizes"][name]
        # the stand-in spins for 0.1 ms an agent-step: 10,000 a CPU-second at most
        assert 2_000 < size["peer_agent_steps_per_cpu_s"] < 10_100
        assert size["ratio"] == pytest.approx(size["ours_agent_steps_per_cpu_s"] / size["peer_agent_steps_per_cpu_s"])
        assert size["ratio"] > 10
    assert measured["least_ratio"] == min(size["ratio"] for size in measured["sizes"].values())
    assert len(table(measured).splitlines()) == 4


def test_what_to_install_is_one_line() -> None:
    if "gym_art" in sys.modules or os.environ.get("QUAD_SWARM_PYTHON"):
        pytest.skip("quad-swarm-rl is here")
    with pytest.raises(UsageError, match=r"quad-swarm-rl is not installed .*gym_art.*README says") as caught:
        measure(sys.executable, seconds=0.1)
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="'/no/such/python' cannot be started"):
        Peer("/no/such/python")
