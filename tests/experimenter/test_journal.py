"""The journal: every write is repeatable, every read gives back what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from envs.task import TaskSpec
from experimenter.config import SessionConfig
from experimenter.errors import UsageError
from experimenter.journal import Event, Journal, start_session
from experimenter.records import (
    CurveState,
    Decision,
    JobResult,
    JobStatus,
    Reflection,
    RewardKind,
    RewardProgram,
    TrainJob,
    Verdict,
)
from memory.store import Store, open_store

TASK = TaskSpec(family="walker", params={"stump_height": 0.5}, horizon=1600)
NATIVE = RewardProgram(kind=RewardKind.NATIVE)
JOB = TrainJob(task=TASK, reward=NATIVE, trainer="ppo", seed=0, budget_steps=1000, schedule_steps=1000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "experimenter.db")
    yield opened
    opened.close()


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store, start_session(store, "walk", SessionConfig(candidates=2), "1"))


def test_the_config_comes_back(journal: Journal) -> None:
    assert journal.config() == SessionConfig(candidates=2)


def test_an_unknown_session_is_one_clear_line(store: Store) -> None:
    with pytest.raises(UsageError, match="session list"):
        Journal(store, "nobody").session()


def test_events_are_written_and_heard_once(store: Store, journal: Journal) -> None:
    heard: list[Event] = []
    listening = Journal(store, journal.session_id, heard.append)
    assert listening.event("goal", "goal", "walk", {"a": 1})
    assert not listening.event("goal", "goal", "walk again", {"a": 2})
    assert [event.text for event in heard] == ["walk"]
    assert listening.event_data("goal") == {"a": 1}


def test_tasks_keep_their_first_row_and_their_parent(journal: Journal) -> None:
    easy = TaskSpec(family="walker", params={"stump_height": 0.0}, horizon=1600)
    assert journal.add_task(TASK, text="stumps")
    assert not journal.add_task(TASK, text="stumps again")
    assert journal.add_task(easy, kind="subgoal", text="flat", parent=TASK.digest)
    journal.set_task(easy.digest, "certified", "good", "skill-1")
    target, subgoal = journal.tasks()
    assert (target.text, target.state, target.position) == ("stumps", "queued", 0)
    assert (subgoal.parent_id, subgoal.state, subgoal.skill_id) == (target.id, "certified", "skill-1")
    assert journal.task(TASK.digest) == TASK


def test_a_result_counts_once_however_often_it_comes(journal: Journal) -> None:
    result = JobResult(job_digest=JOB.digest, status=JobStatus.DONE, steps=1000, new_steps=1000, wall_s=2.0)
    journal.plan_jobs([JOB, JOB], generation=0, rung=0)
    journal.plan_jobs([JOB], generation=1, rung=0)
    journal.finish_job(result)
    journal.finish_job(result.evolve(new_steps=5000))
    assert [(row.generation, row.state) for row in journal.jobs(TASK.digest)] == [(0, "done")]
    assert journal.spent().env_steps == 1000


def test_rewards_keep_their_first_generation_and_change_fate(journal: Journal) -> None:
    journal.add_rewards(TASK.digest, [NATIVE], 0, "racing")
    journal.add_rewards(TASK.digest, [NATIVE], 1, "racing")
    journal.set_fates(TASK.digest, {NATIVE.digest: ("won", "best"), "unknown": ("won", "never written")})
    assert [(row.generation, row.fate, row.reason) for row in journal.rewards(TASK.digest)] == [(0, "won", "best")]


def test_a_verdict_is_given_once_and_carries_its_reflection(journal: Journal) -> None:
    verdict = Verdict(
        decision=Decision.REVISE, state=CurveState.STUCK, reasons=("no success",), rule_state=CurveState.STUCK
    )
    journal.add_verdict(TASK.digest, 0, verdict)
    journal.add_verdict(TASK.digest, 0, verdict.evolve(decision=Decision.DROP))
    journal.add_reflection(TASK.digest, 0, Reflection(text="pay for progress", lessons=("falls dominate",)), "walker")
    journal.add_reflection(TASK.digest, 0, Reflection(text="pay for progress", lessons=("falls dominate",)), "walker")
    (row,) = journal.verdicts(TASK.digest)
    assert (row.decision, row.reflection) == ("revise", "pay for progress")


def test_wall_seconds_are_what_was_last_written(journal: Journal) -> None:
    journal.write_wall(12.5, 1)
    journal.write_wall(14.0, None)
    assert journal.spent().wall_s == 14.0
