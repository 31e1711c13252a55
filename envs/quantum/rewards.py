"""The native rewards: four published or plain ways to pay for a gate. Pure functions of one step's energies."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("incremental with fixed ends", "fixed ends", "gate-penalised", "oracle-free")
"""In the order of the task parameter `reward_kind`."""
ILLEGAL = -0.1
_END = 5.0
_ROTATION_COST, _PAIR_COST = 0.01, 0.03
_SCALE = 20.0


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one step did. Energies are the measured ones."""

    before: float
    after: float
    exact: float
    legal: bool
    added_pair: bool
    added_gate: bool
    solved: bool
    """The true error is below the threshold (never looked at in oracle-free mode)."""
    over: bool
    """The episode ends with this step."""


def pay(kind: int, change: Change) -> float:
    """Reward of one step.

    Kind 0 is the published one: +5 at success, -5 at an end without, else the energy gained over the error before, within
    -1 to 1 (with the exact energy in place of the published lower bound).
    """
    if kind == 3:
        return _oracle_free(change)
    if change.solved:
        reward = _END
    elif change.over:
        reward = -_END
    elif not change.legal:
        reward = ILLEGAL
    else:
        reward = 0.0 if kind == 1 else _gain(change)
    return reward - (_cost(change) if kind == 2 else 0.0)


def _gain(change: Change) -> float:
    gap = abs(change.before - change.exact)
    return min(max((change.before - change.after) / gap, -1.0), 1.0) if gap > 1e-12 else 0.0


def _oracle_free(change: Change) -> float:
    """Energy gained, scaled, less the cost of the gate: needs no exact energy."""
    if not change.legal:
        return ILLEGAL
    return min(max(_SCALE * (change.before - change.after), -1.0), 1.0) - _cost(change)


def _cost(change: Change) -> float:
    if not change.added_gate:
        return 0.0
    return _PAIR_COST if change.added_pair else _ROTATION_COST
