"""The bench of `fly`: its figures by hand, a short run through the trainer, and that a finished run is found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envs.family import EpisodeOutcome
from experimenter.bench.fly import Plan, describe, measure, summarise, table


def make_outcome(length: int) -> EpisodeOutcome:
    return EpisodeOutcome(
        slot=0,
        params={},
        fitness=0.0,
        success=False,
        native_return=0.0,
        length=length,
        extras={"last_second_distance_m": 0.25},
    )


def test_survival_by_hand() -> None:
    found = describe([make_outcome(500)] * 3 + [make_outcome(100)])
    assert found["survived"] == 0.75
    assert found["mean_steps"] == 400.0
    assert found["last_second_distance_m"] == 0.25
    assert found["low"] < 0.75 < found["high"]
    assert "last_second_distance_m" not in describe([make_outcome(10)])
    runs = [{"survived": 0.5, "cpu_s": 10.0}, {"survived": 1.0, "cpu_s": 30.0}]
    assert summarise(runs) == {"seeds": 2.0, "survived": 0.75, "worst": 0.5, "cpu_s": 20.0, "most_cpu_s": 30.0}


def test_a_finished_run_is_found_again(tmp_path: Path) -> None:
    plan = Plan(steps=600, settings={"num_envs": 32, "warm_steps": 256, "replay_steps": 2000, "batch": 32})
    first = measure(tmp_path, seeds=(7,), plan=plan)
    (run,) = first["runs"]
    assert run["seed"] == 7 and run["cpu_s"] > 0
    # a policy that has learnt nothing falls off the leash of 0.6 m in the first seconds
    assert run["survived"] < 0.5 and 5 < run["mean_steps"] < 400
    (stored,) = tmp_path.glob("*/result.json")
    stored.write_text(json.dumps({**run, "survived": 0.125}))
    again = measure(tmp_path, seeds=(7,), plan=plan)
    assert again["runs"][0]["survived"] == 0.125
    assert table(again).splitlines()[1].split()[:2] == ["7", "0.125"]
    assert again["summary"]["worst"] == pytest.approx(0.125)
