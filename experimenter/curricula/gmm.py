"""Gaussian mixtures with full covariances, fitted by expectation maximisation in NumPy. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ITERATIONS = 100
TOLERANCE = 1e-3
"""Gain of the mean log-likelihood below which the fit has converged."""
FLOOR = 1e-6
"""Added to the variances, so that a component never collapses to a point."""


@dataclass(frozen=True)
class Mixture:
    weights: Floats
    """[k], summing to 1."""
    means: Floats
    """[k, d]"""
    covariances: Floats
    """[k, d, d]"""


def fit_best(rows: Floats, counts: Iterable[int], rng: np.random.Generator) -> Mixture:
    """Fit a mixture for each number of components in `counts` to `rows` [n, d]; return the one of lowest AIC."""
    return min((fit(rows, count, rng) for count in counts), key=lambda mixture: aic(mixture, rows))


def fit(rows: Floats, components: int, rng: np.random.Generator) -> Mixture:
    """Fit `components` Gaussians to `rows` [n, d], starting once from far-apart rows (k-means++ seeding)."""
    shares = _first_shares(rows, _spread_seeds(rows, components, rng))
    previous = -np.inf
    for _ in range(ITERATIONS):
        mixture = _maximise(rows, shares)
        joint = log_densities(mixture, rows)
        top = joint.max(axis=1, keepdims=True)
        total = top + np.log(np.exp(joint - top).sum(axis=1, keepdims=True))
        shares = np.exp(joint - total)
        likelihood = float(total.mean())
        if likelihood - previous < TOLERANCE:
            break
        previous = likelihood
    return mixture


def _spread_seeds(rows: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Pick rows [k, d], each with probability proportional to its squared distance from those picked."""
    seeds = [rows[rng.integers(len(rows))]]
    nearest = np.full(len(rows), np.inf)
    while len(seeds) < count:
        nearest = np.minimum(nearest, ((rows - seeds[-1]) ** 2).sum(axis=1)) + 1e-12
        seeds.append(rows[rng.choice(len(rows), p=nearest / nearest.sum())])
    return np.array(seeds)


def _first_shares(rows: Floats, seeds: Floats) -> Floats:
    """Give each row wholly to its nearest seed [n, k]."""
    distance = ((rows[:, None, :] - seeds) ** 2).sum(axis=2)
    shares: Floats = np.eye(len(seeds))[distance.argmin(axis=1)]
    return shares


def _maximise(rows: Floats, shares: Floats) -> Mixture:
    mass = shares.sum(axis=0) + 1e-10
    means = (shares.T @ rows) / mass[:, None]
    offsets = rows[:, None, :] - means
    covariances = np.einsum("nk,nki,nkj->kij", shares, offsets, offsets, optimize=True) / mass[:, None, None]
    return Mixture(mass / mass.sum(), means, covariances + FLOOR * np.eye(rows.shape[1]))


def log_densities(mixture: Mixture, rows: Floats) -> Floats:
    """Log of weight times density [n, k] of every component at every row."""
    factors = np.linalg.cholesky(mixture.covariances)
    offsets = rows[None, :, :] - mixture.means[:, None, :]
    scaled = np.linalg.solve(factors, offsets.transpose(0, 2, 1))
    half_log_determinant = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    constant = 0.5 * rows.shape[1] * np.log(2 * np.pi) + half_log_determinant - np.log(mixture.weights)
    densities: Floats = (-0.5 * (scaled**2).sum(axis=1) - constant[:, None]).T
    return densities


def aic(mixture: Mixture, rows: Floats) -> float:
    """Akaike's criterion: twice the free parameters less twice the log-likelihood of `rows` [n, d]."""
    components, d = mixture.means.shape
    free = components * (d + d * (d + 1) // 2) + components - 1
    joint = log_densities(mixture, rows)
    top = joint.max(axis=1)
    log_likelihood = float((top + np.log(np.exp(joint - top[:, None]).sum(axis=1))).sum())
    return float(2 * free) - 2.0 * log_likelihood
