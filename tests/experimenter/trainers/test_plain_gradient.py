"""PPO's gradient by hand against autograd's on the same loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from experimenter.trainers import losses
from experimenter.trainers.adam import FlatAdam
from experimenter.trainers.network import ActorCritic
from experimenter.trainers.plain_gradient import LossWeights, PlainGradient
from experimenter.trainers.worlds import Shape

SIZE, OBSERVED, ACTED = 37, 5, 3


def make(discrete: bool) -> tuple[ActorCritic, FlatAdam]:
    empty = np.zeros(0, np.float32)
    shape = Shape(OBSERVED, ACTED, discrete, empty, empty)
    network = ActorCritic(shape, hidden=[8, 7], log_std=-0.3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():  # off its start, where the actor hardly looks at its input
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    return network, FlatAdam(network)


def minibatch(network: ActorCritic, discrete: bool) -> tuple[Tensor, ...]:
    """Old probabilities lie up to a factor of e away from the network's, so that a good part of the samples is clipped."""
    draw = torch.Generator().manual_seed(3)
    observation = torch.randn(SIZE, OBSERVED, generator=draw)
    action = torch.randint(ACTED, (SIZE,), generator=draw) if discrete else torch.randn(SIZE, ACTED, generator=draw)
    log_prob, _, _ = network.evaluate(observation, action)
    old = log_prob.detach() + 2 * torch.rand(SIZE, generator=draw) - 1
    return observation, action, old, torch.randn(SIZE, generator=draw), torch.randn(SIZE, generator=draw)


def by_autograd(network: ActorCritic, batch: tuple[Tensor, ...], weights: LossWeights) -> Tensor:
    observation, action, old, advantage, target = batch
    log_prob, entropy, value = network.evaluate(observation, action)
    log_ratio = log_prob - old
    policy = losses.clip_loss(log_ratio.exp(), losses.standardise(advantage), weights.clip)
    values = losses.value_loss(value, target)
    (weights.actor * (policy - weights.entropy * entropy) + weights.value * values).backward()  # type: ignore[no-untyped-call]
    return torch.stack([policy, values, entropy, losses.approximate_kl(log_ratio)]).detach()


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize(
    "weights",
    [
        LossWeights(clip=0.2, entropy=0.0, value=0.5),
        LossWeights(clip=0.1, entropy=0.7, value=2.0),
        LossWeights(clip=0.2, entropy=0.1, value=0.5, actor=0.0),
    ],
)
def test_equals_autograd(discrete: bool, weights: LossWeights) -> None:
    network, adam = make(discrete)
    batch = minibatch(network, discrete)
    expected_terms = by_autograd(network, batch, weights)
    expected = adam.gradient.clone()
    adam.gradient.fill_(123.0)  # whatever was there before is overwritten, in every place
    terms = PlainGradient(network)(*batch, weights)
    assert terms == pytest.approx(expected_terms.numpy(), rel=1e-5, abs=1e-6)
    assert adam.gradient.numpy() == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)
    assert (expected.abs() > 1e-3).sum() > 20  # there is a gradient to be wrong about


def test_follows_the_weights_that_the_optimiser_moves() -> None:
    network, adam = make(discrete=False)
    gradient, weights = PlainGradient(network), LossWeights(clip=0.2, entropy=0.0, value=0.5)
    batch = minibatch(network, discrete=False)
    gradient(*batch, weights)
    adam.step(0.1, 0.5)
    adam.clear()
    by_autograd(network, batch, weights)
    expected = adam.gradient.clone()
    gradient(*batch, weights)
    assert adam.gradient.numpy() == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)
