"""Noisy simulation: the real vector of 4^n Pauli coefficients under local kernels, with reverse-mode gradients.

Entry P of the vector is Tr(P rho). A rotation mixes two of every four entries, a CNOT or CZ permutes blocks of sixteen
with signs, noise scales and shifts (see noise.py), so no matrix is ever built. Every gate writes its result to a new
row of a tape; gradients run back over the tape and need no invertible channel. Kernels only, called by energies.py.
"""

from __future__ import annotations

import numpy as np

from envs.quantum.compiled import kernel
from envs.quantum.paulis import Float64, Int32


@kernel
def start_vector(vector: Float64, start: int, qubits: int) -> None:
    """Pauli coefficients of basis state `start`."""
    vector[:] = 0.0
    for chosen in range(1 << qubits):
        place = 0
        sign = 1.0
        for qubit in range(qubits):
            if chosen >> qubit & 1:
                place += 3 << (2 * qubit)
                if start >> qubit & 1:
                    sign = -sign
        vector[place] = sign


@kernel
def rotate(source: Float64, out: Float64, kind: int, qubit: int, cosine: float, sine: float, channel: Float64) -> None:
    """Rotate about axis `kind` by the angle of `cosine` and `sine`, then pass the local `channel`."""
    step = 1 << (2 * qubit)
    x_scale, y_scale, z_scale, shift = channel[0], channel[1], channel[2], channel[3]
    for base in range(0, len(source), 4 * step):
        for i in range(base, base + step):
            x, y, z = source[i + step], source[i + 2 * step], source[i + 3 * step]
            if kind == 0:
                y, z = cosine * y - sine * z, sine * y + cosine * z
            elif kind == 1:
                z, x = cosine * z - sine * x, sine * z + cosine * x
            else:
                x, y = cosine * x - sine * y, sine * x + cosine * y
            out[i] = source[i]
            out[i + step] = x_scale * x
            out[i + 2 * step] = y_scale * y
            out[i + 3 * step] = z_scale * z + shift * source[i]


@kernel
def rotate_back(
    source: Float64, lam: Float64, kind: int, qubit: int, cosine: float, sine: float, channel: Float64
) -> float:
    """Pull `lam` back through `rotate` in place; return the derivative by the angle, with `source` the vector before."""
    step = 1 << (2 * qubit)
    x_scale, y_scale, z_scale, shift = channel[0], channel[1], channel[2], channel[3]
    total = 0.0
    for base in range(0, len(source), 4 * step):
        for i in range(base, base + step):
            x, y, z = source[i + step], source[i + 2 * step], source[i + 3 * step]
            lx, ly, lz = x_scale * lam[i + step], y_scale * lam[i + 2 * step], lam[i + 3 * step]
            lam[i] += shift * lz
            lz *= z_scale
            if kind == 0:
                total += lz * (cosine * y - sine * z) - ly * (sine * y + cosine * z)
                ly, lz = cosine * ly + sine * lz, cosine * lz - sine * ly
            elif kind == 1:
                total += lx * (cosine * z - sine * x) - lz * (sine * z + cosine * x)
                lz, lx = cosine * lz + sine * lx, cosine * lx - sine * lz
            else:
                total += ly * (cosine * x - sine * y) - lx * (sine * x + cosine * y)
                lx, ly = cosine * lx + sine * ly, cosine * ly - sine * lx
            lam[i + step], lam[i + 2 * step], lam[i + 3 * step] = lx, ly, lz
    return total


