"""How fast the quantum family is: energies against qulacs and Aer where they are installed, and env steps per CPU-second.

Everything runs in this process on one thread. The peers are timed on the circuits that ours are, 20 gates on LiH with 4
qubits: qulacs with its state vector and a dense Hamiltonian (what the published environments do), Aer's density matrix
under depolarising noise. A peer that is not installed gives no ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.quantum.energies import energies, gradients, make_model
from envs.quantum.gates import CNOT, Gate, pack
from envs.quantum.noise import make_noise
from envs.quantum.problems import Problem, load_problem
from envs.task import ParamValue

GATES, CIRCUITS, BATCH = 20, 500, 8
_SINGLE, _DOUBLE = 0.001, 0.005


def measure(seconds: float = 10) -> dict[str, float]:
    """Measure for about `seconds` of CPU time; return microseconds an energy, steps per CPU-second and ratios to peers."""
    problem = load_problem("lih-4", 2.2)
    circuits = _random_circuits(problem.qubits, CIRCUITS)
    batch = pack(circuits)
    share = seconds / 8
    clean = make_model(problem)
    noisy = make_model(problem, make_noise(problem.qubits, single_depolarising=_SINGLE, double_depolarising=_DOUBLE))
    measured = {
        "energy_us": _time(lambda: energies(clean, batch), share) / CIRCUITS,
        "gradient_us": _time(lambda: gradients(clean, batch), share) / CIRCUITS,
        "noisy_energy_us": _time(lambda: energies(noisy, batch), share) / CIRCUITS,
        "noisy_gradient_us": _time(lambda: gradients(noisy, batch), share) / CIRCUITS,
    }
    if find_spec("qulacs"):
        measured["qulacs_energy_us"] = _time(_qulacs(problem, circuits[:100]), share) / 100
        measured["ratio_qulacs"] = measured["qulacs_energy_us"] / measured["energy_us"]
    if find_spec("qiskit_aer"):
        measured["aer_noisy_energy_us"] = _time(_aer(problem, circuits[:5]), share) / 5
        measured["ratio_aer"] = measured["aer_noisy_energy_us"] / measured["noisy_energy_us"]
    measured["steps_per_cpu_s"] = _steps({}, share)
    noise: dict[str, ParamValue] = {"noise_level": _SINGLE, "noise_ratio": _DOUBLE / _SINGLE}
    measured["noisy_steps_per_cpu_s"] = _steps(noise, share)
    return measured


def table(measured: dict[str, float]) -> str:
    """Lay out what `measure` returned for a terminal."""
    rows = [
        ("energy, noiseless", "energy_us", "us"),
        ("energy and gradient, noiseless", "gradient_us", "us"),
        ("energy, noisy", "noisy_energy_us", "us"),
        ("energy and gradient, noisy", "noisy_gradient_us", "us"),
        ("qulacs, dense Hamiltonian", "qulacs_energy_us", "us"),
        ("  times slower than ours", "ratio_qulacs", "x"),
        ("Aer density matrix, noisy", "aer_noisy_energy_us", "us"),
        ("  times slower than ours", "ratio_aer", "x"),
        ("env steps, LiH-4 noiseless", "steps_per_cpu_s", "1/s"),
        ("env steps, LiH-4 depolarising", "noisy_steps_per_cpu_s", "1/s"),
    ]
    lines = [f"{'LiH, 4 qubits, 20 gates, CPU time':<34}{'measured':>14}"]
    for label, key, unit in rows:
        value = f"{measured[key]:>14,.2f} {unit}" if key in measured else f"{'not installed':>14}"
        lines.append(f"{label:<34}{value}")
    return "\n".join(lines)


def _random_circuits(qubits: int, count: int) -> list[tuple[Gate, ...]]:
    rng = np.random.default_rng(0)
    return [tuple(_random_gate(rng, qubits) for _ in range(GATES)) for _ in range(count)]


def _random_gate(rng: np.random.Generator, qubits: int) -> Gate:
    kind, qubit = int(rng.integers(4)), int(rng.integers(qubits))
    if kind == CNOT:
        return Gate(kind=kind, qubit=qubit, control=int((qubit + 1 + rng.integers(qubits - 1)) % qubits))
    return Gate(kind=kind, qubit=qubit, angle=float(rng.uniform(-np.pi, np.pi)))


def _time(run: Callable[[], object], seconds: float) -> float:
    """Least CPU microseconds of one call, over about `seconds`; the first call (which may compile) is not counted."""
    run()
    best, spent = np.inf, 0.0
    while spent < seconds:
        started = time.process_time()
        run()
        took = time.process_time() - started
        spent, best = spent + took, min(best, took)
    return float(best * 1e6)


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


def _qulacs(problem: Problem, circuits: list[tuple[Gate, ...]]) -> Callable[[], object]:
    """State vector by qulacs, energy by the dense matrix; circuits are built beforehand, angles set for each energy."""
    qulacs: Any = import_module("qulacs")
    dense = problem.matrix.to_dense().astype(np.complex128)
    built = []
    for circuit in circuits:
        made = qulacs.ParametricQuantumCircuit(problem.qubits)
        adders = (made.add_parametric_RX_gate, made.add_parametric_RY_gate, made.add_parametric_RZ_gate)
        for gate in circuit:
            if gate.is_rotation:
                adders[gate.kind](gate.qubit, 0.0)
            else:
                made.add_CNOT_gate(gate.control, gate.qubit)
        # qulacs turns the other way round
        built.append((made, [-gate.angle for gate in circuit if gate.is_rotation]))

    def run() -> list[float]:
        found = []
        for made, angles in built:
            for index, angle in enumerate(angles):
                made.set_parameter(index, angle)
            state = qulacs.QuantumState(problem.qubits)
            made.update_quantum_state(state)
            vector = state.get_vector()
            found.append(float((vector.conj() @ dense @ vector).real))
        return found

    check_equal(run(), energies(make_model(problem), pack(circuits)).tolist(), "qulacs")
    return run


def _aer(problem: Problem, circuits: list[tuple[Gate, ...]]) -> Callable[[], object]:
    """Energy from Aer's density matrix under the same noise; circuits are built beforehand, angles bound for each energy."""
    qiskit, aer, noise = import_module("qiskit"), import_module("qiskit_aer"), import_module("qiskit_aer.noise")
    info, binding = import_module("qiskit.quantum_info"), import_module("qiskit.circuit")
    model = noise.NoiseModel(basis_gates=["rx", "ry", "rz", "cx"])
    model.add_all_qubit_quantum_error(noise.depolarizing_error(_SINGLE * 4 / 3, 1), ["rx", "ry", "rz"])
    model.add_all_qubit_quantum_error(noise.depolarizing_error(_DOUBLE * 16 / 15, 2), ["cx"])
    simulator = aer.AerSimulator(method="density_matrix", noise_model=model)
    observable = info.SparsePauliOp.from_list([(letters[::-1], value) for letters, value in problem.terms])
    built = []
    for circuit in circuits:
        made = qiskit.QuantumCircuit(problem.qubits)
        angles = {}
        for place, gate in enumerate(circuit):
            if gate.is_rotation:
                symbol = binding.Parameter(f"a{place}")
                angles[symbol] = gate.angle
                (made.rx, made.ry, made.rz)[gate.kind](symbol, gate.qubit)
            else:
                made.cx(gate.control, gate.qubit)
        made.save_expectation_value(observable, range(problem.qubits))
        built.append((made, angles))

    def run() -> list[float]:
        bound = [made.assign_parameters(angles) for made, angles in built]
        return [float(simulator.run(made, shots=1).result().data()["expectation_value"]) for made in bound]

    machine = make_noise(problem.qubits, single_depolarising=_SINGLE, double_depolarising=_DOUBLE)
    check_equal(run(), energies(make_model(problem, machine), pack(circuits)).tolist(), "Aer")
    return run


def check_equal(theirs: list[float], ours: list[float], peer: str) -> None:
    """Raise `RuntimeError` when a peer's energies are not ours to 1e-8: a ratio of different work means nothing."""
    apart = max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
    if apart > 1e-8:
        raise RuntimeError(f"{peer} and the quantum family disagree by {apart:.1e}: the benchmark is not valid.")
