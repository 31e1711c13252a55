"""Stacks of small tanh networks in NumPy with their gradients written out by hand, and Adam on one flat vector.

At 64 units a framework's bookkeeping costs more than the arithmetic. A stack holds several networks of one shape (twin critics);
everything is float32 and on one thread. No graph, no device: what a general layer library would add is not here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-7


class Stack:
    """`count` networks of widths `sizes`, tanh between the layers, linear at the end."""

    def __init__(self, sizes: Sequence[int], *, count: int, last_gain: float, rng: np.random.Generator) -> None:
        self.sizes, self.count = list(sizes), count
        self.flat = np.zeros(count * sum((a + 1) * b for a, b in itertools.pairwise(sizes)), np.float32)
        """[p] all parameters; the layers are views of it."""
        self.gradient = np.zeros_like(self.flat)
        self.weights, self.biases = self._views(self.flat)
        self._weight_gradients, self._bias_gradients = self._views(self.gradient)
        for index, weight in enumerate(self.weights):
            gain = last_gain if index == len(self.weights) - 1 else 1.0
            bound = gain * math.sqrt(3.0 / weight.shape[1])
            weight[:] = rng.uniform(-bound, bound, weight.shape)
        self._inputs: list[Float32] = []

    def _views(self, flat: Float32) -> tuple[list[Float32], list[Float32]]:
        weights, biases, offset = [], [], 0
        for wide, narrow in itertools.pairwise(self.sizes):
            size = self.count * wide * narrow
            weights.append(flat[offset : offset + size].reshape(self.count, wide, narrow))
            offset += size
            biases.append(flat[offset : offset + self.count * narrow].reshape(self.count, 1, narrow))
            offset += self.count * narrow
        return weights, biases

    def forward(self, x: Float32, *, keep: bool = False) -> Float32:
        """Map inputs [m, d] to outputs [count, m, k]; with `keep`, remember what `backward` needs."""
        inputs: list[Float32] = [x]
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.matmul(x, weight)
            x += bias
            np.tanh(x, out=x)
            inputs.append(x)
        y: Float32 = np.matmul(x, self.weights[-1])
        y += self.biases[-1]
        self._inputs = inputs if keep else []
        return y

    def backward(self, slope: Float32, *, weights: bool = True, to_input: bool = False) -> Float32:
        """Send the loss's slope at the outputs [count, m, k] back: fill `gradient` (`weights`), return it at the inputs [count, m, d].

        Without `to_input` what is returned is the slope at the first hidden layer. Needs a `forward` with `keep`.
        """
        for index in range(len(self.weights) - 1, -1, -1):
            x = self._inputs[index]
            if weights:
                np.matmul(x.swapaxes(-1, -2), slope, out=self._weight_gradients[index])
                np.sum(slope, axis=1, keepdims=True, out=self._bias_gradients[index])
            if index > 0 or to_input:
                slope = _spread(slope, self.weights[index].swapaxes(-1, -2))
            if index > 0:  # through tanh: 1 - x^2
                work = x * x
                work *= slope
                slope -= work
        return slope


def _spread(slope: Float32, weight: Float32) -> Float32:
    """`slope` [count, m, k] times `weight` [count, k, d]; of a single output it is a product of each with each, for which BLAS is slow."""
    return slope * weight if slope.shape[-1] == 1 else np.matmul(slope, weight)


class Adam:
    """Adam (Kingma and Ba 2015) with decoupled weight decay on a stack's flat parameters."""

    def __init__(self, stack: Stack, weight_decay: float = 0.0) -> None:
        self._stack, self._decay = stack, weight_decay
        self.first, self.second = np.zeros_like(stack.flat), np.zeros_like(stack.flat)
        self.steps = 0
        self._work, self._root = np.zeros_like(stack.flat), np.zeros_like(stack.flat)

    def step(self, learning_rate: float) -> None:
        """Move the parameters along the stack's gradient."""
        gradient, work, root = self._stack.gradient, self._work, self._root
        self.steps += 1
        self.first *= _BETA1  # m = b1 m + (1 - b1) g
        self.first += np.multiply(gradient, 1.0 - _BETA1, out=work)
        self.second *= _BETA2  # v = b2 v + (1 - b2) g^2
        np.multiply(gradient, gradient, out=work)
        work *= 1.0 - _BETA2
        self.second += work
        np.sqrt(self.second, out=root)
        root *= 1.0 / math.sqrt(1.0 - _BETA2**self.steps)
        root += _EPSILON
        np.divide(self.first, root, out=work)
        work *= -learning_rate / (1.0 - _BETA1**self.steps)
        if self._decay:
            self._stack.flat *= 1.0 - learning_rate * self._decay
        self._stack.flat += work


def follow(target: Stack, source: Stack, share: float) -> None:
    """Move the target's parameters by `share` of the way to the source's (Polyak averaging)."""
    target.flat += np.float32(share) * (source.flat - target.flat)
