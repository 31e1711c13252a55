"""The bench of the trainer `swarm`: a tiny arm through training, artifact and flight, found again, and its table."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from experimenter.bench.swarm import ABLATION, ARMS, SHOWN, Arm, Flight, list_arms, run_arm, summarise, table, train_arm
from experimenter.cli.bench_swarm import swarm
from experimenter.errors import JobError, UsageError
from experimenter.evaluation.drones import MEANINGS

TINY = Arm(
    params={"drones": 2, "density": 0.2},
    steps=512,
    settings={"agents": 8, "hidden": "8x8"},
    flights={"2_drones": Flight(params={"drones": 2, "density": 0.2}, rooms=2)},
)


def test_a_run_is_trained_flown_and_found_again(tmp_path: Path) -> None:
    run = run_arm("tiny", TINY, 0, tmp_path)
    assert (run["arm"], run["seed"], run["steps"]) == ("tiny", 0, 512) and run["cpu_s"] > 0
    assert 0.0 <= run["flights"]["2_drones"]["success"]["value"] <= 1.0
    (stored,) = tmp_path.glob("*/result.json")
    changed = {**json.loads(stored.read_text()), "cpu_s": 123.0}
    stored.write_text(json.dumps(changed))
    assert run_arm("tiny", TINY, 0, tmp_path) == changed  # read, not run
    assert run_arm("tiny", dataclasses.replace(TINY, steps=768), 0, tmp_path)["steps"] == 768
    printed = table({"summary": summarise([run])}).splitlines()
    assert printed[1].startswith("tiny -> 2_drones") and "512" in printed[1]
    # every figure of the evaluation is shown, ours and the published ones
    shown = [line.split()[0] for line in printed[4:]]
    assert shown == [name for name in MEANINGS if name in run["flights"]["2_drones"]]
    assert {"published_success", "strict_success", "obstacle_contacts_per_minute", "effort"} <= set(shown)


def test_the_summary_names_the_worst_seed() -> None:
    def make_run(seed: int, success: float) -> dict[str, object]:
        figures = {name: {"value": success, "low": success - 0.1, "high": 1.0} for name in SHOWN}
        return {"arm": "a", "seed": seed, "steps": 1, "cpu_s": 10.0 * seed, "flights": {"f": figures}}

    row = summarise([make_run(1, 0.9), make_run(2, 0.96)])["a -> f"]
    assert row["figures"]["success"] == pytest.approx({"mean": 0.93, "low": 0.8, "high": 1.0})
    assert (row["worst_success"], row["cpu_s"], row["seeds"], row["steps"]) == (0.9, 15.0, 2, 1)


def test_a_training_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="unknown setting 'hiden'"):
        train_arm(dataclasses.replace(TINY, settings={"hiden": "8"}), 0, tmp_path)


def test_the_ablation_is_at_equal_steps_and_headline_flights_have_200_drone_episodes() -> None:
    assert len({(arm.steps, str(arm.params)) for arm in ABLATION.values()}) == 1
    for arm in (*ARMS.values(), *ABLATION.values()):
        for flight in arm.flights.values():
            assert flight.rooms * int(flight.params["drones"]) >= 200
    with pytest.raises(UsageError, match=r"unknown arm 'nine' of bench swarm\. Known: one, eight"):
        swarm(folder=None, quick=False, arm=["nine"], seeds=1, json=False)
    assert list(list_arms(quick=True)) == ["one"]
