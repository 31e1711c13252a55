"""The vectorised kernels against plain matrices, gate by gate, from one qubit up."""

from __future__ import annotations

import numpy as np
import pytest

from envs.quantum.encoding import mixedness
from envs.quantum.energies import energies, gradients, make_model, state_of
from envs.quantum.gates import CNOT, CZ, RZ, Gate, pack
from envs.quantum.problems import make_problem
from envs.quantum.statevector import Complex128
from envs.quantum.trigonometry import turn_angles
from tests.envs.quantum.circuits import random_circuit

PAULIS = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]


def plain_state(circuit: tuple[Gate, ...], qubits: int, start: int = 0) -> Complex128:
    """By full matrices: qubit q is the q-th factor from the right."""
    psi = np.zeros(2**qubits, dtype=np.complex128)
    psi[start] = 1.0
    for gate in circuit:
        psi = full_matrix(gate, qubits) @ psi
    return psi


def full_matrix(gate: Gate, qubits: int) -> Complex128:
    if gate.kind <= RZ:
        half = gate.angle / 2
        return embed(np.cos(half) * np.eye(2) - 1j * np.sin(half) * PAULIS[gate.kind], gate.qubit, qubits)
    zero, one = embed(np.diag([1, 0]), gate.control, qubits), embed(np.diag([0, 1]), gate.control, qubits)
    return zero + one @ embed(PAULIS[0] if gate.kind == CNOT else PAULIS[2], gate.qubit, qubits)


def embed(matrix: Complex128, qubit: int, qubits: int) -> Complex128:
    whole: Complex128 = np.eye(1, dtype=np.complex128)
    for q in range(qubits):
        whole = np.asarray(np.kron(matrix if q == qubit else np.eye(2), whole), dtype=np.complex128)
    return whole


@pytest.mark.parametrize("qubits", [1, 2, 3, 4, 5, 6])
def test_states_and_energies_equal_full_matrices(qubits: int) -> None:
    rng = np.random.default_rng(qubits)
    circuits = [random_circuit(rng, qubits, int(rng.integers(1, 25)), 3 if qubits == 1 else 5) for _ in range(12)]
    terms = [("".join(rng.choice(list("IXZ"), qubits)), float(rng.normal())) for _ in range(12)]
    problem = make_problem("mixed", terms)
    start = int(rng.integers(2**qubits))
    model, dense = make_model(problem, start=start), problem.matrix.to_dense()
    expected = [plain_state(circuit, qubits, start) for circuit in circuits]
    for circuit, psi in zip(circuits, expected, strict=True):
        assert np.abs(state_of(model, circuit) - psi).max() < 1e-14
    batch = pack(circuits)
    wanted = [float((psi.conj() @ dense @ psi).real) for psi in expected]
    assert energies(model, batch).tolist() == pytest.approx(wanted, abs=1e-12)
    assert gradients(model, batch)[0].tolist() == pytest.approx(wanted, abs=1e-12)


def test_every_pair_of_wires_is_exchanged_as_it_should() -> None:
    # 5 qubits: both within a vector of eight, one, none
    rng = np.random.default_rng(0)
    model = make_model(make_problem("five", [("ZZZZZ", 1.0)]))
    prepare = tuple(Gate(kind=kind, qubit=q, angle=float(rng.normal())) for q in range(5) for kind in (0, 1))
    for control in range(5):
        for target in set(range(5)) - {control}:
            for kind in (CNOT, CZ):
                circuit = (*prepare, Gate(kind=kind, qubit=target, control=control))
                assert np.abs(state_of(model, circuit) - plain_state(circuit, 5)).max() < 1e-14


def test_more_circuits_than_fit_the_cache_and_of_all_lengths() -> None:
    rng = np.random.default_rng(5)
    model = make_model(make_problem("pair", [("ZI", 1.0), ("XX", 0.5)]))
    circuits = [random_circuit(rng, 2, length % 7) for length in range(1200)]
    together = energies(model, pack(circuits))
    alone = [float(energies(model, pack([circuit]))[0]) for circuit in circuits[::97]]
    assert together[::97].tolist() == pytest.approx(alone, abs=1e-13)
    assert len(energies(model, pack([]))) == 0


def test_cosines_and_sines_to_the_last_places() -> None:
    angles = np.concatenate([np.linspace(-1000, 1000, 4001), [0.0, np.pi, -np.pi / 2, 1e-9]])
    cosines, sines = np.empty_like(angles), np.empty_like(angles)
    turn_angles(angles, len(angles), 0.5, cosines, sines)
    assert np.abs(cosines - np.cos(angles / 2)).max() < 5e-16
    assert np.abs(sines - np.sin(angles / 2)).max() < 5e-16


def test_mixedness_by_hand() -> None:
    def flat(*amplitudes: complex) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        whole = np.zeros(8, dtype=np.complex128)
        whole[: len(amplitudes)] = amplitudes
        return np.concatenate([whole.real, whole.imag])

    root = 0.5**0.5
    assert mixedness(flat(root, 0, 0, root), 2) == pytest.approx(1.0)  # a Bell pair
    assert mixedness(flat(0.5, 0.5j, 0.5, 0.5j), 2) == pytest.approx(0.0, abs=1e-15)  # a product
    # cos a |00> + sin a |11>: each qubit's purity is cos^4 + sin^4, so 2 (1 - purity) = sin^2(2 a)
    assert mixedness(flat(np.cos(0.3), 0, 0, np.sin(0.3)), 2) == pytest.approx(np.sin(0.6) ** 2)
