"""Compare the noisy simulator with Qiskit Aer: `python -m tests.envs.quantum.aer_check` prints one JSON object.

Random circuits of 2 to 6 qubits under every kind of noise, read-out error included, and the models that Aer derives from
two fake back-ends, as the whole density matrix's energy. Needs qiskit-aer, and qiskit-ibm-runtime for the back-ends.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

warnings.simplefilter("ignore")
AER: Any = import_module("qiskit_aer")  # first: it wants its own OpenMP

import numpy as np  # noqa: E402

from envs.quantum.devices import load_device, median_noise  # noqa: E402
from envs.quantum.energies import energies, make_model  # noqa: E402
from envs.quantum.gates import CNOT, CZ, Gate, pack  # noqa: E402
from envs.quantum.noise import (  # noqa: E402
    Noise,
    amplitude_damping,
    bit_flip,
    make_noise,
    phase_flip,
    thermal_relaxation,
)
from envs.quantum.paulis import Term  # noqa: E402
from envs.quantum.problems import make_problem  # noqa: E402
from tests.envs.quantum.circuits import random_circuit  # noqa: E402

errors: Any = import_module("qiskit_aer.noise")
qiskit: Any = import_module("qiskit")
info: Any = import_module("qiskit.quantum_info")
ONE, TWO = ["rx", "ry", "rz"], ["cx", "cz"]


def random_terms(rng: np.random.Generator, qubits: int) -> list[Term]:
    listed: dict[str, float] = {}
    while len(listed) < 12:
        letters = "".join(rng.choice(list("IXYZ"), qubits))
        if letters.count("Y") % 2 == 0:
            listed[letters] = float(rng.normal())
        if len(listed) >= 4**qubits // 3:
            break
    return list(listed.items())


def aer_energy(
    circuit: tuple[Gate, ...], qubits: int, terms: list[Term], model: Any, readout: tuple[float, float]
) -> float:
    made = qiskit.QuantumCircuit(qubits)
    for gate in circuit:
        if gate.is_rotation:
            (made.rx, made.ry, made.rz)[gate.kind](gate.angle, gate.qubit)
        else:
            {CNOT: made.cx, CZ: made.cz}[gate.kind](gate.control, gate.qubit)
    made.save_density_matrix()
    simulator = AER.AerSimulator(method="density_matrix", noise_model=model)
    rho = np.asarray(simulator.run(made, shots=1, optimization_level=0).result().data()["density_matrix"])
    total = 0.0
    for letters, weight in terms:
        operator = np.eye(1)
        for letter in letters:
            matrix = info.Pauli(letter).to_matrix()
            if letter != "I":  # what is read: (1 - p01 - p10) P + (p10 - p01) I
                matrix = (1 - sum(readout)) * matrix + (readout[1] - readout[0]) * np.eye(2)
            operator = np.kron(matrix, operator)
        total += weight * float(np.trace(operator @ rho).real)
    return total


def kinds_of_noise() -> list[tuple[str, dict[str, Any], Any, Any]]:
    """Name, our noise, Aer's error after a rotation, Aer's after a two-qubit gate."""
    relax = errors.thermal_relaxation_error
    return [
        (
            "depolarising",
            {"single_depolarising": 0.01, "double_depolarising": 0.04},
            errors.depolarizing_error(0.01 * 4 / 3, 1),
            errors.depolarizing_error(0.04 * 16 / 15, 2),
        ),
        ("bit flip", {"single": bit_flip(0.02), "double": bit_flip(0.05)}, *twice(lambda p: errors.pauli_error([("X", p), ("I", 1 - p)]), 0.02, 0.05)),
        ("phase flip", {"single": phase_flip(0.02), "double": phase_flip(0.05)}, *twice(lambda p: errors.pauli_error([("Z", p), ("I", 1 - p)]), 0.02, 0.05)),
        ("damping", {"single": amplitude_damping(0.03), "double": amplitude_damping(0.08)}, *twice(errors.amplitude_damping_error, 0.03, 0.08)),
        (
            "relaxation",
            {"single": thermal_relaxation(0.03, 1.0, 0.8, 0.1), "double": thermal_relaxation(0.2, 1.0, 0.8, 0.1)},
            *twice(lambda time: relax(1.0, 0.8, time, 0.1), 0.03, 0.2),
        ),
    ]  # fmt: skip


def twice(make: Any, one: float, two: float) -> tuple[Any, Any]:
    return make(one), make(two).tensor(make(two))


def run_circuits(per_kind: int = 12) -> tuple[int, float]:
    rng = np.random.default_rng(3)
    apart, readout = [], (0.02, 0.05)
    for _, ours, single, double in kinds_of_noise():
        model = errors.NoiseModel(basis_gates=ONE + TWO)
        model.add_all_qubit_quantum_error(single, ONE)
        model.add_all_qubit_quantum_error(double, TWO)
        for index in range(per_kind):
            qubits = 2 + index % 5
            circuit, terms = random_circuit(rng, qubits, 20), random_terms(rng, qubits)
            noise = make_noise(qubits, readout=readout, **ours)
            found = energies(make_model(make_problem("random", terms), noise), pack([circuit]))[0]
            apart.append(abs(found - aer_energy(circuit, qubits, terms, model, readout)))
    return len(apart), float(max(apart))


def run_devices() -> tuple[int, float]:
    """The errors that `NoiseModel.from_backend` derives for sx and cx, put on our rotations and CNOTs."""
    provider: Any = import_module("qiskit_ibm_runtime.fake_provider")
    rng = np.random.default_rng(4)
    apart = []
    for name, chosen in (("FakeMumbaiV2", (0, 1, 2, 3)), ("FakeOurenseV2", (0, 1, 2, 3))):
        backend = getattr(provider, name)()
        full = errors.NoiseModel.from_backend(backend, readout_error=False, temperature=0)
        model = errors.NoiseModel(basis_gates=ONE + TWO)
        known = full._local_quantum_errors
        for place, qubit in enumerate(chosen):
            model.add_quantum_error(known["sx"][(qubit,)], ONE, [place])
        pairs = [(a, b) for a in range(4) for b in range(4) if (chosen[a], chosen[b]) in known["cx"]]
        for a, b in pairs:
            model.add_quantum_error(known["cx"][(chosen[a], chosen[b])], ["cx"], [a, b])
        device = load_device(name, chosen)
        ours = Noise(device.single, device.double, np.zeros((4, 2)))
        for _ in range(4):
            circuit = tuple(
                gate
                for gate in random_circuit(rng, 4, 60, 4)
                if gate.is_rotation or (gate.control, gate.qubit) in pairs
            )
            terms = random_terms(rng, 4)
            found = energies(make_model(make_problem("random", terms), ours), pack([circuit]))[0]
            apart.append(abs(found - aer_energy(circuit, 4, terms, model, (0.0, 0.0))))
        assert median_noise(name[4:-2].lower(), 4).single.shape == ours.single.shape
    return 2, float(max(apart))


if __name__ == "__main__":
    circuits, worst = run_circuits()
    told: dict[str, float] = {"circuits": circuits, "worst": worst}
    if find_spec("qiskit_ibm_runtime"):
        told["devices"], told["worst_device"] = run_devices()
    sys.stdout.write(json.dumps(told) + "\n")
