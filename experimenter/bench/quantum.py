"""How fast the quantum family is: energies against qulacs and Aer where they are installed, and env steps per CPU-second.

One thread each. The peers are timed in the same run, each in a process of its own, on circuits of the same make: 20 random
gates on LiH with 4 qubits: qulacs with its state vector and a dense Hamiltonian (what the published environments do), Aer's
density matrix under depolarising noise. A ratio is of CPU time for one energy. `ratio_qulacs` is ours batched (many
circuits in one call, all different), `ratio_qulacs_same` many angle sets of one circuit in one call, `ratio_qulacs_single` one
circuit a call, Python included, as the peer is called. A peer that is not installed gives no ratio.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.quantum.energies import energies, gradients, make_model
from envs.quantum.gates import CircuitBatch, pack
from envs.quantum.noise import make_noise
from envs.quantum.problems import load_problem
from envs.task import ParamValue
from experimenter.bench.quantum_peers import DOUBLE, SINGLE, random_circuits, time_calls, time_peer

CIRCUITS, NOISY_CIRCUITS, BATCH = 2000, 500, 8


def measure(seconds: float = 12) -> dict[str, float]:
    """Measure for about `seconds` of CPU time; return microseconds an energy, steps per CPU-second and ratios to peers."""
    share = seconds / 12
    measured = _measure_ours(share)
    for peer, package, against in (
        ("qulacs", "qulacs", ("energy_us", "same_circuit_energy_us", "single_energy_us")),
        ("aer", "qiskit_aer", ("noisy_energy_us", "noisy_single_energy_us")),
    ):
        if find_spec(package):
            took = measured[f"{peer}_energy_us"] = time_peer(peer, 2 * share)
            for key, suffix in zip(
                against, ("", "_same", "_single") if peer == "qulacs" else ("", "_single"), strict=True
            ):
                measured[f"ratio_{peer}{suffix}"] = took / measured[key]
    measured["steps_per_cpu_s"] = _steps({}, share)
    noise: dict[str, ParamValue] = {"noise_level": SINGLE, "noise_ratio": DOUBLE / SINGLE}
    measured["noisy_steps_per_cpu_s"] = _steps(noise, share)
    return measured


def _measure_ours(share: float) -> dict[str, float]:
    problem = load_problem("lih-4", 2.2)
    batch = pack(random_circuits(problem.qubits, CIRCUITS))
    one, some = _first(batch, 1), _first(batch, NOISY_CIRCUITS)
    same = pack([batch.circuit(0)] * CIRCUITS)
    same.angles[:] = np.random.default_rng(1).uniform(-np.pi, np.pi, same.angles.shape)
    clean = make_model(problem)
    noisy = make_model(problem, make_noise(problem.qubits, single_depolarising=SINGLE, double_depolarising=DOUBLE))
    return {
        "energy_us": time_calls(lambda: energies(clean, batch), share) / len(batch),
        "same_circuit_energy_us": time_calls(lambda: energies(clean, same), share) / len(same),
        "single_energy_us": time_calls(lambda: energies(clean, one), share),
        "gradient_us": time_calls(lambda: gradients(clean, some), share) / len(some),
        "noisy_energy_us": time_calls(lambda: energies(noisy, some), share) / len(some),
        "noisy_single_energy_us": time_calls(lambda: energies(noisy, one), share),
        "noisy_gradient_us": time_calls(lambda: gradients(noisy, some), share) / len(some),
    }


def _first(batch: CircuitBatch, count: int) -> CircuitBatch:
    return CircuitBatch(
        batch.kinds[:count], batch.qubits[:count], batch.controls[:count], batch.angles[:count], batch.lengths[:count]
    )


_ROWS = (
    ("energy, many circuits a call", "energy_us", "us"),
    ("energy, many angle sets of one circuit", "same_circuit_energy_us", "us"),
    ("energy, one circuit a call", "single_energy_us", "us"),
    ("energy and gradient", "gradient_us", "us"),
    ("energy, noisy", "noisy_energy_us", "us"),
    ("energy, noisy, one circuit a call", "noisy_single_energy_us", "us"),
    ("energy and gradient, noisy", "noisy_gradient_us", "us"),
    ("qulacs, dense Hamiltonian", "qulacs_energy_us", "us"),
    ("  to ours, many circuits a call", "ratio_qulacs", "x"),
    ("  to ours, many angles of one circuit", "ratio_qulacs_same", "x"),
    ("  to ours, one circuit a call", "ratio_qulacs_single", "x"),
    ("Aer density matrix, noisy", "aer_energy_us", "us"),
    ("  to ours, many circuits a call", "ratio_aer", "x"),
    ("  to ours, one circuit a call", "ratio_aer_single", "x"),
    ("env steps, LiH-4 noiseless", "steps_per_cpu_s", "1/s"),
    ("env steps, LiH-4 depolarising", "noisy_steps_per_cpu_s", "1/s"),
)


def table(measured: dict[str, float]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [f"{'LiH, 4 qubits, 20 gates, CPU time':<40}{'measured':>14}"]
    for label, key, unit in _ROWS:
        value = f"{measured[key]:>14,.2f} {unit}" if key in measured else f"{'not installed':>14}"
        lines.append(f"{label:<40}{value}")
    return "\n".join(lines)


def _steps(params: dict[str, ParamValue], seconds: float) -> float:
    """Env steps per CPU-second of a random legal policy that never stops by itself."""
    family = get_family("quantum")
    env: Any = family.make_vec(family.resolve_task(params), BATCH)
    rng = np.random.default_rng(0)
    env.reset(0)
    for _ in range(3):
        env.step(_legal_actions(env, rng))
    started, steps = time.process_time(), 0
    while time.process_time() - started < seconds:
        env.step(_legal_actions(env, rng))
        steps += BATCH
    return steps / (time.process_time() - started)


def _legal_actions(env: Any, rng: np.random.Generator) -> NDArray[np.int64]:
    masks = env.action_masks()
    masks[:, -1] = False
    chosen: NDArray[np.int64] = np.where(masks, rng.random(masks.shape), -1.0).argmax(axis=1)
    return chosen