@kernel
def entangle(source: Float64, out: Float64, kind: int, c: int, t: int, f: float, low: int, high: int) -> None:
    """CNOT (`kind` 3) or CZ, all Paulis of the pair then scaled by `f`; `c`, `t` are 4^control, 4^target, `low` < `high` them."""
    for outer in range(0, len(source), 4 * high):
        for middle in range(outer, outer + high, 4 * low):
            for i in range(middle, middle + low):
                out[i] = source[i]
                out[i + 3 * c] = f * source[i + 3 * c]
                if kind == 3:
                    out[i + t] = f * source[i + t]
                    out[i + 3 * c + t] = f * source[i + 3 * c + t]
                    _swap(source, out, i + 2 * t, i + 3 * c + 2 * t, f)
                    _swap(source, out, i + 3 * t, i + 3 * c + 3 * t, f)
                    _swap(source, out, i + c, i + c + t, f)
                    _swap(source, out, i + 2 * c, i + 2 * c + t, f)
                    _swap(source, out, i + c + 2 * t, i + 2 * c + 3 * t, f)
                    _swap(source, out, i + c + 3 * t, i + 2 * c + 2 * t, -f)
                else:
                    out[i + 3 * t] = f * source[i + 3 * t]
                    out[i + 3 * c + 3 * t] = f * source[i + 3 * c + 3 * t]
                    _swap(source, out, i + t, i + 3 * c + t, f)
                    _swap(source, out, i + 2 * t, i + 3 * c + 2 * t, f)
                    _swap(source, out, i + c, i + c + 3 * t, f)
                    _swap(source, out, i + 2 * c, i + 2 * c + 3 * t, f)
                    _swap(source, out, i + c + t, i + 2 * c + 2 * t, f)
                    _swap(source, out, i + c + 2 * t, i + 2 * c + t, -f)


@kernel
def _swap(source: Float64, out: Float64, one: int, two: int, factor: float) -> None:
    out[one], out[two] = factor * source[two], factor * source[one]


@kernel
def blend(vector: Float64, qubit: int, channel: Float64) -> None:
    """Pass a local channel in place."""
    if channel[0] == 1.0 and channel[1] == 1.0 and channel[2] == 1.0 and channel[3] == 0.0:
        return
    step = 1 << (2 * qubit)
    for base in range(0, len(vector), 4 * step):
        for i in range(base, base + step):
            vector[i + step] *= channel[0]
            vector[i + 2 * step] *= channel[1]
            vector[i + 3 * step] = channel[2] * vector[i + 3 * step] + channel[3] * vector[i]


@kernel
def blend_back(lam: Float64, qubit: int, channel: Float64) -> None:
    """Pull `lam` back through `blend` in place."""
    if channel[0] == 1.0 and channel[1] == 1.0 and channel[2] == 1.0 and channel[3] == 0.0:
        return
    step = 1 << (2 * qubit)
    for base in range(0, len(lam), 4 * step):
        for i in range(base, base + step):
            lam[i] += channel[3] * lam[i + 3 * step]
            lam[i + step] *= channel[0]
            lam[i + 2 * step] *= channel[1]
            lam[i + 3 * step] *= channel[2]


@kernel
def run_tape(
    tape: Float64,
    start: int,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    cosines: Float64,
    sines: Float64,
    count: int,
    single: Float64,
    double: Float64,
) -> int:
    """Run `count` gates over the rows of `tape` (modulo their number); return the row of the result."""
    rows = len(tape)
    start_vector(tape[0], start, len(single))
    for g in range(count):
        source, out = tape[g % rows], tape[(g + 1) % rows]
        q, c = qubits[g], controls[g]
        if kinds[g] <= 2:
            rotate(source, out, kinds[g], q, cosines[g], sines[g], single[q])
        else:
            pair = double[c, q]
            entangle(
                source, out, kinds[g], 1 << (2 * c), 1 << (2 * q), pair[0], 1 << (2 * min(c, q)), 1 << (2 * max(c, q))
            )
            blend(out, c, pair[1:5])
            blend(out, q, pair[5:9])
    return count % rows


@kernel
def undo_tape(
    tape: Float64,
    lam: Float64,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    cosines: Float64,
    sines: Float64,
    count: int,
    single: Float64,
    double: Float64,
    gradient: Float64,
) -> None:
    """Pull the observable `lam` back over a full tape, writing the derivative by each angle into `gradient`."""
    spare = np.empty_like(lam)
    for back in range(count):
        g = count - 1 - back
        q, c = qubits[g], controls[g]
        gradient[g] = 0.0
        if kinds[g] <= 2:
            cosine, sine = cosines[g], sines[g]
            gradient[g] = rotate_back(tape[g], lam, kinds[g], q, cosine, sine, single[q])
        else:
            pair = double[c, q]
            blend_back(lam, q, pair[5:9])
            blend_back(lam, c, pair[1:5])
            # CNOT and CZ permute symmetrically, so the transpose is the gate itself
            entangle(
                lam, spare, kinds[g], 1 << (2 * c), 1 << (2 * q), pair[0], 1 << (2 * min(c, q)), 1 << (2 * max(c, q))
            )
            lam[:] = spare
