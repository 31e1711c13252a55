"""Advantages worked out by hand: gamma 0.5, lambda 0.5, so that gamma * lambda = 0.25."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from experimenter.trainers.gae import advantages, successor_values


def make_inputs(**overrides: Any) -> dict[str, Any]:
    """Three steps of one world, nothing ends."""
    inputs: dict[str, Any] = {
        "rewards": np.array([[1.0], [2.0], [3.0]]),
        "values": np.array([[4.0], [6.0], [8.0]]),
        "successors": np.array([[6.0], [8.0], [10.0]]),
        "terminated": np.zeros((3, 1), np.bool_),
        "ended": np.zeros((3, 1), np.bool_),
        "gamma": 0.5,
        "gae_lambda": 0.5,
    }
    return {**inputs, **overrides}


def column(*values: bool) -> NDArray[np.bool_]:
    return np.array(values)[:, None]


def test_going_on_bootstraps_from_the_last_successor() -> None:
    # deltas: 1 + .5*6 - 4 = 0;  2 + .5*8 - 6 = 0;  3 + .5*10 - 8 = 0
    assert advantages(**make_inputs()) == pytest.approx(np.zeros((3, 1)))
    # V(s'_2) = 14 -> delta_2 = 3 + 7 - 8 = 2; A_2 = 2, A_1 = 0 + .25*2 = .5, A_0 = 0 + .25*.5 = .125
    result = advantages(**make_inputs(successors=np.array([[6.0], [8.0], [14.0]])))
    assert result.ravel() == pytest.approx([0.125, 0.5, 2.0])


def test_termination_has_no_successor_and_stops_the_trace() -> None:
    # Terminated at t=1: delta_1 = 2 - 6 = -4 = A_1 (nothing of t=2 flows in); delta_0 = 0, A_0 = .25*-4 = -1.
    # t=2 begins a new episode: delta_2 = 3 + .5*14 - 8 = 2.
    ended = column(False, True, False)
    result = advantages(**make_inputs(successors=np.array([[6.0], [99.0], [14.0]]), terminated=ended, ended=ended))
    assert result.ravel() == pytest.approx([-1.0, -4.0, 2.0])


def test_truncation_bootstraps_from_the_final_observation_and_stops_the_trace() -> None:
    # Truncated at t=1 with V(final observation) = 12: delta_1 = 2 + .5*12 - 6 = 2 = A_1; A_0 = 0 + .25*2 = .5; A_2 = 2 as above.
    ended = column(False, True, False)
    result = advantages(**make_inputs(successors=np.array([[6.0], [12.0], [14.0]]), ended=ended))
    assert result.ravel() == pytest.approx([0.5, 2.0, 2.0])


def test_worlds_do_not_mix() -> None:
    two = {name: np.hstack([value, value]) for name, value in make_inputs().items() if isinstance(value, np.ndarray)}
    two["successors"] = np.array([[6.0, 6.0], [8.0, 8.0], [10.0, 14.0]])
    result = advantages(**{**make_inputs(), **two})
    assert result[:, 0] == pytest.approx([0.0, 0.0, 0.0])
    assert result[:, 1] == pytest.approx([0.125, 0.5, 2.0])


def test_successors_are_the_next_values_but_for_the_last_row_and_the_cuts() -> None:
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    cut_at = (np.array([0, 2]), np.array([1, 0]))
    result = successor_values(values, np.array([7.0, 8.0]), np.array([50.0, 60.0]), cut_at)
    assert result.tolist() == [[3.0, 50.0], [5.0, 6.0], [60.0, 8.0]]
