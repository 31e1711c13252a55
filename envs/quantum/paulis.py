"""Pauli lists: parsing, digests, real sparse matrices and weight vectors. It builds no Hamiltonian of its own.

A Pauli string has one letter a qubit, the first letter for qubit 0. Qubit q is bit q of a basis state's index (little
endian), and digit q in base 4 (I, X, Y, Z = 0, 1, 2, 3) of a Pauli string's index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Term = tuple[str, float]
"""A Pauli string and its real coefficient."""

LETTERS = "IXYZ"
_TINY = 1e-14


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A real symmetric matrix by rows: row i holds `values[starts[i]:starts[i+1]]` in `columns` of the same slice."""

    starts: Int32
    columns: Int32
    values: Float64

    def to_dense(self) -> Float64:
        """Dense [2^n, 2^n]."""
        size = len(self.starts) - 1
        dense = np.zeros((size, size))
        rows = np.repeat(np.arange(size), np.diff(self.starts))
        dense[rows, self.columns] = self.values
        return dense


def digest_terms(terms: Sequence[Term]) -> str:
    """SHA-256 (64 hexadecimal characters) of the sorted list, coefficients to 10 decimals."""
    lines = sorted([letters, f"{value:.10f}"] for letters, value in terms)
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def check_terms(terms: Sequence[Term]) -> int:
    """Return the number of qubits; raise `ValueError` on an empty list, unequal lengths, other letters or an odd number of Y."""
    if not terms:
        raise ValueError("a Hamiltonian needs at least one Pauli term, got none.")
    qubits = len(terms[0][0])
    for letters, value in terms:
        if len(letters) != qubits or set(letters) - set(LETTERS):
            raise ValueError(f"Pauli string {letters!r} is not {qubits} letters out of I, X, Y, Z.")
        if letters.count("Y") % 2 and abs(value) > _TINY:
            raise ValueError(f"Pauli string {letters!r} has an odd number of Y: only real Hamiltonians are simulated.")
    return qubits


def weigh(terms: Sequence[Term]) -> Float64:
    """Coefficients as a vector over all 4^n Pauli strings."""
    weights = np.zeros(4 ** len(terms[0][0]))
    for letters, value in terms:
        weights[index_of(letters)] += value
    return weights


def index_of(letters: str) -> int:
    """Base-4 index of a Pauli string, qubit 0 the lowest digit."""
    return sum(LETTERS.index(letter) << (2 * qubit) for qubit, letter in enumerate(letters))


def sparse_matrix(terms: Sequence[Term]) -> SparseMatrix:
    """The terms' sum as a real sparse matrix, zeros dropped."""
    qubits = check_terms(terms)
    size = 1 << qubits
    by_flip: dict[int, Float64] = {}
    rows = np.arange(size)
    for letters, value in terms:
        flip = sum(1 << q for q, letter in enumerate(letters) if letter in "XY")
        signs = sum(1 << q for q, letter in enumerate(letters) if letter in "YZ")
        # <row|P|row^flip> = (-i)^(number of Y) (-1)^(bits of column under Y and Z) up to the Y's own bits: real for an even number of Y
        column = rows ^ flip
        phase = (1j ** letters.count("Y")).real
        parity = np.bitwise_count((column & signs).astype(np.uint64)) & 1
        band = value * phase * (1.0 - 2.0 * parity)
        by_flip[flip] = by_flip.get(flip, np.zeros(size)) + band
    return _collect(by_flip, size)


def _collect(by_flip: dict[int, Float64], size: int) -> SparseMatrix:
    flips = np.array(sorted(by_flip), dtype=np.int64)
    values = np.stack([by_flip[int(flip)] for flip in flips], axis=1)
    columns = np.arange(size)[:, None] ^ flips[None, :]
    kept = np.abs(values) > _TINY
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    return SparseMatrix(starts, columns[kept].astype(np.int32), values[kept])
