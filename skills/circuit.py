"""Policies of kind `circuit`: a quantum circuit, played open loop as the actions that build it.

The policy reads from an observation how many gates there are already and gives the next one, then STOP; it keeps no state,
so it plays any number of worlds. The worlds set the angles themselves; the angles stored here are those that were found.

Spec of kind `circuit`::

    {"kind": "circuit", "actions": [ints], "stop": 80,
     "progress": {"share": i, "left": j, "left_scale": 100.0},   # where an observation tells gates / limit, and gates left
     "gates": [{"gate": "RY", "qubit": 0, "angle": 0.2}, {"gate": "CNOT", "control": 0, "qubit": 1}, ...],
     "qubits": n, "start": basis state, "problem": name, "setting": number, "hamiltonian_sha256": digest,
     "energy": noiseless, "noisy_energy": on the task's machine, "exact": ..., "floor": ..., "error": ..., "threshold": ...,
     "counts": {"gates": ..., "two_qubit_gates": ..., "rotations": ..., "depth": ...},
     "sector": {"electrons": ..., "spin_z": ...}, "search": {...}}

Tensors: `angles` [gates], radians, float32 beside the exact ones in `gates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.artifact import ArtifactError, Tensors

_MOST_GATES = 10_000


class CircuitPolicy:
    """Open-loop playback of a circuit's actions."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._actions = np.array([*spec["actions"], spec["stop"]], dtype=np.int64)
        progress = spec["progress"]
        self._share, self._left = int(progress["share"]), int(progress["left"])
        self._scale = float(progress["left_scale"])
        if len(self._actions) > _MOST_GATES or (self._actions < 0).any() or min(self._share, self._left) < 0:
            raise ArtifactError("a circuit's actions and observation places must be small numbers from 0 on")

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Map observations [n, d] to the next gates' actions [n] int64; STOP behind the last gate."""
        seen = np.asarray(observation, dtype=np.float64)
        share, left = seen[:, self._share].clip(0.0, 1.0), seen[:, self._left] * self._scale
        # share = placed / limit and left = limit - placed, so placed = left share / (1 - share)
        placed = np.where(share < 1.0, left * share / np.maximum(1.0 - share, 1e-9), len(self._actions))
        places = np.rint(placed).clip(0, len(self._actions) - 1).astype(np.int64)
        chosen: NDArray[Any] = self._actions[places]
        return chosen


def make_circuit(spec: Mapping[str, Any], tensors: Tensors) -> CircuitPolicy:
    """Build the policy; raises `ArtifactError` when the spec does not hold together."""
    if len(spec["gates"]) != len(spec["actions"]) or len(tensors["angles"]) != len(spec["gates"]):
        raise ArtifactError(f"{len(spec['actions'])} actions do not build a circuit of {len(spec['gates'])} gates")
    return CircuitPolicy(spec)
