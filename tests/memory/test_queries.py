"""Named read queries, on SQLite and on PostgreSQL alike; expected values are in view."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import SQLModel

from memory.problems import StoreProblem
from memory.queries import (
    TaskNode,
    get_session,
    get_skill,
    list_calls,
    list_events,
    list_jobs,
    list_lessons,
    list_rewards,
    list_sessions,
    list_skills,
    list_tasks,
    list_verdicts,
    sum_calls,
    task_tree,
)
from memory.store import Store
from memory.tables import (
    CallRow,
    EventRow,
    JobRow,
    LessonRow,
    RewardRow,
    SessionRow,
    SkillRow,
    TaskRow,
    VerdictRow,
)


def make_session(session_id: str, day: int = 1, **values: Any) -> SessionRow:
    created = datetime(2026, 1, day, tzinfo=UTC)
    return SessionRow(**{"id": session_id, "goal_text": "walk", "created_at": created, **values})


def make_skill(skill_id: str, name: str, version: int = 1, **values: Any) -> SkillRow:
    plain: dict[str, Any] = {
        "description": f"does {name}",
        "family": "walker",
        "task_digest": "t",
        "admission_key": skill_id,
    }
    return SkillRow(**{"id": skill_id, "name": name, "version": version, **plain, **values})


def make_call(key: str, role: str, **values: Any) -> CallRow:
    plain: dict[str, Any] = {
        "session_id": "s1",
        "state": "ok",
        "cost_usd": 0.5,
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "latency_s": 0.25,
    }
    return CallRow(**{"key": key, "role": role, **plain, **values})


def write(store: Store, *rows: SQLModel) -> None:
    for row in rows:
        with store.transaction() as session:
            session.add(row)


def test_sessions_newest_first_and_by_state(store: Store) -> None:
    write(store, make_session("a", 1, spent={"calls": 3}), make_session("b", 2, state="done"), make_session("c", 3))
    with store.read() as session:
        assert [row.id for row in list_sessions(session)] == ["c", "b", "a"]
        assert [row.id for row in list_sessions(session, state="done")] == ["b"]
        assert [row.id for row in list_sessions(session, limit=1)] == ["c"]
        assert list_sessions(session)[2].spent == {"calls": 3}


def test_a_session_is_found_by_id_or_unique_beginning(store: Store) -> None:
    write(store, make_session("abc1"), make_session("abd2"), make_session("ab"))
    with store.read() as session:
        assert get_session(session, "abc").id == "abc1"
        assert get_session(session, "ab").id == "ab"  # exact before beginning


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("a", "'a' fits several sessions: ab2, ab1. Give more of the id."),
        ("x", "no session 'x'. Newest: ab2, ab1."),
        ("", "no session ''. Newest: ab2, ab1."),
        ("%", "no session '%'. Newest: ab2, ab1."),
        ("'; DROP TABLE session; --", 'no session "\'; DROP TABLE session; --". Newest: ab2, ab1.'),
    ],
)
def test_an_ambiguous_or_unknown_session_is_one_line(store: Store, wanted: str, line: str) -> None:
    write(store, make_session("ab1", 1), make_session("ab2", 2))
    with store.read() as session, pytest.raises(StoreProblem) as caught:
        get_session(session, wanted)
    assert str(caught.value) == line


def test_no_session_at_all_is_said(store: Store) -> None:
    with store.read() as session, pytest.raises(StoreProblem, match="There is none yet"):
        get_session(session, "a")


def test_tasks_come_as_a_tree_in_their_order(store: Store) -> None:
    write(store, make_session("s1"), make_session("s2"))
    write(store, TaskRow(id=1, session_id="s1", task_digest="a", position=0))
    write(store, TaskRow(id=2, session_id="s1", task_digest="b", kind="subgoal", parent_id=1, position=2))
    write(store, TaskRow(id=3, session_id="s1", task_digest="c", kind="subgoal", parent_id=1, position=1))
    write(store, TaskRow(id=4, session_id="s1", task_digest="d", kind="subgoal", parent_id=3, position=0))
    write(store, TaskRow(id=5, session_id="s2", task_digest="a"))

    def shape(nodes: tuple[TaskNode, ...]) -> list[object]:
        return [[node.row.task_digest, shape(node.children)] for node in nodes]

    with store.read() as session:
        assert shape(task_tree(session, "s1")) == [["a", [["c", [["d", []]]], ["b", []]]]]
        assert [row.task_digest for row in list_tasks(session, "s1")] == ["a", "d", "c", "b"]


def test_rewards_jobs_and_verdicts_of_a_session_or_one_task(store: Store) -> None:
    write(store, make_session("s1"), make_session("s2"))
    for n, (owner, task) in enumerate([("s1", "t1"), ("s1", "t2"), ("s2", "t1")]):
        write(
            store,
            RewardRow(session_id=owner, task_digest=task, reward_digest=f"r{n}", fate="won", reason="best"),
            JobRow(session_id=owner, task_digest=task, reward_digest=f"r{n}", job_digest=f"j{n}", state="done", rung=1),
            JobRow(
                session_id=owner, task_digest=task, reward_digest=f"r{n}", job_digest=f"k{n}", state="failed", rung=0
            ),
            VerdictRow(session_id=owner, task_digest=task, generation=n, decision="promote"),
        )
    with store.read() as session:
        assert [(r.reward_digest, r.fate, r.reason) for r in list_rewards(session, "s1", "t2")] == [
            ("r1", "won", "best")
        ]
        assert [r.reward_digest for r in list_rewards(session, "s1")] == ["r0", "r1"]
        assert [r.job_digest for r in list_jobs(session, "s1")] == ["k0", "k1", "j0", "j1"]
        assert [r.job_digest for r in list_jobs(session, "s1", "t1", state="done")] == ["j0"]
        assert [r.generation for r in list_verdicts(session, "s1")] == [0, 1]
        assert [r.generation for r in list_verdicts(session, "s1", "t2")] == [1]


def test_calls_are_summed_by_role(store: Store) -> None:
    write(
        store,
        make_call("1", "judge"),
        make_call("2", "judge", cost_usd=None),
        make_call("3", "judge", cost_usd=None, cached=True, prompt_tokens=0, completion_tokens=0, latency_s=0.0),
        make_call("4", "judge", cost_usd=None, state="in_flight", prompt_tokens=0, completion_tokens=0, latency_s=0.0),
        make_call("5", "goal", state="invalid", cost_usd=0.0),
        make_call("6", "goal", state="failed", cost_usd=None, session_id="other"),
    )
    with store.read() as session:
        goal, judge = sum_calls(session, "s1")
        both = sum_calls(session)
        assert [row.key for row in list_calls(session, "s1", role="judge")] == ["1", "2", "3", "4"]
    assert (judge.role, judge.calls, judge.cached, judge.in_flight, judge.unpriced) == ("judge", 4, 1, 1, 1)
    assert (judge.prompt_tokens, judge.completion_tokens, judge.cost_usd, judge.latency_s) == (20, 8, 0.5, 0.5)
    assert (goal.role, goal.calls, goal.invalid, goal.failed, goal.unpriced, goal.cost_usd) == ("goal", 1, 1, 0, 0, 0.0)
    assert (both[0].calls, both[0].failed, both[0].unpriced) == (2, 1, 1)


def test_no_calls_sum_to_nothing(store: Store) -> None:
    with store.read() as session:
        assert sum_calls(session, "s1") == []


def test_events_are_followed_by_id(store: Store) -> None:
    write(store, *[EventRow(session_id="s1", key=str(n), kind="k", text=f"line {n}") for n in range(5)])
    with store.read() as session:
        first = list_events(session, "s1", limit=2)
        rest = list_events(session, "s1", after_id=first[-1].id or 0)
    assert [row.text for row in first] == ["line 0", "line 1"]
    assert [row.text for row in rest] == ["line 2", "line 3", "line 4"]


def test_lessons_newest_first_without_the_withdrawn(store: Store) -> None:
    write(store, make_session("s1"))
    for key, family, grade in [("a", "walker", "firm"), ("b", "walker", "withdrawn"), ("c", "gym:X", "likely")]:
        write(store, LessonRow(session_id="s1", key=key, family=family, grade=grade, text=key))
    with store.read() as session:
        assert [row.key for row in list_lessons(session)] == ["c", "a"]
        assert [row.key for row in list_lessons(session, family="walker")] == ["a"]
        assert [row.key for row in list_lessons(session, session_id="s1", withdrawn=True)] == ["c", "b", "a"]


def test_skills_by_id_name_version_or_beginning(store: Store) -> None:
    write(store, make_skill("aa11", "walk-flat"), make_skill("aa22", "walk-flat", 2), make_skill("bb33", "climb"))
    with store.read() as session:
        for wanted, found in [
            ("aa11", "aa11"),
            ("walk-flat", "aa22"),
            ("walk-flat@1", "aa11"),
            ("aa2", "aa22"),
            ("wal", "aa22"),
            ("cl", "bb33"),
        ]:
            assert get_skill(session, wanted).id == found, wanted


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("aa", "'aa' fits several skills: aa11, aa22. Give more of the name or id."),
        ("walk-flatt", "no skill 'walk-flatt'. Did you mean walk-flat?"),
        ("zzz", "no skill 'zzz'. There are: climb, walk-flat."),
        ("walk-flat@9", "no skill 'walk-flat@9'. Did you mean walk-flat?"),
        ("", "no skill ''. There are: climb, walk-flat."),
    ],
)
def test_an_ambiguous_or_unknown_skill_is_one_line(store: Store, wanted: str, line: str) -> None:
    write(store, make_skill("aa11", "walk-flat"), make_skill("aa22", "walk-flat", 2), make_skill("bb33", "climb"))
    with store.read() as session, pytest.raises(StoreProblem) as caught:
        get_skill(session, wanted)
    assert str(caught.value) == line


def test_an_empty_library_is_said(store: Store) -> None:
    with store.read() as session, pytest.raises(StoreProblem, match="the library is empty"):
        get_skill(session, "walk")


def test_skills_listed_by_family_and_state(store: Store) -> None:
    write(store, make_skill("a", "x"), make_skill("b", "y", family="gym:X"), make_skill("c", "z", state="revoked"))
    with store.read() as session:
        assert {row.id for row in list_skills(session)} == {"a", "b"}
        assert [row.id for row in list_skills(session, family="gym:X")] == ["b"]
        assert {row.id for row in list_skills(session, state=None)} == {"a", "b", "c"}
