"""The loss terms of PPO (Schulman et al. 2017) as pure functions of tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOG_2PI = math.log(2.0 * math.pi)


def gaussian_log_prob(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    """Log density [m] of `action` [m, k] under independent normals of `mean` [m, k] and `log_std` [k]."""
    z = (action - mean) * torch.exp(-log_std)
    constant = log_std.sum() + 0.5 * _LOG_2PI * action.shape[1]
    return -0.5 * z.square().sum(dim=1) - constant


def gaussian_entropy(log_std: Tensor) -> Tensor:
    """Entropy of independent normals of `log_std` [k]: a scalar."""
    return (log_std + 0.5 * (1.0 + _LOG_2PI)).sum()


def categorical_log_prob(logits: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    """Log probability [m] of `action` [m] under `logits` [m, k], and the mean entropy."""
    log_probs = torch.log_softmax(logits, dim=1)
    entropy = -(log_probs.exp() * log_probs).sum(dim=1).mean()
    return log_probs.gather(1, action.unsqueeze(1)).squeeze(1), entropy


def clip_loss(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Negative clipped surrogate (eq. 7): -mean(min(r A, clip(r, 1 - c, 1 + c) A))."""
    return -torch.minimum(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage).mean()


def value_loss(value: Tensor, target: Tensor) -> Tensor:
    """Half the mean squared error of values [m] and targets [m]."""
    return 0.5 * (value - target).square().mean()


def approximate_kl(log_ratio: Tensor) -> Tensor:
    """Low-variance estimate of KL(old, new): mean((r - 1) - log r), with r = exp(log_ratio)."""
    return (log_ratio.exp() - 1.0 - log_ratio).mean()


def standardise(advantage: Tensor) -> Tensor:
    """Zero mean and unit standard deviation over the minibatch [m]."""
    return (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
