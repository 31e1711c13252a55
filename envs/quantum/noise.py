"""Noise models: what follows each gate, as affine maps of Pauli coefficients, and read-out error in the observable.

After a rotation its qubit passes a local channel (x, y, z) -> (lx x, ly y, lz z + tz). After a two-qubit gate the pair is
depolarised, then each of its qubits passes a local channel. Idle qubits keep their state. Simulation is in
pauli_transfer.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.quantum.paulis import Float64

Local = tuple[float, float, float, float]
"""(lx, ly, lz, tz) of a local channel."""
NOTHING: Local = (1.0, 1.0, 1.0, 0.0)
KINDS = ("depolarising", "bit_flip", "phase_flip", "amplitude_damping", "thermal_relaxation", "mumbai", "ourense")
"""In the order of the task parameter `noise_kind`."""


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise of every gate of a machine."""

    single: Float64
    """[n, 4] local channel after a rotation on each qubit."""
    double: Float64
    """[n, n, 9] by control and target: depolarising factor of the pair, channel of the control, channel of the target."""
    readout: Float64
    """[n, 2] probability of reading 1 for 0, and 0 for 1."""


def depolarising(probability: float, wires: int = 1) -> float:
    """Factor on all non-identity Paulis when any of the others strikes with `probability` in total (qulacs' convention)."""
    strings = 4.0**wires
    return 1.0 - probability * strings / (strings - 1.0)


def bit_flip(probability: float) -> Local:
    """X with `probability`."""
    return (1.0, 1.0 - 2.0 * probability, 1.0 - 2.0 * probability, 0.0)


def phase_flip(probability: float) -> Local:
    """Z with `probability`."""
    return (1.0 - 2.0 * probability, 1.0 - 2.0 * probability, 1.0, 0.0)


def amplitude_damping(gamma: float) -> Local:
    """Decay of |1> to |0> with probability `gamma`."""
    root = math.sqrt(1.0 - gamma)
    return (root, root, 1.0 - gamma, gamma)


def thermal_relaxation(time: float, t1: float, t2: float, excited: float = 0.0) -> Local:
    """Relaxation for `time` towards a state with population `excited` of |1>; all times in one unit.

    Raises `ValueError` when t2 exceeds 2 t1, which no physical channel does.
    """
    if not 0 < t2 <= 2 * t1:
        raise ValueError(f"thermal relaxation needs 0 < T2 <= 2 T1, got T1 = {t1:g} and T2 = {t2:g}.")
    decay, dephasing = math.exp(-time / t1), math.exp(-time / t2)
    return (dephasing, dephasing, decay, (1.0 - decay) * (1.0 - 2.0 * excited))


def make_noise(
    qubits: int,
    *,
    single_depolarising: float = 0.0,
    double_depolarising: float = 0.0,
    single: Local = NOTHING,
    double: Local = NOTHING,
    readout: tuple[float, float] = (0.0, 0.0),
) -> Noise:
    """The same noise on every qubit and pair: depolarising by probability, then a local channel.

    Raises `ValueError` for a probability outside [0, 1] (or beyond complete mixing).
    """
    for name, value, most in (
        ("single_depolarising", single_depolarising, 0.75),
        ("double_depolarising", double_depolarising, 0.9375),
        ("readout", max(readout), 1.0),
        ("readout", 1.0 - min(readout), 1.0),
    ):
        if not 0.0 <= value <= most:
            raise ValueError(f"noise: {name} = {value:g} is not a probability from 0 to {most:g}.")
    factor = depolarising(single_depolarising)
    mixed = (factor * single[0], factor * single[1], factor * single[2], single[3])
    pair = (depolarising(double_depolarising, 2), *double, *double)
    return Noise(
        np.tile(np.array(mixed), (qubits, 1)),
        np.tile(np.array(pair), (qubits, qubits, 1)),
        np.tile(np.array(readout, dtype=float), (qubits, 1)),
    )


def noise_of(kind: int, level: float, ratio: float, readout: float, qubits: int) -> Noise:
    """Noise of the family's task parameters: `level` a rotation, `ratio` times as much a two-qubit gate.

    `level` is the probability of a depolarising, flip or damping event, or for thermal relaxation the gate's duration in
    units of T1 = T2. A device's medians are taken a thousand times `level` as strong, whatever the `ratio`. A two-qubit
    gate's depolarising acts on the pair, any other noise on both of its qubits.
    """
    one, two = level, level * ratio
    both = (readout, readout)
    if KINDS[kind] in ("mumbai", "ourense"):
        from envs.quantum.devices import median_noise

        device = median_noise(KINDS[kind], qubits, 1000.0 * level, readout=False)
        return Noise(device.single, device.double, np.tile(np.array(both), (qubits, 1)))
    if KINDS[kind] == "depolarising":
        return make_noise(qubits, single_depolarising=one, double_depolarising=two, readout=both)
    channels: dict[str, Callable[[float], Local]] = {
        "bit_flip": bit_flip,
        "phase_flip": phase_flip,
        "amplitude_damping": amplitude_damping,
        "thermal_relaxation": lambda time: thermal_relaxation(time, 1.0, 1.0),
    }
    channel = channels[KINDS[kind]]
    return make_noise(qubits, single=channel(one), double=channel(two), readout=both)


def blur(weights: Float64, readout: Float64) -> Float64:
    """Weights of the observable that is measured through `readout` error in place of the one with `weights` [4^n].

    Each measured Pauli P of a qubit becomes (1 - p01 - p10) P + (p10 - p01) I, where p01 is reading 1 for 0.
    """
    qubits = len(readout)
    blurred = weights.reshape((4,) * qubits).copy()
    for qubit, (false_one, false_zero) in enumerate(readout):
        axis = np.moveaxis(blurred, qubits - 1 - qubit, 0)  # digit 0 is the last axis
        axis[0] += (false_zero - false_one) * axis[1:].sum(axis=0)
        axis[1:] *= 1.0 - false_one - false_zero
    return np.ascontiguousarray(blurred.reshape(-1))
