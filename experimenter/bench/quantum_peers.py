"""The peers of `bench quantum`, each in a process of its own: `python -m experimenter.bench.quantum_peers qulacs 1.5`.

qulacs and Aer each bring their own OpenMP, and the two cannot be loaded into one process beside numba. The child times its
peer on the circuits that ours are timed on, checks that the energies are ours, and prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from envs.quantum.energies import energies, make_model
from envs.quantum.gates import CNOT, Gate, pack
from envs.quantum.noise import make_noise
from envs.quantum.problems import Problem, load_problem

GATES, SINGLE, DOUBLE = 20, 0.001, 0.005
_COUNTS = {"qulacs": 100, "aer": 5}


def time_peer(name: str, seconds: float) -> float:
    """Least CPU microseconds that peer `name` takes for one energy; raises `RuntimeError` when it fails or disagrees."""
    argv = [sys.executable, "-m", "experimenter.bench.quantum_peers", name, str(seconds)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"the peer {name} could not be measured: {last}")
    return float(json.loads(done.stdout.strip().splitlines()[-1])["energy_us"])


def random_circuits(qubits: int, count: int) -> list[tuple[Gate, ...]]:
    rng = np.random.default_rng(0)
    return [tuple(_random_gate(rng, qubits) for _ in range(GATES)) for _ in range(count)]


def _random_gate(rng: np.random.Generator, qubits: int) -> Gate:
    kind, qubit = int(rng.integers(4)), int(rng.integers(qubits))
    if kind == CNOT:
        return Gate(kind=kind, qubit=qubit, control=int((qubit + 1 + rng.integers(qubits - 1)) % qubits))
    return Gate(kind=kind, qubit=qubit, angle=float(rng.uniform(-np.pi, np.pi)))


def time_calls(run: Callable[[], object], seconds: float) -> float:
    """Least CPU microseconds of one call, over about `seconds`; the first call (which may compile) is not counted."""
    run()
    best, spent = np.inf, 0.0
    while spent < seconds:
        started = time.process_time()
        run()
        took = time.process_time() - started
        spent, best = spent + took, min(best, took)
    return float(best * 1e6)


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
    model.add_all_qubit_quantum_error(noise.depolarizing_error(SINGLE * 4 / 3, 1), ["rx", "ry", "rz"])
    model.add_all_qubit_quantum_error(noise.depolarizing_error(DOUBLE * 16 / 15, 2), ["cx"])
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

    machine = make_noise(problem.qubits, single_depolarising=SINGLE, double_depolarising=DOUBLE)
    check_equal(run(), energies(make_model(problem, machine), pack(circuits)).tolist(), "Aer")
    return run


def check_equal(theirs: list[float], ours: list[float], peer: str) -> None:
    """Raise `RuntimeError` when a peer's energies are not ours to 1e-8: a ratio of different work means nothing."""
    apart = max(abs(a - b) for a, b in zip(theirs, ours, strict=True))
    if apart > 1e-8:
        raise RuntimeError(f"{peer} and the quantum family disagree by {apart:.1e}: the benchmark is not valid.")


def main(name: str, seconds: float) -> None:
    """Time one peer and print what it took."""
    problem = load_problem("lih-4", 2.2)
    circuits = random_circuits(problem.qubits, _COUNTS[name])
    run = (_qulacs if name == "qulacs" else _aer)(problem, circuits)
    sys.stdout.write(json.dumps({"energy_us": time_calls(run, seconds) / len(circuits)}) + "\n")


if __name__ == "__main__":
    for module in {"qulacs": ("qulacs",), "aer": ("qiskit_aer",)}[sys.argv[1]]:
        import_module(module)
    main(sys.argv[1], float(sys.argv[2]))
