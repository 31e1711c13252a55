"""Adam (Kingma and Ba 2015) over one flat vector of parameters, with the gradient's norm clipped.

For small networks a step costs a handful of kernel launches instead of a handful per tensor. It also spares a process
the seconds that importing `torch.optim`'s compiler takes.
"""

from __future__ import annotations

import math

import torch
from torch import nn

_BETA1, _BETA2 = 0.9, 0.999
_EPSILON = 1e-5


class FlatAdam:
    """Owns the memory of a module's parameters and gradients: build it after the module is on its device."""

    def __init__(self, module: nn.Module) -> None:
        parameters = list(module.parameters())
        self.flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
        """[p] all parameters, in the module's order."""
        self.gradient = torch.zeros_like(self.flat)
        self.first, self.second = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        """[p] running means of the gradient and of its square."""
        self.steps = 0
        offset = 0
        for parameter in parameters:
            end = offset + parameter.numel()
            parameter.data = self.flat[offset:end].view_as(parameter)
            parameter.grad = self.gradient[offset:end].view_as(parameter)
            offset = end

    def clear(self) -> None:
        """Set the gradient to zero."""
        self.gradient.zero_()

    @torch.no_grad()
    def step(self, learning_rate: float, max_norm: float) -> None:
        """Clip the gradient to `max_norm` and move the parameters by one step."""
        gradient, first, second = self.gradient, self.first, self.second
        gradient.mul_((max_norm / (gradient.norm() + 1e-6)).clamp(max=1.0))
        self.steps += 1
        first.lerp_(gradient, 1.0 - _BETA1)  # m = b1 m + (1 - b1) g
        second.mul_(_BETA2).addcmul_(gradient, gradient, value=1.0 - _BETA2)  # v = b2 v + (1 - b2) g^2
        root = second.sqrt().mul_(1.0 / math.sqrt(1.0 - _BETA2**self.steps)).add_(_EPSILON)
        self.flat.addcdiv_(first, root, value=-learning_rate / (1.0 - _BETA1**self.steps))
