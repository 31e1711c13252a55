"""L-BFGS with exact gradients and a one-angle exact minimum, compiled; called by optimise.py for one circuit or many.

L-BFGS: Nocedal and Wright, Numerical Optimization, algorithm 7.4, with the bracketing weak-Wolfe line search of Lewis and
Overton (2013). One evaluation is one energy, with or without its gradient.
"""

from __future__ import annotations

import math

import numpy as np

from envs.quantum.compiled import kernel
from envs.quantum.energies import Model, Scratch, dot, energy_of, make_scratch, slope_of
from envs.quantum.paulis import Float64, Int32

_MEMORY = 12
_DECREASE, _CURVATURE, _TRIES = 1e-4, 0.9, 20


@kernel
def turn_one(
    model: Model,
    scratch: Scratch,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    count: int,
    which: int,
    energy: float,
) -> float:
    """Set one angle to its exact minimum with two evaluations, given the energy now; return the energy there.

    In each angle alone the energy is A + B cos + C sin (Ostaszewski et al. 2021, arXiv:1905.09692), noisy or not.
    """
    here = angles[which]
    angles[which] = here + 0.5 * math.pi
    above = energy_of(model, scratch, kinds, qubits, controls, angles, count)
    angles[which] = here - 0.5 * math.pi
    below = energy_of(model, scratch, kinds, qubits, controls, angles, count)
    middle = 0.5 * (above + below)
    cosine, sine = energy - middle, 0.5 * (above - below)
    size = math.hypot(cosine, sine)
    if size < 1e-12:
        angles[which] = here
        return energy
    turned = here + math.atan2(-sine, -cosine)
    angles[which] = turned - 2.0 * math.pi * math.floor(turned / (2.0 * math.pi) + 0.5)
    return middle - size


@kernel
def _direction(gradient: Float64, steps: Float64, changes: Float64, kept: int, newest: int, out: Float64) -> None:
    """Two-loop recursion: write -H gradient into `out`."""
    out[:] = gradient
    weights = np.zeros(_MEMORY)
    for back in range(kept):
        i = (newest - back) % _MEMORY
        weights[i] = dot(steps[i], out) / dot(steps[i], changes[i])
        out -= weights[i] * changes[i]
    if kept > 0:
        out *= dot(steps[newest], changes[newest]) / dot(changes[newest], changes[newest])
    for ahead in range(kept):
        i = (newest - kept + 1 + ahead) % _MEMORY
        out += (weights[i] - dot(changes[i], out) / dot(steps[i], changes[i])) * steps[i]
    out *= -1.0


@kernel
def descend(
    model: Model,
    scratch: Scratch,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    count: int,
    iterations: int,
    tolerance: float,
) -> tuple[float, int]:
    """Minimise over all angles in place; return the energy reached and the evaluations made.

    Ends after `iterations`, at a gradient below `tolerance`, or when an iteration gains less than `tolerance` squared.
    """
    size = max(count, 1)
    gradient, ahead, direction, trial = np.zeros(size), np.zeros(size), np.zeros(size), angles[:size].copy()
    steps, changes = np.zeros((_MEMORY, size)), np.zeros((_MEMORY, size))
    energy = slope_of(model, scratch, kinds, qubits, controls, angles, count, gradient)
    evaluations, kept, newest = 1, 0, -1
    for _ in range(iterations):
        if np.abs(gradient).max() < tolerance:
            break
        _direction(gradient, steps, changes, kept, newest, direction)
        descent = dot(gradient, direction)
        if descent >= 0.0:
            kept = 0
            direction[:] = -gradient
            descent = -dot(gradient, gradient)
        step = 1.0 if kept > 0 else min(1.0, 0.5 / math.sqrt(-descent))
        low, high, reached, found = 0.0, math.inf, energy, False
        for _ in range(_TRIES):
            trial[:] = angles[:size] + step * direction
            reached = slope_of(model, scratch, kinds, qubits, controls, trial, count, ahead)
            evaluations += 1
            if reached > energy + _DECREASE * step * descent:
                high = step
            elif dot(ahead, direction) < _CURVATURE * descent:
                low = step
            else:
                found = True
                break
            step = 0.5 * (low + high) if high < math.inf else 2.0 * low
        if not found and reached >= energy:
            break
        newest = (newest + 1) % _MEMORY
        steps[newest], changes[newest] = step * direction, ahead - gradient
        kept = min(kept + 1, _MEMORY) if dot(steps[newest], changes[newest]) > 1e-14 else 0
        gain = energy - reached
        angles[:size], gradient[:], energy = trial, ahead, reached
        if gain < tolerance * tolerance:
            break
    return energy, evaluations


