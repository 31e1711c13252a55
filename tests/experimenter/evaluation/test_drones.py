"""Figures over many drone-episodes: per drone and per room, with intervals that know that drones of a room belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.family import EpisodeOutcome
from experimenter.evaluation.drones import MEANINGS, fly_rooms, measure_flights, summarise_flights
from experimenter.evaluation.rollout import RolloutError

ZEROS = ("touched_drone", "touched_wall", "touched_floor", "deadlock", "min_gap_m", "effort", "published_collision")


def make_outcome(*, success: bool, time_s: float = 4.0, reached: bool = True, touched: float = 0.0) -> EpisodeOutcome:
    extras = dict.fromkeys(ZEROS, 0.0) | {
        "strict_success": 0.0,
        "published_success": float(success),
        "touched": touched,
        "touched_obstacle": touched,
        "reached": float(reached),
        **{f"{kind}_contacts": 0.0 for kind in ("drone", "wall", "floor")},
        "obstacle_contacts": touched,
        "contacts_per_minute": 4.0 * touched,
        "last_second_distance_m": 0.25,
        "time_to_goal_s": time_s,
        "path_ratio": 1.5,
    }
    return EpisodeOutcome(
        slot=0, params={}, fitness=0.0, success=success, native_return=0.0, length=1500, extras=extras
    )


def test_figures_by_hand() -> None:
    good, slow = make_outcome(success=True, time_s=2.0), make_outcome(success=True, time_s=6.0)
    lost = make_outcome(success=False, reached=False, time_s=15.0, touched=1.0)
    figures = summarise_flights([[good, slow], [good, lost]])
    assert figures["success"].value == 0.75 and figures["touched_obstacle"].value == 0.25
    assert figures["time_to_goal_s"].value == pytest.approx((2 + 6 + 2) / 3)  # the lost drone has none
    assert figures["contacts_per_minute"].value == 1.0
    # one contact with an obstacle in four episodes of 15 s, a minute in all
    assert figures["obstacle_contacts_per_minute"].value == pytest.approx(1.0)
    assert figures["drone_contacts_per_minute"].value == 0.0
    # three drones reached and touched nothing; the fourth did neither as published
    assert (figures["published_success"].value, figures["published_deadlock"].value) == (0.75, 0.25)
    assert list(figures) == list(MEANINGS)
    assert figures["room_success"].value == figures["all_succeeded"].value == 0.5
    # two rooms of 1 and 1/2: resampling rooms can give nothing outside
    assert (figures["success"].low, figures["success"].high) == (0.5, 1.0)


def test_intervals_count_rooms_not_drones() -> None:
    good, bad = make_outcome(success=True), make_outcome(success=False)
    alike = summarise_flights([[good] * 8] * 10 + [[bad] * 8] * 10)["success"]
    mixed = summarise_flights([[good] * 4 + [bad] * 4] * 20)["success"]
    assert alike.value == mixed.value == 0.5
    assert alike.high - alike.low > 0.3 and mixed.high == mixed.low == 0.5
    perfect = summarise_flights([[good] * 8] * 10)["success"]
    assert perfect.high == 1.0 and perfect.low == pytest.approx(0.722, abs=0.001)  # Wilson for 10 of 10


class Still:
    """Rotors at half thrust: the drones rise to the ceiling or fall, none gets anywhere."""

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return np.zeros((len(observation), 4), np.float32)


def test_flies_each_room_once_and_keeps_their_order() -> None:
    family = get_family("quadrotor")
    task = family.resolve_task({"drones": 3, "density": 0.2}, horizon=60)
    rooms = fly_rooms(family, task, Still(), rooms=4, seed=5)
    assert [[outcome.slot for outcome in room] for room in rooms] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert all(outcome.length == 60 for room in rooms for outcome in room)
    figures = measure_flights(family, task, Still(), rooms=4, seed=5)
    assert figures["success"].value == np.mean([outcome.success for room in rooms for outcome in room])
    assert {"strict_success", "path_ratio", "all_succeeded"} - set(figures) <= {"path_ratio"}


def test_broken_policies_and_no_rooms_are_told() -> None:
    class Broken:
        def act(self, observation: NDArray[Any]) -> NDArray[Any]:
            return np.full((len(observation), 4), np.nan)

    family = get_family("quadrotor")
    with pytest.raises(RolloutError, match="non-finite action"):
        fly_rooms(family, family.resolve_task(horizon=5), Broken(), rooms=1, seed=0)
    with pytest.raises(ValueError, match="at least one room"):
        summarise_flights([])
