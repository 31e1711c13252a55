"""Noiseless simulation: state vector, energy under a real sparse Hamiltonian, exact adjoint gradients.

Kernels only, called by energies.py. One rotation touches each pair of amplitudes once; the adjoint method runs the circuit
backwards with the state and H times the state, so all gradients cost about three energies (Jones and Gacon 2020,
arXiv:2009.02823).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.quantum.compiled import kernel
from envs.quantum.paulis import Float64, Int32

Complex128 = NDArray[np.complex128]


@kernel
def apply_gate(psi: Complex128, kind: int, qubit: int, control: int, cosine: float, sine: float) -> None:
    """Apply one gate to `psi` in place; `cosine` and `sine` are of half the angle."""
    step = 1 << qubit
    below = step - 1
    if kind == 0:
        for pair in range(len(psi) >> 1):
            low = ((pair & ~below) << 1) | (pair & below)
            zero, one = psi[low], psi[low + step]
            psi[low] = complex(cosine * zero.real + sine * one.imag, cosine * zero.imag - sine * one.real)
            psi[low + step] = complex(cosine * one.real + sine * zero.imag, cosine * one.imag - sine * zero.real)
    elif kind == 1:
        for pair in range(len(psi) >> 1):
            low = ((pair & ~below) << 1) | (pair & below)
            zero, one = psi[low], psi[low + step]
            psi[low] = complex(cosine * zero.real - sine * one.real, cosine * zero.imag - sine * one.imag)
            psi[low + step] = complex(cosine * one.real + sine * zero.real, cosine * one.imag + sine * zero.imag)
    elif kind == 2:
        for pair in range(len(psi) >> 1):
            low = ((pair & ~below) << 1) | (pair & below)
            zero, one = psi[low], psi[low + step]
            psi[low] = complex(cosine * zero.real + sine * zero.imag, cosine * zero.imag - sine * zero.real)
            psi[low + step] = complex(cosine * one.real - sine * one.imag, cosine * one.imag + sine * one.real)
    else:
        entangle(psi, kind, step, 1 << control)


@kernel
def entangle(psi: Complex128, kind: int, target: int, control: int) -> None:
    """CNOT (`kind` 3) or CZ in place; `target` and `control` are 2^qubit."""
    near, far = min(target, control) - 1, max(target, control) - 1
    for block in range(len(psi) >> 2):
        low = ((block & ~near) << 1) | (block & near)
        low = (((low & ~far) << 1) | (low & far)) + control
        if kind == 3:
            psi[low], psi[low + target] = psi[low + target], psi[low]
        else:
            psi[low + target] = -psi[low + target]


@kernel
def run_circuit(
    psi: Complex128, start: int, kinds: Int32, qubits: Int32, controls: Int32, angles: Float64, count: int
) -> None:
    """Write into `psi` the state after the first `count` gates from basis state `start`."""
    psi[:] = 0.0
    psi[start] = 1.0
    for g in range(count):
        if kinds[g] > 2:
            entangle(psi, kinds[g], 1 << qubits[g], 1 << controls[g])
        else:
            half = 0.5 * angles[g]
            apply_gate(psi, kinds[g], qubits[g], controls[g], math.cos(half), math.sin(half))


@kernel
def multiply(starts: Int32, columns: Int32, values: Float64, psi: Complex128, out: Complex128) -> float:
    """Write H psi into `out`; return <psi|H|psi>."""
    energy = 0.0
    for row in range(len(psi)):
        real, imag = 0.0, 0.0
        for k in range(starts[row], starts[row + 1]):
            amplitude = psi[columns[k]]
            real += values[k] * amplitude.real
            imag += values[k] * amplitude.imag
        out[row] = complex(real, imag)
        energy += psi[row].real * real + psi[row].imag * imag
    return energy


@kernel
def slope(psi: Complex128, lam: Complex128, kind: int, qubit: int) -> float:
    """Im <lam|P|psi>: the derivative of the energy by the angle of a rotation that has just been applied."""
    step = 1 << qubit
    below = step - 1
    total = 0.0
    for pair in range(len(psi) >> 1):
        low = ((pair & ~below) << 1) | (pair & below)
        zero, one = psi[low], psi[low + step]
        left, right = lam[low], lam[low + step]
        if kind == 0:
            total += left.real * one.imag - left.imag * one.real
            total += right.real * zero.imag - right.imag * zero.real
        elif kind == 1:  # Y|0> = i|1>, Y|1> = -i|0>
            total += right.imag * zero.imag + right.real * zero.real
            total -= left.imag * one.imag + left.real * one.real
        else:
            total += left.real * zero.imag - left.imag * zero.real
            total -= right.real * one.imag - right.imag * one.real
    return total


@kernel
def undo_circuit(
    psi: Complex128,
    lam: Complex128,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    count: int,
    gradient: Float64,
) -> None:
    """Run backwards from `psi` and `lam` = H psi, writing the energy's derivative by each angle into `gradient`."""
    for back in range(count):
        g = count - 1 - back
        half = -0.5 * angles[g]
        cosine, sine = math.cos(half), math.sin(half)
        gradient[g] = 0.0
        if kinds[g] <= 2:
            gradient[g] = slope(psi, lam, kinds[g], qubits[g])
        apply_gate(psi, kinds[g], qubits[g], controls[g], cosine, sine)
        apply_gate(lam, kinds[g], qubits[g], controls[g], cosine, sine)
