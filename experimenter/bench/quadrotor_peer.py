"""Our drones against quad-swarm-rl's, core for core, in one run: slices of both alternate, so that a busy machine slows both alike.

The peer pins its dependencies exactly, so it lives in an environment of its own; this side only needs the path of that environment's
interpreter. Ours flies with the same effects on (sensor and thrust noise, downwash) and, beside it, with them off.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from envs.task import ParamValue
from experimenter.bench.quadrotor import make_runner
from experimenter.errors import UsageError

VARIABLE = "QUAD_SWARM_PYTHON"
SIZES: Mapping[int, int] = {8: 128, 32: 32}
"""Drones a room -> our rooms."""
_SLICES = 4
_FREE: Mapping[str, ParamValue] = {"density": 0.2}
_FULL: Mapping[str, ParamValue] = {"density": 0.2, "noise": 1.0, "downwash": 1}


class Peer:
    """A running worker of quad-swarm-rl; a context manager. Raises `UsageError` where it cannot start."""

    def __init__(self, python: str) -> None:
        command = [python, str(Path(__file__).with_name("quad_swarm_worker.py"))]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        # a pipe that nobody reads would fill and hold the worker up; closed in __exit__
        self._words = tempfile.TemporaryFile("w+")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                text=True,
                env=environment,
            )
        except OSError as error:
            self._words.close()
            raise UsageError(f"the interpreter {python!r} cannot be started: {error.strerror}.") from None

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._words.close()

    def step(self, drones: int, seconds: float) -> tuple[float, float]:
        """Agent-steps and CPU-seconds of one slice."""
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None and answers is not None
        try:
            pipe.write(f"{drones} {seconds}\n")
            pipe.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise UsageError(self._why())
        found: dict[str, float] = json.loads(line)
        return found["steps"], found["cpu_s"]

    def _why(self) -> str:
        self._process.communicate()
        self._words.seek(0)
        last = (self._words.read().strip().splitlines() or ["no word"])[-1]
        if self._process.returncode == 3:
            return (
                f"quad-swarm-rl is not installed for this interpreter ({last}): install github.com/Zhehui-Huang/quad-swarm-rl "
                f"as its README says, in an environment of its own, and name that interpreter with --python or {VARIABLE}."
            )
        return f"quad-swarm-rl stopped: {last}"


def measure(python: str | None = None, seconds: float = 20.0) -> dict[str, Any]:
    """Measure both for about `seconds` CPU-seconds each; returns per size the agent-steps per CPU-second and our ratio.

    `python` is the interpreter that has quad-swarm-rl (default: the variable QUAD_SWARM_PYTHON, then our own). Raises `UsageError` with one line where it
    has not.
    """
    sizes = {}
    with Peer(python or os.environ.get(VARIABLE) or sys.executable) as peer:
        for drones, rooms in SIZES.items():
            peer.step(drones, 0.0)
            sizes[f"{drones}_drones"] = _compare(peer, drones, rooms, seconds / len(SIZES))
    return {"sizes": sizes, "least_ratio": min(size["ratio"] for size in sizes.values())}


def _compare(peer: Peer, drones: int, rooms: int, seconds: float) -> dict[str, float]:
    runners = {
        "ours_no_effects": make_runner(rooms, {"drones": drones, **_FREE}),
        "ours": make_runner(rooms, {"drones": drones, **_FULL}),
    }
    for run in runners.values():
        run()
    steps, spent = dict.fromkeys([*runners, "peer"], 0.0), dict.fromkeys([*runners, "peer"], 0.0)
    for _ in range(_SLICES):
        for name, run in runners.items():
            started = time.process_time()
            while time.process_time() - started < seconds / (2 * _SLICES):
                steps[name] += run()
            spent[name] += time.process_time() - started
        flown, cpu_s = peer.step(drones, seconds / _SLICES)
        steps["peer"] += flown
        spent["peer"] += cpu_s
    rates = {f"{name}_agent_steps_per_cpu_s": steps[name] / spent[name] for name in steps}
    ratio = rates["ours_agent_steps_per_cpu_s"] / rates["peer_agent_steps_per_cpu_s"]
    free = rates["ours_no_effects_agent_steps_per_cpu_s"] / rates["peer_agent_steps_per_cpu_s"]
    return {**rates, "ratio": ratio, "ratio_no_effects": free}


def table(measured: Mapping[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [f"{'':<12}{'quad-swarm-rl':>15}{'ours':>15}{'ratio':>9}{'no effects':>15}{'ratio':>9}"]
    for name, row in measured["sizes"].items():
        peer, ours = row["peer_agent_steps_per_cpu_s"], row["ours_agent_steps_per_cpu_s"]
        free = row["ours_no_effects_agent_steps_per_cpu_s"]
        lines.append(
            f"{name.replace('_', ' '):<12}{peer:>15,.0f}{ours:>15,.0f}{row['ratio']:>9,.0f}{free:>15,.0f}{row['ratio_no_effects']:>9,.0f}"
        )
    return "\n".join([*lines, "Agent-steps per CPU-second of one core; effects: sensor and thrust noise, downwash."])
