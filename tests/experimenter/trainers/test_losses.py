"""Loss terms against arithmetic done by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from experimenter.trainers import losses


def test_clip_loss_takes_the_worse_of_the_two_surrogates() -> None:
    # clip 0.2.  ratio 1.5, A 1:  min(1.5, 1.2) = 1.2.  ratio 0.5, A 1: min(0.5, 0.8) = 0.5.
    # ratio 1.5, A -1: min(-1.5, -1.2) = -1.5.  ratio 0.5, A -1: min(-0.5, -0.8) = -0.8.
    # mean = (1.2 + 0.5 - 1.5 - 0.8) / 4 = -0.15, loss = 0.15
    loss = losses.clip_loss(tensor([1.5, 0.5, 1.5, 0.5]), tensor([1.0, 1.0, -1.0, -1.0]), 0.2)
    assert loss.item() == pytest.approx(0.15)


def test_clip_loss_gives_no_gradient_beyond_the_clip() -> None:
    ratio = tensor([1.5, 1.1], requires_grad=True)
    losses.clip_loss(ratio, tensor([1.0, 1.0]), 0.2).backward()  # type: ignore[no-untyped-call]
    assert ratio.grad is not None
    assert ratio.grad.tolist() == pytest.approx([0.0, -0.5])


def test_value_loss() -> None:
    # 0.5 * ((1 - 3)^2 + (2 - 1)^2) / 2 = 0.5 * 5 / 2
    assert losses.value_loss(tensor([1.0, 2.0]), tensor([3.0, 1.0])).item() == pytest.approx(1.25)


def test_gaussian_log_prob_and_entropy() -> None:
    # std 2 and 1, z = (3 - 1) / 2 = 1 and 0: -0.5 * 1 - log 2 - log 1 - 2 * 0.5 * log(2 pi)
    log_std = tensor([math.log(2.0), 0.0])
    found = losses.gaussian_log_prob(tensor([[1.0, 5.0]]), log_std, tensor([[3.0, 5.0]]))
    assert found.item() == pytest.approx(-0.5 - math.log(2.0) - math.log(2.0 * math.pi))
    # H = sum(log std + 0.5 + 0.5 log(2 pi)) = log 2 + 1 + log(2 pi)
    assert losses.gaussian_entropy(log_std).item() == pytest.approx(math.log(2.0) + 1.0 + math.log(2.0 * math.pi))


def test_categorical_log_prob_and_entropy() -> None:
    logits = tensor([[0.0, math.log(3.0)], [0.0, 0.0]])  # probabilities (1/4, 3/4) and (1/2, 1/2)
    log_prob, entropy = losses.categorical_log_prob(logits, tensor([1, 0]))
    assert log_prob.tolist() == pytest.approx([math.log(0.75), math.log(0.5)])
    first = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert entropy.item() == pytest.approx((first + math.log(2.0)) / 2)


def test_approximate_kl_is_zero_without_change_and_positive_with() -> None:
    assert losses.approximate_kl(torch.zeros(3)).item() == 0.0
    # r = e: e - 1 - 1;  r = 1/e: 1/e - 1 + 1
    found = losses.approximate_kl(tensor([1.0, -1.0])).item()
    assert found == pytest.approx(((math.e - 2.0) + 1.0 / math.e) / 2)


def test_standardise() -> None:
    # mean 2, population deviation sqrt((1 + 0 + 1) / 3)
    scale = math.sqrt(2.0 / 3.0)
    assert losses.standardise(tensor([1.0, 2.0, 3.0])).tolist() == pytest.approx([-1 / scale, 0.0, 1 / scale])
