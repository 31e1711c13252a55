"""Noiseless simulation: state vectors, energies under a real sparse Hamiltonian, exact adjoint gradients.

Kernels only, called by energies.py. One rotation touches each pair of amplitudes once; the adjoint method runs the circuit
backwards with the state and H times the state, so all gradients cost about three energies (Jones and Gacon 2020,
arXiv:2009.02823). States lie one after the other in one flat array, 2 * size doubles each (see amplitude_steps.py); many
circuits are run gate by gate, those with the same gate together, so that the processor never guesses what comes next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.quantum.amplitude_steps import ACCUMULATE, EXCHANGE, FLIP, NOT, TURN, UNDO
from envs.quantum.compiled import inlined, kernel
from envs.quantum.paulis import Float64, Int32

Complex128 = NDArray[np.complex128]
_CHUNK_BYTES, _MOST_MEMBERS = 131072, 512


_turn_0, _turn_1, _turn_2, _turn_far = TURN
_undo_0, _undo_1, _undo_2, _undo_far = UNDO
(_, _flip_01, _flip_02), (_flip_10, _, _flip_12), (_flip_20, _flip_21, _) = FLIP
_not_0, _not_1, _not_2 = NOT
_exchange_0, _exchange_1, _exchange_2, _exchange_all = EXCHANGE


@inlined
def _turn(states: Float64, at: int, size: int, qubit: int, c: float, s: float, x: float, y: float, z: float) -> None:
    """Rotate one state, which starts at `at`, about the axis (x, y, z)."""
    low, end = at, at + size
    if qubit == 0:
        while low < end:
            _turn_0(states, states, low, low, size, c, s, x, y, z)
            low += 8
    elif qubit == 1:
        while low < end:
            _turn_1(states, states, low, low, size, c, s, x, y, z)
            low += 8
    elif qubit == 2:
        while low < end:
            _turn_2(states, states, low, low, size, c, s, x, y, z)
            low += 8
    else:
        step = 1 << qubit
        while low < end:
            _turn_far(states, states, low, low + step, size, c, s, x, y, z)
            low += 8
            if (low - at) & step:
                low += step


@inlined
def _undo(psi: Float64, lam: Float64, size: int, kind: int, qubit: int, c: float, s: float) -> float:
    """Turn back psi and lam; return the energy's derivative by the angle."""
    x, y, z = 1.0 if kind == 0 else 0.0, 1.0 if kind == 1 else 0.0, 1.0 if kind == 2 else 0.0
    low, total = 0, 0.0
    if qubit == 0:
        while low < size:
            total += _undo_0(psi, lam, low, low, size, c, -s, x, y, z)
            low += 8
    elif qubit == 1:
        while low < size:
            total += _undo_1(psi, lam, low, low, size, c, -s, x, y, z)
            low += 8
    elif qubit == 2:
        while low < size:
            total += _undo_2(psi, lam, low, low, size, c, -s, x, y, z)
            low += 8
    else:
        step = 1 << qubit
        while low < size:
            total += _undo_far(psi, lam, low, low + step, size, c, -s, x, y, z)
            low += 8
            if low & step:
                low += step
    return total


@inlined
def _flip(states: Float64, low: int, size: int, target: int, control: int) -> None:
    """CNOT of two of the qubits 0 to 2 on eight amplitudes."""
    if control == 0:
        if target == 1:
            _flip_01(states, low, low, size)
        else:
            _flip_02(states, low, low, size)
    elif control == 1:
        if target == 0:
            _flip_10(states, low, low, size)
        else:
            _flip_12(states, low, low, size)
    elif target == 0:
        _flip_20(states, low, low, size)
    else:
        _flip_21(states, low, low, size)


@inlined
def _exchange(states: Float64, low: int, size: int, target: int, control: int) -> None:
    """CNOT with a target beyond qubit 2 on eight amplitudes and their partners."""
    if control == 0:
        _exchange_0(states, low, low + target, size)
    elif control == 1:
        _exchange_1(states, low, low + target, size)
    elif control == 2:
        _exchange_2(states, low, low + target, size)
    else:
        _exchange_all(states, low, low + target, size)


@kernel
def entangle(states: Float64, at: int, size: int, kind: int, target: int, control: int) -> None:
    """CNOT (`kind` 3) or CZ on the state that starts at `at`."""
    wanted = 1 << control if control > 2 else 0
    flipped = 1 << target
    for place in range(0, size, 8):
        low = at + place
        if kind == 4:
            both = flipped | (1 << control)
            for i in range(place, place + 8):
                if i & both == both:
                    states[at + i] = -states[at + i]
                    states[at + size + i] = -states[at + size + i]
        elif place & wanted != wanted:
            continue
        elif target > 2:
            if place & flipped == 0:
                _exchange(states, low, size, flipped, control)
        elif control <= 2:
            _flip(states, low, size, target, control)
        elif target == 0:
            _not_0(states, low, low, size)
        elif target == 1:
            _not_1(states, low, low, size)
        else:
            _not_2(states, low, low, size)


@kernel
def run_circuit(
    psi: Float64,
    size: int,
    start: int,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    count: int,
    cosines: Float64,
    sines: Float64,
) -> None:
    """Write into `psi` [2 size] the state after the first `count` gates from basis state `start`."""
    psi[:] = 0.0
    psi[start] = 1.0
    for g in range(count):
        if kinds[g] > 2:
            entangle(psi, 0, size, kinds[g], qubits[g], controls[g])
        else:
            x, y, z = 1.0 if kinds[g] == 0 else 0.0, 1.0 if kinds[g] == 1 else 0.0, 1.0 if kinds[g] == 2 else 0.0
            _turn(psi, 0, size, qubits[g], cosines[0, g], sines[0, g], x, y, z)


