"""The deterministic actor of an SB3 algorithm as a plain `mlp` artifact, and back for a warm start."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from experimenter.errors import JobError
from experimenter.trainers.worlds import Shape

Float32 = NDArray[np.float32]
Layers = list[tuple[Float32, Float32]]
_ACTIVATIONS: dict[type[nn.Module], str] = {nn.Tanh: "tanh", nn.ReLU: "relu", nn.ELU: "elu"}


def export_policy(
    model: Any, algorithm: str, shape: Shape, normaliser: Any
) -> tuple[dict[str, Any], dict[str, Float32]]:
    """Return spec and tensors that act as `model.predict(..., deterministic=True)` does.

    `normaliser` is the VecNormalize around the worlds, or None; its observation statistics go into the artifact.
    """
    modules = _actor_modules(model, algorithm)
    layers = _read(modules)
    bound = _clamp_bound(modules)
    if bound:
        layers = _clamped(layers, bound)
    spec: dict[str, Any] = {"kind": "mlp", "activation": _activation(modules), "layers": len(layers)}
    if shape.discrete:
        spec["head"] = "argmax"
    else:
        head = "clip" if algorithm == "ppo" else "tanh"
        spec |= {"head": head, "low": shape.low.tolist(), "high": shape.high.tolist()}
    tensors = {f"w{i}": w for i, (w, _) in enumerate(layers)} | {f"b{i}": b for i, (_, b) in enumerate(layers)}
    spec["normalise"] = normaliser is not None and bool(normaliser.norm_obs)
    if spec["normalise"]:
        spec["clip_obs"] = float(normaliser.clip_obs)
        tensors["obs_mean"] = normaliser.obs_rms.mean.astype(np.float32)
        tensors["obs_var"] = normaliser.obs_rms.var.astype(np.float32)
    return spec, tensors


def import_policy(
    model: Any, algorithm: str, shape: Shape, normaliser: Any, spec: dict[str, Any], tensors: dict[str, Float32]
) -> None:
    """Copy an artifact's weights and statistics into a fresh model; raises `JobError` when they do not fit.

    A target network gets the same weights, critics stay fresh.
    """
    ours, expected = export_policy(model, algorithm, shape, normaliser)
    for name in ("kind", "activation", "head", "normalise"):
        if spec.get(name) != ours[name]:
            raise JobError(
                f"cannot warm-start: the policy has {name}={spec.get(name)!r}, sb3 {algorithm} needs {ours[name]!r}."
            )
    theirs = {name: value.shape for name, value in tensors.items()}
    if theirs != {name: value.shape for name, value in expected.items()}:
        raise JobError(
            f"cannot warm-start: the policy's shapes {theirs} do not fit sb3 {algorithm}: set `hidden` to match."
        )
    modules = _actor_modules(model, algorithm)
    layers = [(tensors[f"w{i}"], tensors[f"b{i}"]) for i in range(int(spec["layers"]))]
    if bound := _clamp_bound(modules):
        weight, bias = layers[-2]
        layers = [*layers[:-2], (weight[: shape.action], bias[: shape.action] - np.float32(bound))]
    _write(modules, layers)
    if algorithm == "td3":
        model.actor_target.load_state_dict(model.actor.state_dict())
    if algorithm == "dqn":
        model.q_net_target.load_state_dict(model.q_net.state_dict())
    if spec["normalise"]:
        normaliser.obs_rms.mean = tensors["obs_mean"].astype(np.float64)
        normaliser.obs_rms.var = tensors["obs_var"].astype(np.float64)
        normaliser.obs_rms.count = 100_000.0


def _actor_modules(model: Any, algorithm: str) -> list[nn.Module]:
    """The modules from (normalised) observation to the head, in order."""
    if algorithm == "ppo":
        parts = [model.policy.mlp_extractor.policy_net, model.policy.action_net]
    elif algorithm == "dqn":
        parts = [model.policy.q_net.q_net]
    elif algorithm == "td3":
        parts = [model.policy.actor.mu]
    else:
        parts = [model.policy.actor.latent_pi, model.policy.actor.mu]
    return [module for part in parts for module in (part if isinstance(part, nn.Sequential) else [part])]


def _linear(modules: list[nn.Module]) -> list[nn.Linear]:
    return [module for module in modules if isinstance(module, nn.Linear)]


def _read(modules: list[nn.Module]) -> Layers:
    return [(m.weight.detach().cpu().numpy().copy(), m.bias.detach().cpu().numpy().copy()) for m in _linear(modules)]


@torch.no_grad()
def _write(modules: list[nn.Module], layers: Layers) -> None:
    for module, (weight, bias) in zip(_linear(modules), layers, strict=True):
        module.weight.copy_(torch.as_tensor(weight))
        module.bias.copy_(torch.as_tensor(bias))


def _activation(modules: list[nn.Module]) -> str:
    """Name of the activation between the layers."""
    return _ACTIVATIONS[type(modules[1])] if len(_linear(modules)) > 1 else "relu"


def _clamp_bound(modules: list[nn.Module]) -> float:
    """Bound of the Hardtanh that gSDE puts on the mean; 0 without one."""
    last = modules[-1]
    return float(last.max_val) if isinstance(last, nn.Hardtanh) else 0.0


def _clamped(layers: Layers, bound: float) -> Layers:
    """Write the clamp to [-c, c] as one more ReLU layer: clamp(y) = relu(y + c) - relu(y - c) - c."""
    weight, bias = layers[-1]
    size, c = len(bias), np.float32(bound)
    eye = np.eye(size, dtype=np.float32)
    doubled = (np.concatenate([weight, weight]), np.concatenate([bias + c, bias - c]))
    return [*layers[:-1], doubled, (np.concatenate([eye, -eye], axis=1), np.full(size, -c, dtype=np.float32))]
