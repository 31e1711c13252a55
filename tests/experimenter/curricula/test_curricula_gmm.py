from __future__ import annotations

import math

import numpy as np
import pytest

from experimenter.curricula.gmm import Mixture, aic, fit, fit_best, log_densities


def make_rows(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """300 rows around (0.2, 0.2), 100 around (0.8, 0.6)."""
    rng = np.random.default_rng(seed)
    near = rng.multivariate_normal([0.2, 0.2], [[0.002, 0.001], [0.001, 0.002]], 300)
    return np.vstack((near, rng.normal([0.8, 0.6], 0.03, (100, 2))))


def test_density_by_hand() -> None:
    mixture = Mixture(np.array([1.0]), np.array([[1.0, 2.0]]), np.array([[[4.0, 0.0], [0.0, 9.0]]]))
    # N((1,2), diag(4, 9)) at (3, 2): exp(-1/2) / (2 pi 2 3)
    assert log_densities(mixture, np.array([[3.0, 2.0]]))[0, 0] == pytest.approx(-0.5 - math.log(12 * math.pi))


def test_aic_by_hand() -> None:
    mixture = Mixture(np.array([1.0]), np.array([[0.0]]), np.array([[[1.0]]]))
    # one mean, one variance: 2 free numbers; log-likelihood of a single row at the mean is -log(2 pi) / 2
    assert aic(mixture, np.array([[0.0]])) == pytest.approx(2 * 2 + math.log(2 * math.pi))


def test_two_clusters_are_found() -> None:
    mixture = fit(make_rows(), 2, np.random.default_rng(1))
    order = mixture.means[:, 0].argsort()
    assert mixture.weights[order] == pytest.approx([0.75, 0.25], abs=0.01)
    assert mixture.means[order] == pytest.approx(np.array([[0.2, 0.2], [0.8, 0.6]]), abs=0.02)
    assert mixture.covariances[order[0]] == pytest.approx(np.array([[0.002, 0.001], [0.001, 0.002]]), abs=5e-4)


def test_aic_prefers_the_true_number_of_components() -> None:
    chosen = [len(fit_best(make_rows(seed), range(1, 7), np.random.default_rng(seed)).weights) for seed in range(5)]
    assert sorted(chosen)[2] in (2, 3)
    assert min(chosen) >= 2


def test_equal_rows_do_not_break_the_fit() -> None:
    mixture = fit_best(np.full((50, 3), 0.5), range(2, 5), np.random.default_rng(0))
    assert np.isfinite(mixture.means).all()
    assert np.isfinite(mixture.covariances).all()
