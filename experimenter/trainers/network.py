"""Actor and critic of the lean PPO: two tanh networks that share nothing, and the actor's fast NumPy twin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from experimenter.errors import JobError
from experimenter.trainers import losses
from experimenter.trainers.normalise import Float32
from experimenter.trainers.worlds import Shape


class Sampler(Protocol):
    """The policy of this moment, fast for a handful of worlds."""

    def sample(self, observation: Float32, rng: np.random.Generator) -> NDArray[Any]:
        """Draw actions for normalised observations [n, d]: [n, k] float32 before scaling, or [n] int64."""
        ...


class Network(Protocol):
    """What the learner needs of actor and critic, whatever they look like inside; also an `nn.Module`."""

    log_std: nn.Parameter

    def evaluate(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log probability [m], mean entropy (scalar) and value [m] of observations [m, d] and actions [m, k] or [m]."""
        ...

    def values(self, observation: Tensor) -> Tensor:
        """Values [m] of observations [m, d]."""
        ...

    def make_actor(self) -> Sampler: ...

    def export(self, shape: Shape) -> tuple[dict[str, Any], dict[str, Float32]]:
        """Spec and tensors of the deterministic policy, without a normaliser."""
        ...


class ActorCritic(nn.Module):
    """Diagonal Gaussian over scaled actions (state-independent deviation), or a categorical over choices."""

    def __init__(self, shape: Shape, *, hidden: Sequence[int], log_std: float, generator: torch.Generator) -> None:
        super().__init__()
        self.discrete = shape.discrete
        self.actor = make_mlp([shape.observation, *hidden, shape.action], last_gain=0.01, generator=generator)
        self.critic = make_mlp([shape.observation, *hidden, 1], last_gain=1.0, generator=generator)
        self.log_std = nn.Parameter(torch.full((0 if shape.discrete else shape.action,), log_std))

    def evaluate(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log probability [m], mean entropy (scalar) and value [m] of observations [m, d] and actions [m, k] or [m]."""
        output = self.actor(observation)
        value = self.values(observation)
        if self.discrete:
            log_prob, entropy = losses.categorical_log_prob(output, action)
            return log_prob, entropy, value
        return losses.gaussian_log_prob(output, self.log_std, action), losses.gaussian_entropy(self.log_std), value

    def values(self, observation: Tensor) -> Tensor:
        """Values [m] of observations [m, d]."""
        values: Tensor = self.critic(observation).squeeze(1)
        return values

    def make_actor(self) -> NumpyActor:
        """The actor as it stands, in NumPy."""
        return NumpyActor(self)

    def export(self, shape: Shape) -> tuple[dict[str, Any], dict[str, Float32]]:
        """Spec and tensors of the deterministic policy, without a normaliser."""
        layers = [(w.copy(), b.copy()) for w, b in actor_layers(self)]
        spec: dict[str, Any] = {"kind": "mlp", "activation": "tanh", "layers": len(layers)}
        if shape.discrete:
            spec["head"] = "argmax"
        else:
            layers[-1] = scale_actions(layers[-1], shape)
            spec |= {"head": "clip", "low": shape.low.tolist(), "high": shape.high.tolist()}
        return spec, name_layers(layers)


class NumpyActor:
    """The actor's forward pass in NumPy: for a handful of worlds it costs a third of torch's.

    Shares the weights' memory on the CPU; build a new one after an update on another device.
    """

    def __init__(self, network: ActorCritic) -> None:
        self._layers = [(w.T, b) for w, b in actor_layers(network)]
        self._std = np.exp(network.log_std.detach().cpu().numpy())
        self._discrete = network.discrete

    def sample(self, observation: Float32, rng: np.random.Generator) -> NDArray[Any]:
        """Draw actions for normalised observations [n, d]: [n, k] float32 before scaling, or [n] int64."""
        x: NDArray[Any] = observation
        for weight, bias in self._layers[:-1]:
            x = np.tanh(x @ weight + bias)
        weight, bias = self._layers[-1]
        y = x @ weight + bias
        if self._discrete:  # Gumbel-max: argmax(logits + g) is distributed as softmax(logits)
            chosen: NDArray[np.int64] = np.argmax(y + rng.gumbel(size=y.shape), axis=1)
            return chosen
        drawn: Float32 = y + self._std * rng.standard_normal(y.shape, dtype=np.float32)
        return drawn


def actor_layers(network: ActorCritic) -> list[tuple[Float32, Float32]]:
    """Weights [out, in] and biases [out] of the actor, input first; views where they live on the CPU."""
    linear = [module for module in network.actor if isinstance(module, nn.Linear)]
    return [(layer.weight.detach().cpu().numpy(), layer.bias.detach().cpu().numpy()) for layer in linear]


def scale_actions(layer: tuple[Float32, Float32], shape: Shape) -> tuple[Float32, Float32]:
    """Fold the scaling of actions into the last layer."""
    weight, bias = layer
    return weight * shape.scale[:, None], bias * shape.scale + shape.middle


def name_layers(layers: Sequence[tuple[Float32, Float32]]) -> dict[str, Float32]:
    """Tensors `w0`, `b0`, ... of a chain of layers."""
    return {f"w{i}": w for i, (w, _) in enumerate(layers)} | {f"b{i}": b for i, (_, b) in enumerate(layers)}


def load_actor(network: ActorCritic, layers: Sequence[tuple[Float32, Float32]]) -> None:
    """Copy `layers` into the actor; raises `JobError` when the shapes do not fit."""
    linear = [module for module in network.actor if isinstance(module, nn.Linear)]
    ours = [tuple(layer.weight.shape) for layer in linear]
    theirs = [tuple(weight.shape) for weight, _ in layers]
    if ours != theirs:
        raise JobError(
            f"cannot warm-start: the policy's layers [out, in] are {theirs}, this trainer's are {ours}: "
            "set `hidden` to match, or start afresh."
        )
    with torch.no_grad():
        for layer, (weight, bias) in zip(linear, layers, strict=True):
            layer.weight.copy_(torch.as_tensor(np.array(weight)))
            layer.bias.copy_(torch.as_tensor(np.array(bias)))


def make_mlp(sizes: Sequence[int], *, last_gain: float, generator: torch.Generator) -> nn.Sequential:
    """Linear layers of `sizes` with tanh between, orthogonal at the start."""
    modules: list[nn.Module] = []
    for index, (wide, narrow) in enumerate(itertools.pairwise(sizes)):
        layer = nn.utils.skip_init(nn.Linear, wide, narrow)  # type: ignore[no-untyped-call]
        last = index == len(sizes) - 2
        nn.init.orthogonal_(layer.weight, gain=last_gain if last else math.sqrt(2.0), generator=generator)
        nn.init.zeros_(layer.bias)
        modules += [layer] if last else [layer, nn.Tanh()]
    return nn.Sequential(*modules)
