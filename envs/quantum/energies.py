"""Energies and gradients of circuits, noiseless or noisy, one or many in one call: the door to both simulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envs.quantum import pauli_transfer, statevector
from envs.quantum.compiled import kernel
from envs.quantum.gates import CircuitBatch, Gate, pack
from envs.quantum.noise import Noise, blur
from envs.quantum.paulis import Float64, Int32
from envs.quantum.problems import Problem
from envs.quantum.statevector import Complex128


class Model(NamedTuple):
    """A Hamiltonian and a machine as flat arrays, for the kernels."""

    qubits: int
    noisy: bool
    start: int
    """Basis state before the first gate."""
    starts: Int32
    columns: Int32
    values: Float64
    weights: Float64
    """[4^n] of the measured observable, read-out error included; [1] when noiseless."""
    single: Float64
    double: Float64


class Scratch(NamedTuple):
    """Memory that the kernels work in."""

    psi: Complex128
    lam: Complex128
    tape: Float64
    """[gates + 1, 4^n] when noisy."""
    pulled: Float64


def make_model(problem: Problem, noise: Noise | None = None, *, start: int = 0) -> Model:
    """Prepare `problem` for simulation from basis state `start`, under `noise` or without."""
    matrix = problem.matrix
    qubits = problem.qubits
    if noise is None:
        empty = (np.zeros(1), np.ones((qubits, 4)), np.ones((qubits, qubits, 9)))
        return Model(qubits, False, start, matrix.starts, matrix.columns, matrix.values, *empty)
    weights = blur(problem.weights, noise.readout)
    return Model(qubits, True, start, matrix.starts, matrix.columns, matrix.values, weights, noise.single, noise.double)


@kernel
def make_scratch(model: Model, most_gates: int) -> Scratch:
    """Memory for circuits of up to `most_gates` gates."""
    size = 1 << model.qubits
    wide = size * size if model.noisy else 1
    rows = most_gates + 1 if model.noisy else 1
    return Scratch(np.empty(size, np.complex128), np.empty(size, np.complex128), np.empty((rows, wide)), np.empty(wide))


@kernel
def dot(one: Float64, two: Float64) -> float:
    """Inner product (numba's own needs SciPy)."""
    total = 0.0
    for i in range(len(one)):
        total += one[i] * two[i]
    return total


@kernel
def energy_of(
    model: Model, scratch: Scratch, kinds: Int32, qubits: Int32, controls: Int32, angles: Float64, count: int
) -> float:
    """Energy of one circuit."""
    if model.noisy:
        row = pauli_transfer.run_tape(
            scratch.tape, model.start, kinds, qubits, controls, angles, count, model.single, model.double
        )
        return dot(model.weights, scratch.tape[row])
    statevector.run_circuit(scratch.psi, model.start, kinds, qubits, controls, angles, count)
    return statevector.multiply(model.starts, model.columns, model.values, scratch.psi, scratch.lam)


@kernel
def slope_of(
    model: Model,
    scratch: Scratch,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    count: int,
    gradient: Float64,
) -> float:
    """Energy of one circuit, its derivative by every angle written into `gradient` (0 for two-qubit gates)."""
    energy = energy_of(model, scratch, kinds, qubits, controls, angles, count)
    if model.noisy:
        scratch.pulled[:] = model.weights
        pauli_transfer.undo_tape(
            scratch.tape,
            scratch.pulled,
            kinds,
            qubits,
            controls,
            angles,
            count,
            model.single,
            model.double,
            gradient,
        )
    else:
        statevector.undo_circuit(scratch.psi, scratch.lam, kinds, qubits, controls, angles, count, gradient)
    return energy


@kernel
def _all_energies(
    model: Model, kinds: Int32, qubits: Int32, controls: Int32, angles: Float64, lengths: Int32, out: Float64
) -> None:
    scratch = make_scratch(model, kinds.shape[1])
    for b in range(len(lengths)):
        out[b] = energy_of(model, scratch, kinds[b], qubits[b], controls[b], angles[b], lengths[b])


@kernel
def _all_gradients(
    model: Model,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    lengths: Int32,
    out: Float64,
    gradients: Float64,
) -> None:
    scratch = make_scratch(model, kinds.shape[1])
    for b in range(len(lengths)):
        out[b] = slope_of(model, scratch, kinds[b], qubits[b], controls[b], angles[b], lengths[b], gradients[b])


def check_fits(model: Model, batch: CircuitBatch) -> None:
    """Raise `ValueError` when a circuit of `batch` uses a qubit that `model` does not have."""
    used = np.arange(batch.kinds.shape[1]) < batch.lengths[:, None]
    highest = int(np.maximum(batch.qubits, batch.controls)[used].max(initial=-1))
    if highest >= model.qubits:
        raise ValueError(f"a circuit uses qubit {highest}, the Hamiltonian has {model.qubits}, counted from 0.")


def energies(model: Model, batch: CircuitBatch) -> Float64:
    """Energy of each circuit, [B]."""
    check_fits(model, batch)
    out = np.empty(len(batch))
    _all_energies(model, batch.kinds, batch.qubits, batch.controls, batch.angles, batch.lengths, out)
    return out


def gradients(model: Model, batch: CircuitBatch) -> tuple[Float64, Float64]:
    """Energy of each circuit [B] and its derivative by each angle [B, L], exact; 0 where there is no angle."""
    check_fits(model, batch)
    out, slopes = np.empty(len(batch)), np.zeros(batch.angles.shape)
    _all_gradients(model, batch.kinds, batch.qubits, batch.controls, batch.angles, batch.lengths, out, slopes)
    return out, slopes


def state_of(model: Model, circuit: Sequence[Gate]) -> Complex128:
    """Noiseless state vector [2^n] of one circuit."""
    batch = pack([circuit])
    check_fits(model, batch)
    psi = np.empty(1 << model.qubits, dtype=np.complex128)
    statevector.run_circuit(
        psi, model.start, batch.kinds[0], batch.qubits[0], batch.controls[0], batch.angles[0], len(circuit)
    )
    return psi


def coefficients_of(model: Model, circuit: Sequence[Gate]) -> Float64:
    """Pauli coefficients [4^n] of one circuit's state on the noisy machine of `model`, before read-out."""
    batch = pack([circuit])
    check_fits(model, batch)
    tape = np.empty((2, 4**model.qubits))
    row = pauli_transfer.run_tape(
        tape,
        model.start,
        batch.kinds[0],
        batch.qubits[0],
        batch.controls[0],
        batch.angles[0],
        len(circuit),
        model.single,
        model.double,
    )
    return np.asarray(tape[row])


def expectation(terms: Sequence[tuple[str, float]], psi: Complex128) -> float:
    """<psi|O|psi> of a Pauli list."""
    from envs.quantum.paulis import sparse_matrix

    matrix = sparse_matrix(terms)
    return statevector.multiply(matrix.starts, matrix.columns, matrix.values, psi, np.empty_like(psi))
