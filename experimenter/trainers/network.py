"""Actor and critic of the lean PPO: two tanh networks that share nothing, and the actor's fast NumPy twin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from experimenter.errors import JobError
from experimenter.trainers import losses
from experimenter.trainers.normalise import Float32
from experimenter.trainers.worlds import Shape


class ActorCritic(nn.Module):
    """Diagonal Gaussian over scaled actions (state-independent deviation), or a categorical over choices."""

    def __init__(self, shape: Shape, *, hidden: Sequence[int], log_std: float, generator: torch.Generator) -> None:
        super().__init__()
        self.discrete = shape.discrete
        self.actor = _mlp([shape.observation, *hidden, shape.action], last_gain=0.01, generator=generator)
        self.critic = _mlp([shape.observation, *hidden, 1], last_gain=1.0, generator=generator)
        self.log_std = nn.Parameter(torch.full((0 if shape.discrete else shape.action,), log_std))

    def evaluate(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log probability [m], mean entropy (scalar) and value [m] of observations [m, d] and actions [m, k] or [m]."""
        output = self.actor(observation)
        value = self.critic(observation).squeeze(1)
        if self.discrete:
            log_prob, entropy = losses.categorical_log_prob(output, action)
            return log_prob, entropy, value
        return losses.gaussian_log_prob(output, self.log_std, action), losses.gaussian_entropy(self.log_std), value


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


def _mlp(sizes: Sequence[int], *, last_gain: float, generator: torch.Generator) -> nn.Sequential:
    modules: list[nn.Module] = []
    for index, (wide, narrow) in enumerate(itertools.pairwise(sizes)):
        layer = nn.utils.skip_init(nn.Linear, wide, narrow)  # type: ignore[no-untyped-call]
        last = index == len(sizes) - 2
        nn.init.orthogonal_(layer.weight, gain=last_gain if last else math.sqrt(2.0), generator=generator)
        nn.init.zeros_(layer.bias)
        modules += [layer] if last else [layer, nn.Tanh()]
    return nn.Sequential(*modules)
