"""What training showed of each program, put together from rows; the numbers are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from experimenter.records import CurvePoint
from experimenter.research.evidence import term_shares, weigh_rewards
from tests.experimenter.research.search_rows import NATIVE, add_result, add_task, make_program, make_task, open_session

TASK = make_task()
OURS, LATE, NEVER = make_program("1.0"), make_program("2.0"), make_program("3.0")


def test_fitness_lift_and_shares(tmp_path: Path) -> None:
    curve = [CurvePoint(step=i, terms={"up": 3.0, "calm": -1.0}) for i in range(10)]
    with open_session(tmp_path) as services:
        add_task(services, TASK, [NATIVE, OURS, LATE, NEVER])
        for seed in (0, 1):
            add_result(services, TASK, NATIVE, [0.2] * 4, seed=seed)
            add_result(services, TASK, OURS, [0.5] * 4, seed=seed)
        add_result(services, TASK, OURS, [0.9] * 4, steps=3000, curve=curve)
        add_result(services, TASK, LATE, [0.7] * 4, seed=5)
        rewards, jobs = services.journal.rewards(TASK.digest), services.journal.jobs(TASK.digest)
    found = weigh_rewards(rewards, jobs)
    ours = found[OURS.digest]
    assert (ours.steps, ours.seeds, ours.episodes) == (3000, (0,), 4)
    assert ours.fitness_iqm == pytest.approx(0.9)
    # the native reward trained to 1,000 steps only: there ours has 0.5 on the same seeds and worlds, so the lift is 0.3
    assert ours.lift_steps == 1000
    assert ours.lift == pytest.approx(0.3)
    assert ours.native_iqm == pytest.approx(0.2)
    assert ours.shares == {"up": 0.75, "calm": 0.25}
    assert ours.success_rate == 1.0
    assert ours.measures == {"push": pytest.approx(0.45)}
    assert found[LATE.digest].lift is None  # no seed in common with the native reward
    assert found[NATIVE.digest].lift is None
    assert (found[NEVER.digest].fitness_iqm, found[NEVER.digest].steps) == (None, 0)
    assert set(weigh_rewards(rewards, jobs, only={OURS.digest})) == {OURS.digest}
    assert weigh_rewards(rewards, jobs, only={OURS.digest})[OURS.digest] == ours


def test_terms_that_are_all_zero_have_no_shares() -> None:
    assert term_shares([CurvePoint(step=1, terms={"a": 0.0})]) == {}
    assert term_shares([]) == {}
