"""Circuits that the quantum tests share."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from envs.quantum.gates import Gate
from tests.envs.quantum.circuits import random_circuit

collect_ignore_glob = [] if find_spec("numba") else ["test_*.py"]
"""Nothing here runs without the extra `quantum`."""


@pytest.fixture
def random_circuits() -> list[tuple[Gate, ...]]:
    rng = np.random.default_rng(4)
    return [random_circuit(rng, 4, 18) for _ in range(4)]
