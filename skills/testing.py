"""Small real skills for tests: a policy of one layer and evidence that carries a certificate. Not imported by the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from skills.artifact import save_policy
from skills.evidence import Evidence
from skills.skill import AdmissionRequest


def make_evidence(successes: int = 20, episodes: int = 20, **overrides: Any) -> Evidence:
    """Evidence in which the first `successes` episodes succeed, with fitness 1 against 0."""
    plain: dict[str, Any] = {
        "seeds": tuple(range(10**6, 10**6 + episodes)),
        "fitness": tuple(float(i < successes) for i in range(episodes)),
        "success": tuple(i < successes for i in range(episodes)),
        "native_return": (2.0,) * episodes,
        "length": (100,) * episodes,
    }
    return Evidence.model_validate({**plain, **overrides})


def make_policy_folder(folder: Path, gain: float = 1.0) -> Path:
    """Write a policy that doubles its first observation and subtracts the second, times `gain`, within -9 to 9."""
    spec = {
        "kind": "mlp",
        "activation": "tanh",
        "layers": 1,
        "head": "clip",
        "low": [-9.0],
        "high": [9.0],
        "normalise": False,
    }
    tensors = {"w0": np.array([[2.0, -1.0]], np.float32) * np.float32(gain), "b0": np.zeros(1, np.float32)}
    save_policy(folder, spec, tensors)
    return folder


def make_request(folder: Path, name: str = "walk-flat", key: str = "", **overrides: Any) -> AdmissionRequest:
    """A request that will be admitted, its policy written below `folder`."""
    plain: dict[str, Any] = {
        "name": name,
        "description": "walk forward on flat ground without falling",
        "family": "walker",
        "task": {"family": "walker", "params": {"stump_height": 0.0}, "horizon": 1600, "seed": 0},
        "task_digest": "t" * 16,
        "evidence": make_evidence(),
        "reward": {"kind": "native"},
        "provenance": {"session": "s1", "job": "j1", "training_seeds": [1, 2, 3]},
        "admission_key": key or f"key of {name}",
    }
    plain.setdefault("policy_folder", overrides.pop("policy_folder", None) or make_policy_folder(folder / "policy"))
    return AdmissionRequest.model_validate({**plain, **overrides})
