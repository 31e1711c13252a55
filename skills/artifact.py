"""Policies as files: `policy.json` (what it is) and `policy.safetensors` (its weights). Never a pickle.

Any trainer's policy that is a plain network is stored as kind `mlp` and played by NumPy alone, so that evaluation, playback
and the library need neither torch nor the trainer. Artifact files are untrusted: sizes, shapes and numbers are checked on load.

Spec of kind `mlp`::

    {"kind": "mlp", "activation": "tanh" | "relu" | "elu", "layers": n,
     "head": "clip" | "tanh" | "argmax",          # clip: y is the action, clipped to [low, high];
                                                   # tanh: low + (tanh(y) + 1) / 2 * (high - low); argmax: discrete
     "low": [k floats], "high": [k floats],        # absent for argmax
     "normalise": true | false, "clip_obs": 10.0}  # (obs - mean) / sqrt(var + 1e-8), clipped

with tensors `w0` [out, in], `b0` [out], ..., `obs_mean` [d], `obs_var` [d]. Other kinds register a loader by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[np.float32]]

SPEC_FILE = "policy.json"
WEIGHTS_FILE = "policy.safetensors"
_MAX_BYTES = 512 * 1024 * 1024
_MAX_SPEC_BYTES = 1024 * 1024
_MAX_LAYERS = 64
_ACTIVATIONS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
}
_KINDS: dict[str, str] = {
    **dict.fromkeys(("swarm_mlp", "deep_set", "attention"), "skills.swarm_policy:make_swarm_policy"),
    "circuit": "skills.circuit:make_circuit",
    "dom": "skills.dom_policy:make_dom_policy",
}
"""Further kinds: name -> `module:function(spec, tensors) -> Policy`; imported only when such a policy is loaded."""


class ArtifactError(ValueError):
    """An artifact is missing, damaged or not what it claims to be."""


class Policy(Protocol):
    """A deterministic policy."""

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Map observations [n, d] to actions [n, k] float32 or [n] int64."""
        ...


class MlpPolicy:
    """Multi-layer perceptron with an optional observation normaliser, in NumPy."""

    def __init__(self, spec: Mapping[str, Any], tensors: Tensors) -> None:
        count = int(spec["layers"])
        _check_mlp(spec, tensors, count)
        self._layers = [(tensors[f"w{i}"].T.copy(), tensors[f"b{i}"]) for i in range(count)]
        self._activation = _ACTIVATIONS[spec["activation"]]
        self._head = spec["head"]
        if self._head not in ("clip", "tanh", "argmax"):
            raise ArtifactError(f"unknown head {self._head!r}: expected clip, tanh or argmax")
        if self._head != "argmax":
            self._low = np.asarray(spec["low"], dtype=np.float32)
            self._high = np.asarray(spec["high"], dtype=np.float32)
        self._mean: NDArray[np.float32] | None = None
        if spec.get("normalise"):
            self._mean = tensors["obs_mean"]
            self._scale = 1.0 / np.sqrt(tensors["obs_var"] + 1e-8)
            self._clip = float(spec.get("clip_obs", 10.0))

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        x = np.asarray(observation, dtype=np.float32)
        if self._mean is not None:
            x = np.clip((x - self._mean) * self._scale, -self._clip, self._clip)
        for weight, bias in self._layers[:-1]:
            x = self._activation(x @ weight + bias)
        weight, bias = self._layers[-1]
        y = x @ weight + bias
        if self._head == "argmax":
            chosen: NDArray[Any] = np.argmax(y, axis=1)
            return chosen
        if self._head == "tanh":
            squashed: NDArray[Any] = self._low + (np.tanh(y) + 1.0) * 0.5 * (self._high - self._low)
            return squashed
        clipped: NDArray[Any] = np.clip(y, self._low, self._high)
        return clipped


def _check_mlp(spec: Mapping[str, Any], tensors: Tensors, count: int) -> None:
    """Raise `ValueError` unless the layers form a chain and the normaliser and bounds fit its ends."""
    if not 1 <= count <= _MAX_LAYERS:
        raise ValueError(f"{count} layers: expected 1 to {_MAX_LAYERS}")
    width = tensors["w0"].shape[-1]
    if spec.get("normalise"):
        if tensors["obs_mean"].shape != (width,) or tensors["obs_var"].shape != (width,):
            raise ValueError(f"the normaliser does not fit observations of {width} numbers")
        if (tensors["obs_var"] < 0).any():
            raise ValueError("the normaliser has a negative variance")
    for i in range(count):
        weight, bias = tensors[f"w{i}"], tensors[f"b{i}"]
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
            raise ValueError(
                f"layer {i} of shapes {weight.shape} and {bias.shape} does not follow one of width {width}"
            )
        width = weight.shape[0]
    if spec["head"] != "argmax" and not len(spec["low"]) == len(spec["high"]) == width:
        raise ValueError(f"the bounds do not fit {width} actions")


def register_kind(kind: str, target: str) -> None:
    """Make policies of `kind` loadable through `target` (`module:function`)."""
    _KINDS[kind] = target


def make_policy(spec: Mapping[str, Any], tensors: Tensors) -> Policy:
    """Build a policy from its spec and weights; raises `ArtifactError` when they do not fit together."""
    kind = spec.get("kind")
    try:
        if kind == "mlp":
            return MlpPolicy(spec, tensors)
        if kind in _KINDS:
            module, _, function = _KINDS[kind].partition(":")
            policy: Policy = getattr(import_module(module), function)(spec, tensors)
            return policy
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"policy of kind {kind!r} is damaged: {error}") from error
    raise ArtifactError(f"unknown policy kind {kind!r}; known: mlp, {', '.join(sorted(_KINDS))}")


def save_policy(folder: Path, spec: Mapping[str, Any], tensors: Tensors) -> None:
    """Write `policy.json` and `policy.safetensors` into `folder`, each atomically."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in tensors.items()}
    _write(folder / WEIGHTS_FILE, save(plain))
    _write(folder / SPEC_FILE, (json.dumps(dict(spec), sort_keys=True, indent=1, allow_nan=False) + "\n").encode())


def read_policy(folder: Path) -> tuple[dict[str, Any], Tensors]:
    """Read spec and weights; raises `ArtifactError` for a missing, oversized, damaged or non-finite artifact."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    for name, limit in ((SPEC_FILE, _MAX_SPEC_BYTES), (WEIGHTS_FILE, _MAX_BYTES)):
        path = folder / name
        if not path.is_file() or path.is_symlink():
            raise ArtifactError(f"the artifact {folder.name} has no file {name}")
        if path.stat().st_size > limit:
            raise ArtifactError(f"{name} of the artifact {folder.name} is larger than {limit} bytes")
    try:
        spec = json.loads((folder / SPEC_FILE).read_text())
        tensors: Tensors = load((folder / WEIGHTS_FILE).read_bytes())
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ArtifactError(f"the artifact {folder.name} is damaged: {error}") from error
    if not isinstance(spec, dict):
        raise ArtifactError(f"{SPEC_FILE} of the artifact {folder.name} is not a JSON object")
    if bad := [name for name, value in tensors.items() if not np.all(np.isfinite(value))]:
        raise ArtifactError(f"the artifact {folder.name} has non-finite weights in {', '.join(sorted(bad))}")
    return spec, tensors


def load_policy(folder: Path) -> Policy:
    """Read and build the policy stored in `folder`."""
    return make_policy(*read_policy(folder))


def digest_folder(folder: Path) -> str:
    """SHA-256 over the names and contents of the folder's files, in name order."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(path.suffix + ".part")
    part.write_bytes(content)
    part.replace(path)
