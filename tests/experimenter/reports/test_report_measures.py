"""Parameters and measures as a report tells them: only what differs from the plain task, and the family's own words for its measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envs.catalog import get_family
from experimenter.records import Evaluation
from experimenter.reports.measures import held_params, list_measures, told_params
from experimenter.research.certifying import _evidence
from experimenter.wording import changed_params


def test_only_what_differs_from_the_plain_task_is_told() -> None:
    task = get_family("quadrotor").resolve_task({"drones": 8, "density": 0.2})
    payload = task.model_dump(mode="json")
    assert told_params(payload) == {"density": 0.2, "drones": 8}
    assert changed_params("quadrotor", get_family("quadrotor").resolve_task().params) == {}
    region = {"drones": (8, 8), "density": (0.2, 0.4), "tilt": (0, 15), "wind": (0, 0)}
    assert held_params(region, payload) == {"density": (0.2, 0.4), "drones": (8.0, 8.0), "tilt": (0.0, 15.0)}


def test_a_family_that_is_gone_tells_all_its_parameters() -> None:
    payload = {"family": "nowhere", "params": {"b": 2, "a": 1}}
    assert told_params(payload) == {"a": 1, "b": 2}


def test_a_certificate_keeps_means_and_intervals_and_the_report_reads_them(tmp_path: Path) -> None:
    evaluation = Evaluation(
        seeds=(1, 2, 3, 4),
        fitness=(0.5,) * 4,
        success=(True,) * 4,
        native_return=(0.0,) * 4,
        length=(1500,) * 4,
        extras={"strict_success": 0.75, "agent_success": 1.0, "made_up": 3.0},
        extras_by_episode={"strict_success": (1.0, 1.0, 1.0, 0.0), "agent_success": (1.0,) * 4},
    )
    evidence = _evidence(evaluation)
    assert evidence.extras_interval["agent_success"] == (1.0, 1.0)
    low, high = evidence.extras_interval["strict_success"]
    assert 0.0 <= low < 0.75 < high == 1.0
    # an artifact's file holds the rule and the probes too
    (tmp_path / "evidence.json").write_text(json.dumps({**evidence.model_dump(mode="json"), "rule": {}, "probes": []}))
    first, second = list_measures("quadrotor", tmp_path)
    assert (first.name, first.value, first.interval) == ("agent_success", 1.0, (1.0, 1.0))
    assert (second.name, second.value, second.interval) == ("strict_success", 0.75, (low, high))
    assert "0.5 m throughout the last second" in second.meaning
    # a family without words of its own shows its measures by name
    assert [one.name for one in list_measures("walker", tmp_path)] == ["agent_success", "made_up", "strict_success"]


@pytest.mark.parametrize("text", ["", "[]", '{"seeds": []}'])
def test_evidence_that_cannot_be_read_leaves_the_table_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "evidence.json").write_text(text)
    assert list_measures("quadrotor", tmp_path) == []


def test_every_measure_of_an_episode_has_its_meaning() -> None:
    """Counts of contacts are told as rates; whether a room's episode was ended early shows in its length."""
    import numpy as np

    from experimenter.evaluation.rollout import merge_outcomes

    family = get_family("quadrotor")
    env = family.make_vec(family.resolve_task({"drones": 2}, horizon=2), 1)
    env.reset(0)
    env.step(np.zeros((2, 4)))
    outcomes = env.step(np.zeros((2, 4))).outcomes
    env.close()
    told = set(getattr(family, "measures", {}))
    untold = set(merge_outcomes(outcomes).extras) - told
    assert untold == {"crashed", "drone_contacts", "obstacle_contacts", "wall_contacts", "floor_contacts"}
