"""Running statistics against the statistics of everything at once."""

from __future__ import annotations

import numpy as np
import pytest

from experimenter.trainers.normalise import Moments, RewardScale


def test_moments_of_batches_equal_those_of_the_whole() -> None:
    rows = np.random.default_rng(0).normal(3.0, 2.0, (100, 4))
    moments = Moments.zeros(4)
    for part in (rows[:7], rows[7:50], rows[50:]):
        moments.update(part)
    assert moments.count == 100
    assert moments.mean == pytest.approx(rows.mean(axis=0))
    assert moments.var == pytest.approx(rows.var(axis=0))


def test_frozen_normalises_and_clips() -> None:
    moments = Moments(mean=np.array([1.0, 0.0]), var=np.array([4.0, 1.0]), count=5.0)
    # (5 - 1) / 2 = 2 and 30 clipped to 10
    result = moments.frozen()(np.array([[5.0, 30.0]]))
    assert result.dtype == np.float32
    assert result[0] == pytest.approx([2.0, 10.0])


def test_reward_scale_follows_discounted_returns_and_forgets_at_an_end() -> None:
    scale = RewardScale.zeros(gamma=0.5)
    # returns: 2; 0.5*2 + 2 = 3 (ends, so forgotten); 4 -> mean 3, variance (1 + 0 + 1) / 3
    scaled = scale.scale(np.array([[2.0], [2.0], [4.0]]), np.array([[False], [True], [False]]))
    assert scale.moments.mean[0] == pytest.approx(3.0)
    assert scale.moments.var[0] == pytest.approx(2.0 / 3.0)
    assert scaled.ravel() == pytest.approx(np.array([2.0, 2.0, 4.0]) / np.sqrt(2.0 / 3.0))
    assert scale.running.tolist() == [4.0]
    scale.restart()
    assert scale.running.tolist() == [0.0]
