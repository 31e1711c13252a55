"""Play an exported skill with NumPy alone: `python play.py` checks it, `load(folder)` gives `act(observations)`.

This file is copied into every exported skill, so it imports nothing but NumPy and the standard library; a drone's skill has `swarm_policy.py` beside it.
"""

import importlib.util
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SWARM_KINDS = ("swarm_mlp", "deep_set", "attention")


def load(folder: str | Path) -> Callable[[Any], Any]:
    """Return `act`: observations [n, d] -> actions [n, k] float32, or [n] int64 for a discrete skill."""
    spec = json.loads((Path(folder) / "policy.json").read_text())
    weights = read_safetensors(Path(folder) / "policy.safetensors")
    if spec["kind"] in SWARM_KINDS:
        return load_swarm(spec, weights)
    if spec["kind"] != "mlp":
        raise ValueError(
            f"a policy of kind {spec['kind']!r} needs the package rl-experimenter: skills.artifact.load_policy"
        )
    return lambda observation: act(spec, weights, observation)


def load_swarm(spec: dict[str, Any], weights: dict[str, Any]) -> Callable[[Any], Any]:
    """A drone's `act`: features in its own frame and the network, from the file beside this one."""
    found = importlib.util.spec_from_file_location("swarm_policy", Path(__file__).with_name("swarm_policy.py"))
    if found is None or found.loader is None:
        raise ValueError("swarm_policy.py is missing beside play.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    played: Callable[[Any], Any] = module.make_swarm_policy(spec, weights).act
    return played


def act(spec: dict[str, Any], weights: dict[str, Any], observation: Any) -> Any:
    """Run the network: normalise, hidden layers, head."""
    x = np.asarray(observation, dtype=np.float32)
    if spec.get("normalise"):
        clip = spec.get("clip_obs", 10.0)
        x = np.clip((x - weights["obs_mean"]) / np.sqrt(weights["obs_var"] + 1e-8), -clip, clip)
    last = spec["layers"] - 1
    for i in range(last):
        x = activate(spec["activation"], x @ weights[f"w{i}"].T + weights[f"b{i}"])
    y = x @ weights[f"w{last}"].T + weights[f"b{last}"]
    if spec["head"] == "argmax":
        return np.argmax(y, axis=1)
    low, high = np.float32(spec["low"]), np.float32(spec["high"])
    return low + (np.tanh(y) + 1) / 2 * (high - low) if spec["head"] == "tanh" else np.clip(y, low, high)


def activate(name: str, x: Any) -> Any:
    """Apply the activation called `name`: tanh, relu or elu."""
    if name == "tanh":
        return np.tanh(x)
    return np.maximum(x, 0) if name == "relu" else np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def read_safetensors(path: Path) -> dict[str, Any]:
    """Read float32 tensors: 8 bytes of header length, a JSON header with offsets, then the numbers."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], dtype="<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


if __name__ == "__main__":
    here = Path(__file__).parent
    spec = json.loads((here / "policy.json").read_text())
    if spec["kind"] == "circuit":
        sys.stdout.write((here / "circuit.txt").read_text())
        sys.exit()
    policy = load(here)
    width = read_safetensors(here / "policy.safetensors")["w0"].shape[1]
    if spec["kind"] in SWARM_KINDS:  # what a drone senses, which its features are made of
        width = 28 + 6 * spec["neighbours"] + 4 * spec["history"]
    sys.stdout.write(f"a policy of {width} observations; action for zeros: {policy(np.zeros((1, width)))[0]}\n")
