"""Reward programs over all sessions, found by family, task, session and beginnings of digests."""

from __future__ import annotations

import pytest

from memory.problems import StoreProblem
from memory.queries import find_rewards, list_feedback, list_remembered, resolve_reward
from memory.store import Store
from memory.tables import FeedbackRow, RewardMemoryRow, RewardRow, SessionRow, TaskRow


@pytest.fixture(autouse=True)
def _rows(store: Store) -> None:
    with store.transaction() as session:
        session.add_all([SessionRow(id=name, goal_text="walk") for name in ("s1", "s2")])
        session.flush()
        for place, (owner, task, family) in enumerate(
            [("s1", "aa1", "walker"), ("s2", "aa1", "walker"), ("s2", "bb2", "quantum")]
        ):
            for kind in ("task", "subgoal") if task == "bb2" else ("task",):
                session.add(
                    TaskRow(session_id=owner, task_digest=task, kind=kind, position=place, payload={"family": family})
                )
            for digest in ("c0de11", f"c0de2{place}"):
                session.add(RewardRow(session_id=owner, task_digest=task, reward_digest=digest))
                session.flush()


def found(store: Store, **wanted: object) -> list[tuple[str, str, str]]:
    with store.read() as session:
        pairs = find_rewards(session, **wanted)  # type: ignore[arg-type]
        return [(row.session_id, task.task_digest, row.reward_digest) for row, task in pairs]


def test_newest_first_once_each_even_where_a_task_is_a_subgoal_too(store: Store) -> None:
    assert found(store) == [
        ("s2", "bb2", "c0de22"), ("s2", "bb2", "c0de11"), ("s2", "aa1", "c0de21"),
        ("s2", "aa1", "c0de11"), ("s1", "aa1", "c0de20"), ("s1", "aa1", "c0de11"),
    ]  # fmt: skip
    assert len(found(store, limit=2)) == 2


def test_by_family_task_session_and_digest(store: Store) -> None:
    assert {row[1] for row in found(store, family="quantum")} == {"bb2"}
    assert {row[0] for row in found(store, session_id="s1")} == {"s1"}
    assert {row[1] for row in found(store, task_digest="aa")} == {"aa1"}
    assert len(found(store, digest="c0de11")) == 3


def test_a_program_is_named_by_its_digest_its_label_or_a_unique_beginning(store: Store) -> None:
    with store.read() as session:
        assert resolve_reward(session, "c0de11") == "c0de11"
        assert resolve_reward(session, "code-c0de20") == "c0de20"
        assert resolve_reward(session, "c0de1") == "c0de11"
        with pytest.raises(StoreProblem, match="fits several reward programs: c0de20, c0de21, c0de22"):
            resolve_reward(session, "c0de2")
        for wrong in ("ffff", "", "code-"):
            with pytest.raises(StoreProblem, match="reward list shows them"):
                resolve_reward(session, wrong)


def test_remembered_programs_and_feedback_are_listed(store: Store) -> None:
    with store.transaction() as session:
        for family, kind in (("walker", "winner"), ("walker", "failure"), ("quantum", "winner")):
            row = RewardMemoryRow(
                session_id="s1", task_digest=f"{family}{kind}", reward_digest="c0de11", family=family, kind=kind
            )
            session.add(row)
            session.flush()
        session.add(FeedbackRow(session_id="s1", key="1", text="less energy"))
    with store.read() as session:
        assert [row.kind for row in list_remembered(session, family="walker")] == ["failure", "winner"]
        assert [row.family for row in list_remembered(session, kind="winner")] == ["quantum", "walker"]
        assert [row.text for row in list_feedback(session, "s1")] == ["less energy"]
