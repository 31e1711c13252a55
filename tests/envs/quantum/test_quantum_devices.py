"""Device noise: gate errors by hand, scaling, and Qiskit Aer's own models where its packages are installed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from envs.quantum.devices import MEDIANS, MISSING, gate_noise, load_device, median_noise
from envs.quantum.noise import KINDS, noise_of, thermal_relaxation

PEERS = find_spec("qiskit_aer") is not None


def test_without_relaxation_the_gate_error_is_all_depolarising() -> None:
    # average infidelity of depolarising by factor f: (1 - f) / 2 for one qubit, 3 (1 - f) / 4 for two
    nothing = (1.0, 1.0, 1.0, 0.0)
    assert gate_noise(0.01, [nothing]) == pytest.approx(1 - 0.02)
    assert gate_noise(0.03, [nothing, nothing]) == pytest.approx(1 - 0.04)
    assert gate_noise(0.0, [nothing]) == 1.0
    with pytest.raises(ValueError, match="gate error"):
        gate_noise(0.9, [nothing])


def test_relaxation_that_is_worse_than_the_error_leaves_no_depolarising() -> None:
    relaxed = thermal_relaxation(0.1, 1.0, 1.0)
    infidelity = (2 - 2 * math.exp(-0.1) + 1 - math.exp(-0.1)) / 6
    assert gate_noise(infidelity * 0.9, [relaxed]) == 1.0
    assert gate_noise(infidelity * 1.5, [relaxed]) < 1.0


@pytest.mark.parametrize("name", sorted(MEDIANS))
def test_the_whole_gate_has_the_calibrated_infidelity(name: str) -> None:
    base, noise = MEDIANS[name], median_noise(name, 3)
    x, y, z, _ = noise.single[1]
    assert (3 - x - y - z) / 6 == pytest.approx(base.one_error, rel=1e-9)
    factor, *rest = noise.double[0, 2]
    (cx, cy, cz, _), (tx, ty, tz, _) = rest[:4], rest[4:]
    kept = (1 + factor * ((1 + cx + cy + cz) * (1 + tx + ty + tz) - 1)) / 16
    assert 1 - (4 * kept + 1) / 5 == pytest.approx(base.two_error, rel=1e-9)
    assert noise.readout[2].tolist() == [base.read_one, base.read_zero]


def test_task_parameters_scale_a_device() -> None:
    kind = KINDS.index("mumbai")
    once, tenfold = noise_of(kind, 0.001, 5.0, 0.0, 2), noise_of(kind, 0.01, 5.0, 0.0, 2)
    assert np.allclose(once.single, median_noise("mumbai", 2).single)
    assert (1 - tenfold.double[0, 1, 0]) / (1 - once.double[0, 1, 0]) == pytest.approx(10, rel=0.15)
    assert not once.readout.any()
    with pytest.raises(ValueError, match="mumbai, ourense"):
        median_noise("lagos", 2)


@pytest.mark.skipif(find_spec("qiskit_ibm_runtime") is not None, reason="the extra `devices` is installed")
def test_a_missing_extra_is_named() -> None:
    with pytest.raises(ImportError, match=r"rl-experimenter\[devices\]"):
        load_device("FakeMumbaiV2", [0, 1])
    assert "devices" in MISSING


@pytest.mark.slow
@pytest.mark.skipif(not PEERS, reason="needs qiskit-aer (a peer, in no extra)")
def test_sixty_noisy_circuits_and_device_models_equal_aer() -> None:
    # Aer brings an OpenMP of its own, so it runs in a process of its own
    done = subprocess.run(
        [sys.executable, "-m", "tests.envs.quantum.aer_check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["circuits"] == 60
    assert found["worst"] < 1e-10
    if find_spec("qiskit_ibm_runtime"):
        assert found["devices"] == 2
        assert found["worst_device"] < 1e-8  # Aer drops Kraus operators below its tolerance
