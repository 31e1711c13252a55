"""The trainers' benchmark: its arithmetic by hand, and a tiny real run of its learning part."""

from __future__ import annotations

import numpy as np
import pytest

from experimenter.bench import trainers


def test_the_curve_averages_windows_and_finds_where_marks_are_passed() -> None:
    # 60 episodes of return 100 in the first 60k steps, then 60 of 260 up to 120k
    log = [(1000 * i, 100.0) for i in range(1, 61)] + [(1000 * i, 260.0) for i in range(61, 121)]
    curve, passed = trainers._curve(log)
    # up to 100k: 60 episodes of 100 and 40 of 260
    assert curve == [[100_000.0, pytest.approx((60 * 100 + 40 * 260) / 100)]]
    # mean of the last 50 with k of 260: 100 + 160 k / 50 >= 200 from k = 32 on (31.25), >= 250 from k = 47 on (46.9)
    assert passed == {"200": 92_000, "250": 107_000}


def test_the_curve_of_a_short_run_is_empty() -> None:
    assert trainers._curve([]) == ([], {})


def test_the_bootstrap_interval_holds_the_mean_and_shrinks_to_a_point() -> None:
    assert trainers._nested_bootstrap(np.full((3, 5), 7.0)) == (7.0, 7.0)
    returns = np.array([[0.0] * 4, [10.0] * 4])  # seeds differ, episodes do not: the means drawn are 0, 5 and 10
    assert trainers._nested_bootstrap(returns) == (0.0, 10.0)


def test_learning_runs_for_real_and_lays_out() -> None:
    measured = trainers.measure_learning(
        seeds=(0,), steps=1024, episodes=2, settings={"rollout_steps": 16, "epochs": 1}
    )
    (run,) = measured["runs"]
    assert run["steps"] == 1024 and len(run["returns"]) == 2 and run["low"] <= run["mean"] <= run["high"]
    assert measured["worst_seed_mean"] == pytest.approx(np.mean(run["returns"]))
    text = trainers.table(measured)
    assert "1,024 steps, 2 episodes a seed" in text and f"{run['mean']:.1f}" in text


def test_the_speed_table_shows_every_arm() -> None:
    measured = {
        "steps": 100,
        "seeds": [0],
        "steps_per_cpu_s": {"ppo": 8000.0, "sb3_zoo": 2000.0, "sb3_batch_1024": 4000.0, "sb3_zoo_stock": 1600.0},
        "ratio": {"sb3_zoo": 4.0, "sb3_batch_1024": 2.0, "sb3_zoo_stock": 5.0},
    }
    text = trainers.table(measured)
    assert "8,000" in text and "4.00x" in text and "batch 1024" in text
