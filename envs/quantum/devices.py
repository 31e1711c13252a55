"""Noise of real devices: shipped medians of two, or any snapshot that qiskit-ibm-runtime carries (extra `devices`).

After a rotation its qubit, after a two-qubit gate its pair is depolarised and then relaxes thermally for the gate's time;
the depolarising makes up what relaxation lacks of the calibrated gate error, as Qiskit Aer's `NoiseModel.from_backend` has
it. Every rotation counts as one calibrated single-qubit pulse, as in the published experiments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np

from envs.quantum.noise import Local, Noise, thermal_relaxation

MISSING = "device snapshots need qiskit-ibm-runtime: install the extra with pip install 'rl-experimenter[devices]'."


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """One qubit, and the two-qubit gate that it shares; times in seconds."""

    t1: float
    t2: float
    one_error: float
    """Average gate infidelity of a single-qubit pulse."""
    one_time: float
    two_error: float
    two_time: float
    read_one: float
    """Probability of reading 1 for 0."""
    read_zero: float


MEDIANS = {
    "mumbai": Calibration(
        t1=1.1193e-4, t2=1.23998e-4, one_error=2.3571e-4, one_time=3.5556e-8,
        two_error=6.5410e-3, two_time=4.0178e-7, read_one=0.0182, read_zero=0.0268,
    ),
    "ourense": Calibration(
        t1=1.11142e-4, t2=9.1041e-5, one_error=3.3760e-4, one_time=3.5556e-8,
        two_error=6.6757e-3, two_time=3.4844e-7, read_one=0.0216, read_zero=0.0340,
    ),
}  # fmt: skip
"""Medians over the qubits and pairs of FakeMumbaiV2 and FakeOurenseV2 in qiskit-ibm-runtime 0.51.0."""


def gate_noise(error: float, relaxations: Sequence[Local]) -> float:
    """Depolarising factor that, before `relaxations` of the gate's qubits, makes an average infidelity of `error`.

    1 where relaxation alone is worse. Raises `ValueError` for an error beyond complete mixing.
    """
    size = 2 ** len(relaxations)
    kept = float(np.prod([(1.0 + x + y + z) / 4.0 for x, y, z, _ in relaxations]))
    fidelity = (size * kept + 1.0) / (size + 1.0)
    if not 0.0 <= error <= size / (size + 1.0):
        raise ValueError(f"a gate error of {error:g} is not a number from 0 to {size / (size + 1.0):g}.")
    if error <= 1.0 - fidelity:
        return 1.0
    return float(1.0 - size * (error - (1.0 - fidelity)) / (size * fidelity - 1.0))


def make_device_noise(
    qubits: Sequence[Calibration], pairs: dict[tuple[int, int], tuple[float, float]] | None = None
) -> Noise:
    """Noise of calibrated qubits; `pairs` gives (error, time) of each coupled pair, any other has that of its control."""
    count = len(qubits)
    single, double = np.zeros((count, 4)), np.ones((count, count, 9))
    for q, one in enumerate(qubits):
        relaxed = _relax(one, one.one_time)
        factor = gate_noise(one.one_error, [relaxed])
        single[q] = (factor * relaxed[0], factor * relaxed[1], factor * relaxed[2], relaxed[3])
    for control in range(count):
        for target in range(count):
            error, time = (pairs or {}).get((control, target), (qubits[control].two_error, qubits[control].two_time))
            both = [_relax(qubits[control], time), _relax(qubits[target], time)]
            double[control, target] = (gate_noise(error, both), *both[0], *both[1])
    return Noise(single, double, np.array([(one.read_one, one.read_zero) for one in qubits]))


def _relax(one: Calibration, time: float) -> Local:
    return thermal_relaxation(time, one.t1, min(one.t2, 2.0 * one.t1))


def median_noise(name: str, qubits: int, scale: float = 1.0, readout: bool = True) -> Noise:
    """Noise of the shipped median device `name` on every qubit and pair, errors and times `scale` times as large."""
    if name not in MEDIANS:
        raise ValueError(f"no median device {name!r} is shipped; choose one of {', '.join(MEDIANS)}.")
    base = MEDIANS[name]
    most = 0.5 if readout else 0.0
    scaled = Calibration(
        t1=base.t1,
        t2=base.t2,
        one_error=min(scale * base.one_error, 0.5),
        one_time=scale * base.one_time,
        two_error=min(scale * base.two_error, 0.75),
        two_time=scale * base.two_time,
        read_one=min(scale * base.read_one, most),
        read_zero=min(scale * base.read_zero, most),
    )
    return make_device_noise([scaled] * qubits)


def load_device(name: str, chosen: Sequence[int]) -> Noise:
    """Noise of the physical qubits `chosen` of a fake back-end such as `FakeMumbaiV2`.

    Raises `ImportError` naming the extra, and `ValueError` for an unknown back-end or qubit.
    """
    try:
        provider: Any = import_module("qiskit_ibm_runtime.fake_provider")
    except ImportError:
        raise ImportError(MISSING) from None
    if not hasattr(provider, name):
        known = sorted(one for one in dir(provider) if one.startswith("Fake") and one.endswith("V2"))
        raise ValueError(f"unknown back-end {name!r}; known: {', '.join(known)}.")
    target: Any = getattr(provider, name)().target
    if max(chosen) >= target.num_qubits:
        raise ValueError(f"{name} has {target.num_qubits} qubits, counted from 0; {max(chosen)} is none of them.")
    gate = next(kind for kind in ("cx", "ecr", "cz") if kind in target.operation_names)
    measured = {pair: (values.error, values.duration) for pair, values in target[gate].items()}
    middle = median(error for error, _ in measured.values()), median(time for _, time in measured.values())
    qubits = [_calibrate(target, q, middle) for q in chosen]
    pairs = {
        (one, two): measured.get((chosen[one], chosen[two]), measured.get((chosen[two], chosen[one]), middle))
        for one in range(len(chosen))
        for two in range(len(chosen))
    }
    return make_device_noise(qubits, pairs)


def _calibrate(target: Any, qubit: int, pair: tuple[float, float]) -> Calibration:
    known, pulse, read = target.qubit_properties[qubit], target["sx"][(qubit,)], target["measure"][(qubit,)].error
    return Calibration(
        t1=known.t1, t2=known.t2, one_error=pulse.error, one_time=pulse.duration,
        two_error=pair[0], two_time=pair[1], read_one=read, read_zero=read,
    )  # fmt: skip
