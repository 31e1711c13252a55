"""Learned noise on the weights of linear layers, as exploration: factorised Gaussian noise (Fortunato et al. 2018, NoisyNet, eq. 10 and 11).

Of the layers under one prefix of a network's names; the network itself stays as it is and knows nothing of it. Without noise (a greedy policy, an
exported one) its weights are the means.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.func import functional_call


class NoisyHead:
    """Noise on every `nn.Linear` of `network` whose name begins with `prefix`, on weights and biases."""

    def __init__(self, network: nn.Module, prefix: str, sigma: float, generator: torch.Generator) -> None:
        self._generator = generator
        self.sigmas: dict[str, nn.Parameter] = {}
        """Weight name -> size of its noise, of the weight's shape."""
        for name, module in network.named_modules():
            if name.startswith(prefix) and isinstance(module, nn.Linear):
                start = sigma / math.sqrt(module.in_features)
                for key, weight in module.named_parameters(name, recurse=False):
                    self.sigmas[key] = nn.Parameter(torch.full_like(weight, start))

    def draw(self) -> dict[str, Tensor]:
        """Draw one noise for every weight: f(e_out) f(e_in) for matrices, f(e_out) for biases, f(x) = sign(x) sqrt(|x|)."""
        drawn: dict[str, Tensor] = {}
        outward: dict[str, Tensor] = {}
        for name, sigma in self.sigmas.items():
            layer = name.rpartition(".")[0]
            if layer not in outward:
                outward[layer] = self._shaped(sigma.shape[0])
            whole = outward[layer][:, None] * self._shaped(sigma.shape[1]) if sigma.dim() == 2 else outward[layer]
            drawn[name] = whole.to(sigma.device)
        return drawn

    def _shaped(self, size: int) -> Tensor:
        noise = torch.randn(size, generator=self._generator)
        return noise.sign() * noise.abs().sqrt()

    def values(self, network: nn.Module, noise: dict[str, Tensor], obs: Tensor, mask: Tensor) -> Tensor:
        """Action values [m, COUNT] of `network` with w + sigma * noise in place of w."""
        means = dict(network.named_parameters())
        shaken = {f"network.{name}": means[name] + sigma * noise[name] for name, sigma in self.sigmas.items()}
        found: Tensor = functional_call(_Values(network), shaken, (obs, mask))
        return found


class _Values(nn.Module):
    """The head of action values alone: its output is computed while the weights are exchanged."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, obs: Tensor, mask: Tensor) -> Tensor:
        found: Tensor = self.network(obs, mask).q
        return found