@kernel
def grow(
    model: Model,
    kinds: Int32,
    qubits: Int32,
    controls: Int32,
    angles: Float64,
    lengths: Int32,
    kicks: Float64,
    iterations: int,
    tolerance: float,
    reached: Float64,
    evaluations: Int32,
) -> None:
    """Re-optimise each circuit after its last gate was added, in place.

    The warm start keeps the old angles and sets the new gate's angle to its exact minimum; a second start adds `kicks`
    [B, L] to all of them, since angles of 0 from a basis state are saddle points. The lower one stays.
    """
    scratch = make_scratch(model, kinds.shape[1])
    other = np.empty(kinds.shape[1])
    for b in range(len(lengths)):
        kind, qubit, control, angle, count = kinds[b], qubits[b], controls[b], angles[b], lengths[b]
        other[:] = angle + kicks[b]
        spent = 0
        if count > 0 and kind[count - 1] <= 2:
            energy = energy_of(model, scratch, kind, qubit, control, angle, count)
            turn_one(model, scratch, kind, qubit, control, angle, count, count - 1, energy)
            spent = 3
        energy, warm = descend(model, scratch, kind, qubit, control, angle, count, iterations, tolerance)
        spent += warm
        if np.abs(kicks[b, :count]).sum() > 0.0:
            kicked, more = descend(model, scratch, kind, qubit, control, other, count, iterations, tolerance)
            spent += more
            if kicked < energy - tolerance * tolerance:
                energy = kicked
                angle[:] = other
        reached[b], evaluations[b] = energy, spent


@kernel
def wander(
    model: Model, kinds: Int32, qubits: Int32, controls: Int32, angles: Float64, signs: Float64, schedule: Float64
) -> float:
    """Adam-SPSA in place, one iteration a row of `signs` [K, L] (0 where nothing turns); return the best energy seen.

    `schedule` holds a, alpha, c, gamma, beta1, lamda, beta2 (see `optimise.SpsaSettings`); the best angles stay.
    """
    a, alpha, c, gamma, first, lamda, second = schedule
    count = len(kinds)
    scratch = make_scratch(model, max(count, 1))
    now, best_angles, trial = angles.copy(), angles.copy(), angles.copy()
    mean, square, best = np.zeros(count), np.zeros(count), math.inf
    for k in range(len(signs)):
        shift = c / (k + 1) ** gamma
        trial[:] = now + shift * signs[k]
        above = energy_of(model, scratch, kinds, qubits, controls, trial, count)
        trial[:] = now - shift * signs[k]
        below = energy_of(model, scratch, kinds, qubits, controls, trial, count)
        here = energy_of(model, scratch, kinds, qubits, controls, now, count)
        if here < best:
            best = here
            best_angles[:] = now
        beta1 = first / (k + 1) ** lamda
        step = a / (k + 1) ** alpha
        for g in range(count):
            slope = 0.5 * (above - below) / shift * signs[k, g]  # a sign is its own inverse
            mean[g] = beta1 * mean[g] + (1.0 - beta1) * slope
            square[g] = second * square[g] + (1.0 - second) * slope**2
            moved = mean[g] / (1.0 - beta1 ** (k + 1))
            now[g] -= step * moved / (math.sqrt(square[g] / (1.0 - second ** (k + 1))) + 1e-8)
    angles[:] = best_angles
    return best
