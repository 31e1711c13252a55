"""Angles from energies alone, exact or estimated from shots: Rotosolve, Adam-SPSA, COBYLA. Every energy is counted.

Gradient descent with exact derivatives is in descent.py; these are for what a quantum machine can do, and for comparison
with what was published. An energy is a function of all angles of one circuit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.quantum.optimise import SpsaSettings
from envs.quantum.paulis import Float64

Energy = Callable[[Float64], float]
Chosen = NDArray[np.bool_]
OPTIMISERS = ("L-BFGS with exact gradients", "Rotosolve", "Adam-SPSA") + (("COBYLA",) if find_spec("nlopt") else ())
"""In the order of the task parameter `optimiser`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """The best angles seen, their energy as it was measured, and energies asked for."""

    angles: Float64
    energy: float
    evaluations: int


class _Ledger:
    """Counts energies and keeps the best."""

    def __init__(self, energy: Energy, angles: Float64) -> None:
        self._energy, self.evaluations = energy, 0
        self.best, self.angles = math.inf, angles.copy()

    def ask(self, angles: Float64) -> float:
        value = self._energy(angles)
        self.evaluations += 1
        if value < self.best:
            self.best, self.angles = value, angles.copy()
        return value

    def found(self) -> Found:
        return Found(angles=self.angles, energy=self.best, evaluations=self.evaluations)


def rotosolve_by(
    energy: Energy, angles: Float64, turning: Chosen, *, sweeps: int = 10, tolerance: float = 1e-6
) -> Found:
    """Set one angle after the other to its exact minimum, from three energies each time (arXiv:1905.09692).

    The three energies are fresh at each angle, so that shot noise does not pile up. Ends after `sweeps`, or when one gains
    less than `tolerance`.
    """
    ledger, now = _Ledger(energy, angles), angles.copy()
    last = math.inf
    for _ in range(sweeps):
        for which in np.flatnonzero(turning).tolist():
            middle, above, below = (ledger.ask(_shifted(now, which, by)) for by in (0.0, math.pi / 2, -math.pi / 2))
            now[which] -= math.pi / 2 + math.atan2(2.0 * middle - above - below, above - below)
        reached = ledger.ask(now)
        if last - reached < tolerance:
            break
        last = reached
    return ledger.found()


def _shifted(angles: Float64, which: int, by: float) -> Float64:
    shifted = angles.copy()
    shifted[which] += by
    return shifted


def spsa_by(
    energy: Energy, angles: Float64, turning: Chosen, rng: np.random.Generator, settings: SpsaSettings | None = None
) -> Found:
    """Simultaneous perturbation with Adam moments and the published schedules; three energies an iteration."""
    chosen = settings or SpsaSettings()
    ledger, now = _Ledger(energy, angles), angles.copy()
    mean, square = np.zeros_like(now), np.zeros_like(now)
    for k in range(chosen.evaluations // 3):
        shift = chosen.c / (k + 1) ** chosen.gamma * rng.choice([-1.0, 1.0], len(now)) * turning
        above, below = ledger.ask(now + shift), ledger.ask(now - shift)
        ledger.ask(now)
        slope = np.where(turning, (above - below) / 2.0 / np.where(turning, shift, 1.0), 0.0)
        beta1 = chosen.beta1 / (k + 1) ** chosen.lamda
        mean = beta1 * mean + (1.0 - beta1) * slope
        square = chosen.beta2 * square + (1.0 - chosen.beta2) * slope**2
        first, second = mean / (1.0 - beta1 ** (k + 1)), square / (1.0 - chosen.beta2 ** (k + 1))
        now = now - chosen.a / (k + 1) ** chosen.alpha * first / (np.sqrt(second) + 1e-8)
    return ledger.found()


def cobyla_by(
    energy: Energy, angles: Float64, turning: Chosen, *, evaluations: int = 1000, reach: float = 1.0
) -> Found:
    """COBYLA of NLopt, starting `reach` radians wide; raises `ImportError` naming the extra when it is missing.

    SciPy's own has been some thirty times slower since version 1.16, which is why it is not used.
    """
    try:
        nlopt: Any = import_module("nlopt")
    except ImportError:
        raise ImportError("COBYLA needs nlopt: install the extra with pip install 'rl-experimenter[cobyla]'.") from None
    places = np.flatnonzero(turning)
    ledger = _Ledger(energy, angles)

    def objective(free: Float64, _: Float64) -> float:
        whole = angles.copy()
        whole[places] = free
        return ledger.ask(whole)

    if not len(places):
        ledger.ask(angles)
        return ledger.found()
    search = nlopt.opt(nlopt.LN_COBYLA, len(places))
    search.set_min_objective(objective)
    search.set_initial_step(reach)
    search.set_maxeval(evaluations)
    search.set_xtol_abs(1e-6)
    search.optimize(angles[places])
    return ledger.found()
