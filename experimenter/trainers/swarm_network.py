"""Actor and critic of drones: an encoder over the drone's own features, its neighbours and the cylinders, then a tanh trunk.

The encoders are those of `skills/swarm_policy.py`, which plays them in NumPy; here they are written for torch. Actor and critic share nothing.
The critic may see privileged inputs, which follow the features and never reach the actor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from experimenter.errors import JobError
from experimenter.trainers import losses
from experimenter.trainers.network import make_mlp, name_layers, scale_actions
from experimenter.trainers.normalise import Float32
from experimenter.trainers.swarm_settings import SwarmSettings
from experimenter.trainers.worlds import Shape
from skills.swarm_policy import NEIGHBOUR, OBSTACLE, OWN, count_features, forward

KINDS = {"mlp": "swarm_mlp", "deep_set": "deep_set", "attention": "attention"}
"""Encoder -> kind of policy."""


class Encoder(nn.Module):
    """Features [m, f] -> what the trunk sees [m, `width`]."""

    def __init__(self, kind: str, neighbours: int, history: int, token: int, generator: torch.Generator) -> None:
        super().__init__()
        self.kind, self.neighbours, self.own = kind, neighbours, OWN + 4 * history
        self.width = count_features(neighbours, history)
        if kind == "mlp":
            return
        self.width = self.own + 2 * token
        self.neighbour = _linear(NEIGHBOUR, token, generator)
        self.obstacle = _linear(OBSTACLE, token, generator)
        if kind == "attention":
            self.query = _linear(self.own, token, generator, bias=False)
            self.key = _linear(token, token, generator, bias=False)
            self.value = _linear(token, token, generator, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "mlp":
            return x
        own, rest, grid = torch.split(x, [self.own, NEIGHBOUR * self.neighbours, OBSTACLE], dim=1)
        near = torch.tanh(self.neighbour(rest.reshape(len(x), self.neighbours, NEIGHBOUR)))
        wall = torch.tanh(self.obstacle(grid))
        if self.kind == "deep_set":
            return torch.cat((own, near.mean(dim=1), wall), dim=1)
        return torch.cat((own, wall, self._attend(own, torch.cat((near, wall.unsqueeze(1)), dim=1))), dim=1)

    def _attend(self, own: Tensor, tokens: Tensor) -> Tensor:
        """One head from the drone over tokens [m, t, e]; few tokens, so sums are faster than batched products."""
        scores = (self.key(tokens) * self.query(own).unsqueeze(1)).sum(dim=2) / math.sqrt(tokens.shape[2])
        mixed: Tensor = (torch.softmax(scores, dim=1).unsqueeze(2) * self.value(tokens)).sum(dim=1)
        return mixed


class SwarmNetwork(nn.Module):
    """Diagonal Gaussian over the four actions with a state-independent deviation, and a critic of its own."""

    def __init__(
        self,
        shape: Shape,
        settings: SwarmSettings,
        generator: torch.Generator,
        *,
        neighbours: int,
        history: int,
    ) -> None:
        super().__init__()
        self.neighbours, self.history = neighbours, history
        self.features = count_features(neighbours, history)
        privileged, widths = shape.observation - self.features, settings.widths
        token = settings.token_width
        self.encoder = Encoder(settings.encoder, neighbours, history, token, generator)
        self.actor = make_mlp([self.encoder.width, *widths, shape.action], last_gain=0.01, generator=generator)
        self.critic_encoder = Encoder(settings.encoder, neighbours, history, token, generator)
        self.critic = make_mlp([self.critic_encoder.width + privileged, *widths, 1], last_gain=1.0, generator=generator)
        self.log_std = nn.Parameter(torch.full((shape.action,), settings.log_std))

    def evaluate(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log probability [m], mean entropy (scalar) and value [m] of observations [m, d] and actions [m, k]."""
        mean = self.actor(self.encoder(observation[:, : self.features]))
        return (
            losses.gaussian_log_prob(mean, self.log_std, action),
            losses.gaussian_entropy(self.log_std),
            self.values(observation),
        )

    def values(self, observation: Tensor) -> Tensor:
        """Values [m] of observations [m, d]."""
        seen = self.critic_encoder(observation[:, : self.features])
        if observation.shape[1] > self.features:
            seen = torch.cat((seen, observation[:, self.features :]), dim=1)
        values: Tensor = self.critic(seen).squeeze(1)
        return values

    def make_actor(self) -> SwarmActor:
        """The actor as it stands, in NumPy."""
        return SwarmActor(self)

    def tensors(self) -> dict[str, Float32]:
        """Tensors of the actor as the policy kinds name them, before the scaling of actions; views on the CPU."""
        named = name_layers([(_numpy(layer.weight), _numpy(layer.bias)) for layer in _linears(self.actor)])
        for name, parameter in self.encoder.named_parameters():
            part, _, end = name.rpartition(".")
            named[f"{part}_{end[0]}"] = _numpy(parameter)
        return named

    def export(self, shape: Shape) -> tuple[dict[str, Any], dict[str, Float32]]:
        """Spec and tensors of the deterministic policy."""
        tensors, last = {name: value.copy() for name, value in self.tensors().items()}, len(_linears(self.actor)) - 1
        tensors[f"w{last}"], tensors[f"b{last}"] = scale_actions((tensors[f"w{last}"], tensors[f"b{last}"]), shape)
        spec: dict[str, Any] = {
            "kind": KINDS[self.encoder.kind],
            "neighbours": self.neighbours,
            "history": self.history,
            "layers": last + 1,
            "low": shape.low.tolist(),
            "high": shape.high.tolist(),
        }
        return spec, tensors

    def adopt(self, spec: Mapping[str, Any], tensors: Mapping[str, Float32], shape: Shape) -> None:
        """Take over the actor of a stored policy; raises `JobError` when it is of another make."""
        ours, mine = self.export(shape)
        for name in ("kind", "neighbours", "history", "layers"):
            if spec.get(name) != ours[name]:
                raise JobError(f"cannot warm-start: the policy has {name}={spec.get(name)!r}, this job {ours[name]!r}.")
        for name, value in mine.items():
            if name not in tensors or tensors[name].shape != value.shape:
                raise JobError(f"cannot warm-start: the policy's {name} does not have this job's shape {value.shape}.")
        last = ours["layers"] - 1
        with torch.no_grad():
            for name, target in self.tensors().items():
                target[...] = tensors[name]
            mine_now = self.tensors()
            mine_now[f"w{last}"][...] /= shape.scale[:, None]
            mine_now[f"b{last}"][...] = (tensors[f"b{last}"] - shape.middle) / shape.scale


