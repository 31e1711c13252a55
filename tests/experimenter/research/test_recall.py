"""Reward memory: what is kept when a search ends, and what a later task like it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from envs.catalog import get_family
from experimenter.records import RewardKind, RewardProgram
from experimenter.research.agenda import close_task
from experimenter.research.evidence import RewardEvidence
from experimenter.research.recall import choose, recall_examples, remember_rewards
from experimenter.rewards.specification import rule_specification
from experimenter.services import Services
from memory.queries import list_remembered
from memory.tables import RewardMemoryRow, RewardVectorRow
from tests.experimenter.research.search_rows import (
    CART,
    NATIVE,
    add_result,
    add_task,
    make_program,
    make_task,
    open_session,
)

WINNER, GOOD, PLAIN, BAD = (make_program(f"{i}.0") for i in range(1, 5))
NEAR, FAR = make_task(pole_length=1.0), make_task(pole_length=2.0)


def search(
    services: Services, task: object = NEAR, programs: tuple[RewardProgram, ...] = (WINNER, GOOD, PLAIN, BAD)
) -> None:
    """A search that ended: native 0.3; the first program won with 0.9; the others 0.6, 0.3 and 0.1."""
    assert isinstance(task, type(NEAR))
    rule = rule_specification(get_family(CART).card()) if task.family == CART else NATIVE
    add_task(services, task, list({p.digest: p for p in (NATIVE, rule, *programs)}.values()))
    for program, fitness in zip((NATIVE, *programs), (0.3, 0.9, 0.6, 0.3, 0.1), strict=False):
        add_result(services, task, program, [fitness] * 4)
    services.journal.set_fates(task.digest, {programs[0].digest: ("won", "best")})


def kept(services: Services) -> dict[str, str]:
    with services.store.read() as session:
        return {row.reward_digest: row.kind for row in list_remembered(session)}


def test_winner_largest_lift_and_largest_drop_are_kept_once(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        search(services)
        assert remember_rewards(services, NEAR.digest) == 3
        assert kept(services) == {WINNER.digest: "winner", GOOD.digest: "instructive", BAD.digest: "failure"}
        assert remember_rewards(services, NEAR.digest) == 0  # a step that is done again after a kill
        with services.store.read() as session:
            rows = session.exec(select(RewardMemoryRow)).all()
            vectors = session.exec(select(RewardVectorRow)).all()
        assert {vector.reward_memory_id for vector in vectors} == {row.id for row in rows}
        (winner,) = [row for row in rows if row.kind == "winner"]
        assert winner.evidence["lift"] == pytest.approx(0.6)
        assert winner.evidence["steps"] == 1000
        assert "balance the pole" in winner.text
        assert "keep it upright" in winner.text


def test_a_task_that_closes_is_remembered(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        search(services)
        close_task(services, NEAR.digest)
        close_task(services, "")
        assert len(kept(services)) == 3
        assert services.journal.tasks()[0].state == "dropped"


def test_a_program_that_the_audit_flags_is_a_failure_and_baselines_are_never_kept() -> None:
    programs = {one.digest: one for one in (NATIVE, WINNER, PLAIN, RewardProgram(kind=RewardKind.FITNESS))}
    flagged = RewardEvidence(steps=9, fitness_iqm=0.4, lift=0.1, hacked=True, suspicions=("reward rises alone",))
    evidence = {digest: RewardEvidence(steps=9, fitness_iqm=0.3, lift=0.2) for digest in programs} | {
        PLAIN.digest: flagged
    }
    assert choose(programs, evidence, [NATIVE.digest]) == {PLAIN.digest: "failure", WINNER.digest: "instructive"}
    assert choose(programs, {NATIVE.digest: evidence[NATIVE.digest]}, [NATIVE.digest]) == {}


def test_the_same_world_is_recalled_nearest_first_with_its_evidence(tmp_path: Path) -> None:
    other = tuple(make_program(f"10.{i}") for i in range(4))
    with open_session(tmp_path) as services:
        search(services, FAR, other)
        remember_rewards(services, FAR.digest)
    with open_session(tmp_path) as services:
        search(services)
        remember_rewards(services, NEAR.digest)
    with open_session(tmp_path, goal="keep the pole up") as services:
        texts = recall_examples(services, make_task(pole_length=1.1), "keep the pole up", limit=4)
        one = recall_examples(services, make_task(pole_length=1.9), "keep the pole up", limit=1)
    assert [next(name for name in ("return 1.0", "return 2.0", "return 10.", "return 4.0") if name in text) for text in texts] == [
        "return 1.0", "return 2.0", "return 10.", "return 4.0",
    ]  # fmt: skip
    assert "won its race" in texts[0]
    assert (
        "fitness 0.9 (0.9 to 0.9); success 100%; after 1,000 steps on 1 training seed; 0.6 above the human-written"
        in texts[0]
    )
    assert "FAILED" in texts[-1]
    assert "0.2 below" in texts[-1]
    assert "return 10.0" in one[0]


def test_another_family_is_recalled_only_when_it_is_alike(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        search(services)
        remember_rewards(services, NEAR.digest)
    with open_session(tmp_path, goal="balance both poles", family="gym:InvertedDoublePendulum-v5") as services:
        (text, _) = recall_examples(services, make_task("gym:InvertedDoublePendulum-v5"), "balance the pole")
        assert "ANOTHER world (gym:CartPole-v1)" in text
        assert recall_examples(services, make_task("quantum"), "find the ground state of a small molecule") == ()


def test_a_sessions_own_task_is_not_recalled_and_an_empty_memory_says_nothing(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        assert recall_examples(services, NEAR, "balance the pole") == ()
        search(services)
        remember_rewards(services, NEAR.digest)
        assert recall_examples(services, NEAR, "balance the pole") == ()


def test_foreign_text_is_cleaned_and_a_long_program_is_passed_over_not_cut(tmp_path: Path) -> None:
    nasty = RewardProgram(
        kind=RewardKind.CODE,
        source="def compute_reward(s, a, n):\n    # ``` \x1b[31m\x00 end\n    return 7.0\n",
        rationale="line one\nline two \x07" + "x" * 2000,
        model="strong",
    )
    long = RewardProgram(kind=RewardKind.CODE, source="# pad\n" * 1000, model="strong")
    with open_session(tmp_path) as services:
        search(services, NEAR, (nasty, long))
        remember_rewards(services, NEAR.digest)
        assert set(kept(services)) == {nasty.digest, long.digest}
    with open_session(tmp_path) as services:
        (text,) = recall_examples(services, NEAR, "balance the pole")
    assert text.count("```") == 2
    assert all(c.isprintable() or c == "\n" for c in text)
    assert len(text) < 1500


def test_programs_without_a_vector_of_this_embedder_get_one(tmp_path: Path) -> None:
    with open_session(tmp_path) as services:
        search(services)
        remember_rewards(services, NEAR.digest)
        with services.store.transaction() as session:
            for row in session.exec(select(RewardVectorRow)):
                row.embedder = "an-older-one@1"
                session.add(row)
    with open_session(tmp_path, family="gym:InvertedDoublePendulum-v5") as services:
        assert len(recall_examples(services, make_task("gym:InvertedDoublePendulum-v5"), "balance the pole")) == 2
        with services.store.read() as session:
            assert len(session.exec(select(RewardVectorRow)).all()) == 6
