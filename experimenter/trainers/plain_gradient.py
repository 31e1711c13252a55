"""PPO's loss and its gradient for the plain actor-critic, derived by hand: half the cost of autograd at small minibatches.

With two hidden layers of 64 and a minibatch of 256, autograd's bookkeeping costs more than the arithmetic. The layers run through torch
(one thread, see `device.py`), everything of the minibatch's length through NumPy on the same memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from experimenter.trainers.network import ActorCritic
from experimenter.trainers.normalise import Float32

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """L = `actor` * (L_clip - `entropy` H) + `value` L_v (Schulman et al. 2017, eq. 9)."""

    clip: float
    entropy: float
    value: float
    actor: float = 1.0


class PlainGradient:
    """Writes the gradient of PPO's loss into the memory that the parameters' `grad` has when this is built."""

    def __init__(self, network: ActorCritic) -> None:
        """`network` lies on the CPU and every parameter of it has a `grad`."""
        self._actor, self._critic = _Layers(network.actor), _Layers(network.critic)
        self._discrete = network.discrete
        self._log_std: Float32 = network.log_std.detach().numpy()
        assert network.log_std.grad is not None
        self._log_std_grad: Float32 = network.log_std.grad.numpy()

    @torch.no_grad()
    def __call__(
        self,
        observation: Tensor,
        action: Tensor,
        old_log_prob: Tensor,
        advantage: Tensor,
        target: Tensor,
        weights: LossWeights,
    ) -> Float32:
        """Set the gradient for one minibatch; returns policy loss, value loss, entropy and approximate KL as [4].

        observation [m, d], action [m, k] before scaling or [m] choices, the others [m]; `losses.py` has the same terms for autograd.
        """
        outputs, values = self._actor.forward(observation), self._critic.forward(observation)
        error = values.numpy()[:, 0] - target.numpy()
        self._critic.backward((error * np.float32(weights.value / len(error)))[:, None])
        score = self._choices if self._discrete else self._normals
        policy_loss, entropy, kl, slope = score(
            outputs.numpy(), action.numpy(), old_log_prob.numpy(), advantage.numpy(), weights
        )
        self._actor.backward(slope)
        return np.array([policy_loss, 0.5 * np.mean(np.square(error)), entropy, kl], dtype=np.float32)

    def _normals(
        self, mean: Float32, action: Float32, old: Float32, advantage: Float32, weights: LossWeights
    ) -> tuple[float, float, float, Float32]:
        """Independent normals of `mean` [m, k]: policy loss, entropy, KL, and the loss's slope [m, k] in `mean`."""
        inverse = np.exp(-self._log_std)
        z = (action - mean) * inverse
        constant = self._log_std.sum() + np.float32(_HALF_LOG_2PI * mean.shape[1])
        log_ratio = np.float32(-0.5) * np.einsum("ij,ij->i", z, z) - constant - old
        policy_loss, kl, pull = _surrogate(log_ratio, advantage, weights)
        # d log p / d mean = z / std, d log p / d log std = z^2 - 1, d H / d log std = 1
        pulled = pull[:, None] * z
        np.subtract((pulled * z).sum(axis=0), pull.sum(), out=self._log_std_grad)
        self._log_std_grad -= np.float32(weights.actor * weights.entropy)
        entropy = float(self._log_std.sum()) + (0.5 + _HALF_LOG_2PI) * len(self._log_std)
        return policy_loss, entropy, kl, pulled * inverse

    def _choices(
        self, logits: Float32, action: Float32, old: Float32, advantage: Float32, weights: LossWeights
    ) -> tuple[float, float, float, Float32]:
        """A categorical of `logits` [m, k]: policy loss, mean entropy, KL, and the loss's slope [m, k] in `logits`."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        probs, rows = np.exp(log_probs), np.arange(len(logits))
        policy_loss, kl, pull = _surrogate(log_probs[rows, action] - old, advantage, weights)
        entropies = -(probs * log_probs).sum(axis=1, keepdims=True)
        # d log p(a) / d logit = [a] - p, d H / d logit = -p (log p + H)
        slope = probs * (
            np.float32(weights.actor * weights.entropy / len(old)) * (log_probs + entropies) - pull[:, None]
        )
        slope[rows, action] += pull
        return policy_loss, float(entropies.mean()), kl, slope


def _surrogate(log_ratio: Float32, advantage: Float32, weights: LossWeights) -> tuple[float, float, Float32]:
    """Policy loss, approximate KL, and the weighted loss's slope [m] in the log probabilities."""
    ratio = np.exp(log_ratio)
    standard = (advantage - advantage.mean()) / (advantage.std() + np.float32(1e-8))
    plain = ratio * standard
    clipped = np.clip(ratio, np.float32(1.0 - weights.clip), np.float32(1.0 + weights.clip)) * standard
    pull = np.where(plain <= clipped, plain * np.float32(-weights.actor / len(plain)), np.float32(0.0))
    return -float(np.minimum(plain, clipped).mean()), float((ratio - 1.0 - log_ratio).mean()), pull


class _Layers:
    """A chain of linear layers with tanh between, run forward and back on the module's own memory."""

    def __init__(self, chain: nn.Sequential) -> None:
        linear = [module for module in chain if isinstance(module, nn.Linear)]
        self._weights = [layer.weight.detach() for layer in linear]
        self._biases = [layer.bias.detach() for layer in linear]
        self._weight_grads, self._bias_grads = _grads(linear, "weight"), _grads(linear, "bias")
        self._inputs: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [m, out] of inputs [m, in]; keeps what `backward` needs."""
        self._inputs = [x]
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            x = torch.addmm(bias, x, weight.t()).tanh_()
            self._inputs.append(x)
        return torch.addmm(self._biases[-1], x, self._weights[-1].t())

    def backward(self, slope: Float32) -> None:
        """Set every layer's gradient from the loss's slope [m, out] in the outputs of the last `forward`."""
        back = torch.from_numpy(slope)
        for index in range(len(self._weights) - 1, -1, -1):
            torch.mm(back.t(), self._inputs[index], out=self._weight_grads[index])
            torch.sum(back, 0, out=self._bias_grads[index])
            if index:
                back = torch.ops.aten.tanh_backward(torch.mm(back, self._weights[index]), self._inputs[index])


def _grads(layers: Sequence[nn.Linear], name: str) -> list[Tensor]:
    found = [getattr(layer, name).grad for layer in layers]
    assert all(grad is not None for grad in found)
    return found