class SwarmActor:
    """The actor's forward pass in NumPy. Shares the weights' memory on the CPU."""

    def __init__(self, network: SwarmNetwork) -> None:
        self._kind, self._tensors = KINDS[network.encoder.kind], network.tensors()
        self._layers, self._neighbours, self._features = (
            len(_linears(network.actor)),
            network.neighbours,
            network.features,
        )
        self._std: Float32 = np.exp(_numpy(network.log_std))

    def sample(self, observation: Float32, rng: np.random.Generator) -> NDArray[Any]:
        """Draw actions [n, k] float32, before scaling, for [n, features and privileged inputs]."""
        seen = observation[:, : self._features]
        mean = forward(self._kind, self._tensors, self._layers, self._neighbours, seen)
        drawn: Float32 = mean + self._std * rng.standard_normal(mean.shape, dtype=np.float32)
        return drawn


def _linear(wide: int, narrow: int, generator: torch.Generator, *, bias: bool = True) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, wide, narrow, bias=bias)  # type: ignore[no-untyped-call]
    nn.init.orthogonal_(layer.weight, gain=1.0, generator=generator)
    if bias:
        nn.init.zeros_(layer.bias)
    linear: nn.Linear = layer
    return linear


def _linears(sequence: nn.Sequential) -> list[nn.Linear]:
    return [module for module in sequence if isinstance(module, nn.Linear)]


def _numpy(tensor: Tensor) -> Float32:
    array: Float32 = tensor.detach().cpu().numpy()
    return array