@kernel
def run_circuits(
    states: Float64,
    size: int,
    start: int,
    wires: int,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    lengths: Int32,
    cosines: Float64,
    sines: Float64,
) -> None:
    """The same for B circuits [B, L] over `wires` qubits, states in `states` [B * 2 size]."""
    count = len(lengths)
    members = np.empty(count, np.int32)
    keys = np.empty((lengths.max(), count), np.int32)
    ends = np.empty(3 * wires + 2 * wires * wires + 1, np.int32)
    states[: 2 * size * count] = 0.0
    for b in range(count):
        states[2 * size * b + start] = 1.0
    _name_gates(wires, kinds, qubits, controls, lengths, keys)
    for g in range(len(keys)):
        _sort(keys[g], members, ends)
        first = 0
        for key in range(len(ends) - 1):
            last = ends[key]
            if last > first:
                _apply(states, size, kinds, qubits, controls, members, first, last, g, cosines, sines)
            first = last


@inlined
def _apply(
    states: Float64,
    size: int,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    members: Int32,
    first: int,
    last: int,
    g: int,
    cosines: Float64,
    sines: Float64,
) -> None:
    """Apply gate `g`, which the circuits `members[first:last]` share."""
    kind, qubit, control = kinds[members[first], g], qubits[members[first], g], controls[members[first], g]
    if kind == 0:
        for j in range(first, last):
            m = members[j]
            _turn(states, 2 * size * m, size, qubit, cosines[m, g], sines[m, g], 1.0, 0.0, 0.0)
    elif kind == 1:
        for j in range(first, last):
            m = members[j]
            _turn(states, 2 * size * m, size, qubit, cosines[m, g], sines[m, g], 0.0, 1.0, 0.0)
    elif kind == 2:
        for j in range(first, last):
            m = members[j]
            _turn(states, 2 * size * m, size, qubit, cosines[m, g], sines[m, g], 0.0, 0.0, 1.0)
    else:
        for j in range(first, last):
            entangle(states, 2 * size * members[j], size, kind, qubit, control)


@kernel
def _name_gates(wires: int, kinds: Int32, qubits: Int32, controls: Int32, lengths: Int32, keys: Int32) -> None:
    """Number the gates so that equal gates have equal `keys` [L, B]; gates beyond a circuit's end get the last number."""
    for g in range(len(keys)):
        for b in range(len(lengths)):
            kind, qubit = kinds[b, g], qubits[b, g]
            single = kind * wires + qubit
            double = 3 * wires + ((kind - 3) * wires + controls[b, g]) * wires + qubit
            key = double if kind > 2 else single
            keys[g, b] = key if g < lengths[b] else 3 * wires + 2 * wires * wires


@kernel
def _sort(keys: Int32, members: Int32, ends: Int32) -> None:
    """Order the circuits by `keys` [B]: those with key k end at `ends[k]`."""
    ends[:] = 0
    for key in keys:
        ends[key] += 1
    total = 0
    for key in range(len(ends)):
        total += ends[key]
        ends[key] = total - ends[key]
    for b in range(len(keys)):
        key = keys[b]
        members[ends[key]] = b
        ends[key] += 1


@kernel
def make_states(count: int, size: int) -> Float64:
    """Memory of `count` states, from the start of a cache line on."""
    raw = np.empty(2 * size * count + 8)
    skipped = (64 - raw.ctypes.data % 64) % 64 // 8
    return raw[skipped : skipped + 2 * size * count]


@kernel
def chunk_of(size: int) -> int:
    """How many states to run together, so that they stay in the nearest cache."""
    return max(1, min(_MOST_MEMBERS, _CHUNK_BYTES // (16 * size)))


@kernel
def multiply(blocks: Float64, rows: Int32, columns: Int32, psi: Float64, lam: Float64) -> None:
    """Write H psi into `lam`; block k [64], column by column, couples eight amplitudes from `rows[k]` and `columns[k]`."""
    size = len(lam) >> 1
    lam[:] = 0.0
    for k in range(len(rows)):
        ACCUMULATE(blocks, psi, lam, 64 * k, rows[k], columns[k], size)


@kernel
def undo_gate(psi: Float64, lam: Float64, kind: int, qubit: int, control: int, cosine: float, sine: float) -> float:
    """Undo one gate on `psi` and `lam`; return the derivative of <lam|psi> by its angle (0 without one)."""
    size = len(psi) >> 1
    if kind <= 2:
        return _undo(psi, lam, size, kind, qubit, cosine, sine)
    entangle(psi, 0, size, kind, qubit, control)
    entangle(lam, 0, size, kind, qubit, control)
    return 0.0


@kernel
def undo_circuit(
    psi: Float64,
    lam: Float64,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    count: int,
    cosines: Float64,
    sines: Float64,
    gradient: Float64,
) -> None:
    """Run backwards from `psi` and `lam` = H psi, writing the energy's derivative by each angle into `gradient`."""
    for back in range(count):
        g = count - 1 - back
        gradient[g] = undo_gate(psi, lam, kinds[g], qubits[g], controls[g], cosines[0, g], sines[0, g])
