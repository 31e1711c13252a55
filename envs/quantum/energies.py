"""Energies and gradients of circuits, noiseless or noisy, one or many in one call: the door to both simulators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envs.quantum import pauli_transfer, statevector
from envs.quantum.compiled import kernel, quick
from envs.quantum.gates import CircuitBatch, Gate, pack
from envs.quantum.noise import Noise, blur
from envs.quantum.paulis import Float64, Int32, SparseMatrix, Term, sparse_matrix
from envs.quantum.problems import Problem
from envs.quantum.statevector import Complex128
from envs.quantum.trigonometry import turn_angles


class Model(NamedTuple):
    """A Hamiltonian and a machine as flat arrays, for the kernels."""

    qubits: int
    noisy: bool
    start: int
    """Basis state before the first gate."""
    size: int
    """Amplitudes kept: 2^n, at least 8 (the further ones stay 0)."""
    blocks: Float64
    """[K * 64] the blocks of 8 by 8 of the Hamiltonian that are not all 0, each column by column."""
    rows: Int32
    """[K] first row of each block."""
    columns: Int32
    """[K] first column of each block."""
    weights: Float64
    """[4^n] of the measured observable, read-out error included; [1] when noiseless."""
    single: Float64
    double: Float64


class Scratch(NamedTuple):
    """Memory that the kernels work in."""

    psi: Float64
    """[2 size] real parts, then imaginary parts."""
    lam: Float64
    cosines: Float64
    """[1, gates] of half the angles, or of the angles when noisy."""
    sines: Float64
    tape: Float64
    """[gates + 1, 4^n] when noisy."""
    pulled: Float64


def make_model(problem: Problem, noise: Noise | None = None, *, start: int = 0) -> Model:
    """Prepare `problem` for simulation from basis state `start`, under `noise` or without."""
    qubits = problem.qubits
    size = max(8, 1 << qubits)
    matrix = _cut(problem.matrix, size)
    if noise is None:
        return Model(
            qubits, False, start, size, *matrix, np.zeros(1), np.ones((qubits, 4)), np.ones((qubits,) * 2 + (9,))
        )
    weights = blur(problem.weights, noise.readout)
    return Model(qubits, True, start, size, *matrix, weights, noise.single, noise.double)


def _cut(matrix: SparseMatrix, size: int) -> tuple[Float64, Int32, Int32]:
    """Blocks of 8 by 8 [K * 64], their first rows and columns; neighbours lie in different rows, so that they overlap."""
    rows = np.repeat(np.arange(len(matrix.starts) - 1), np.diff(matrix.starts))
    across = size // 8
    places = (matrix.columns // 8) * across + rows // 8
    kept, index = np.unique(places, return_inverse=True)
    blocks = np.zeros((len(kept), 8, 8))
    np.add.at(blocks, (index, matrix.columns % 8, rows % 8), matrix.values)
    first_rows, first_columns = 8 * (kept % across), 8 * (kept // across)
    return blocks.reshape(-1), first_rows.astype(np.int32), first_columns.astype(np.int32)


@kernel
def make_scratch(model: Model, most_gates: int) -> Scratch:
    """Memory for circuits of up to `most_gates` gates."""
    wide = 1 << (2 * model.qubits) if model.noisy else 1
    rows = most_gates + 1 if model.noisy else 1
    return Scratch(
        statevector.make_states(1, model.size),
        statevector.make_states(1, model.size),
        np.empty((1, most_gates)),
        np.empty((1, most_gates)),
        np.empty((rows, wide)),
        np.empty(wide),
    )


@quick
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
    """Energy of one circuit; leaves its state in `scratch`."""
    turns = scratch.cosines, scratch.sines
    turn_angles(angles, count, 1.0 if model.noisy else 0.5, turns[0][0], turns[1][0])
    if model.noisy:
        row = pauli_transfer.run_tape(
            scratch.tape,
            model.start,
            kinds,
            qubits,
            controls,
            turns[0][0],
            turns[1][0],
            count,
            model.single,
            model.double,
        )
        return dot(model.weights, scratch.tape[row])
    statevector.run_circuit(scratch.psi, model.size, model.start, kinds, qubits, controls, count, turns[0], turns[1])
    statevector.multiply(model.blocks, model.rows, model.columns, scratch.psi, scratch.lam)
    return dot(scratch.psi, scratch.lam)


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
            scratch.cosines[0],
            scratch.sines[0],
            count,
            model.single,
            model.double,
            gradient,
        )
    else:
        statevector.undo_circuit(
            scratch.psi, scratch.lam, kinds, qubits, controls, count, scratch.cosines, scratch.sines, gradient
        )
    return energy


@kernel
def _all_energies(
    model: Model, kinds: Int32, qubits: Int32, controls: Int32, angles: Float64, lengths: Int32, out: Float64
) -> None:
    if not model.noisy:
        _clean_energies(model, kinds, qubits, controls, angles, lengths, out)
        return
    scratch = make_scratch(model, kinds.shape[1])
    for b in range(len(lengths)):
        out[b] = energy_of(model, scratch, kinds[b], qubits[b], controls[b], angles[b], lengths[b])


@kernel
def _clean_energies(
    model: Model, kinds: Int32, qubits: Int32, controls: Int32, angles: Float64, lengths: Int32, out: Float64
) -> None:
    """Noiseless energies, as many circuits together as fit the nearest cache."""
    size, most = model.size, min(statevector.chunk_of(model.size), max(len(lengths), 1))
    states, lam = statevector.make_states(most, size), statevector.make_states(1, size)
    width = kinds.shape[1]
    cosines, sines = np.empty((most, width)), np.empty((most, width))
    for first in range(0, len(lengths), most):
        last = min(first + most, len(lengths))
        flat = angles[first:last].reshape(-1)
        turn_angles(flat, len(flat), 0.5, cosines.reshape(-1), sines.reshape(-1))
        part = kinds[first:last], qubits[first:last], controls[first:last], lengths[first:last]
        statevector.run_circuits(states, size, model.start, model.qubits, *part, cosines, sines)
        for b in range(first, last):
            psi = states[2 * size * (b - first) : 2 * size * (b - first + 1)]
            statevector.multiply(model.blocks, model.rows, model.columns, psi, lam)
            out[b] = dot(psi, lam)


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


@kernel
def _highest(qubits: Int32, controls: Int32, lengths: Int32) -> int:
    """Highest qubit in use; far beyond any when a number is negative or a circuit longer than its row."""
    highest = -1
    for b in range(len(lengths)):
        if lengths[b] > qubits.shape[1]:
            return 99
        for g in range(lengths[b]):
            highest = max(highest, qubits[b, g], controls[b, g], 99 if qubits[b, g] < 0 else -1)
    return highest


def check_fits(model: Model, batch: CircuitBatch) -> None:
    """Raise `ValueError` when a circuit of `batch` uses a qubit that `model` does not have."""
    highest = _highest(batch.qubits, batch.controls, batch.lengths)
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
    psi = np.empty((2, model.size))
    cosines, sines = np.cos(0.5 * batch.angles), np.sin(0.5 * batch.angles)
    row = batch.kinds[0], batch.qubits[0], batch.controls[0], len(circuit)
    statevector.run_circuit(psi.reshape(-1), model.size, model.start, *row, cosines, sines)
    return np.asarray((psi[0] + 1j * psi[1])[: 1 << model.qubits])


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
        np.cos(batch.angles[0]),
        np.sin(batch.angles[0]),
        len(circuit),
        model.single,
        model.double,
    )
    return np.asarray(tape[row])


def expectation(terms: Sequence[Term], psi: Complex128) -> float:
    """<psi|O|psi> of a Pauli list."""
    matrix = sparse_matrix(terms)
    rows = np.repeat(np.arange(len(psi)), np.diff(matrix.starts))
    return float(np.sum(matrix.values * (psi[rows].conj() * psi[matrix.columns]).real))
