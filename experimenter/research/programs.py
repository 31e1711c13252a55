"""Reward programs as people look them up: the facts of one, and its ancestors. Reads rows of an open session; prints nothing.

The objects made here are what `reward list|show|diff --json` print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlmodel import Session

from experimenter.records import RewardProgram
from experimenter.research.evidence import weigh_rewards
from memory.problems import StoreProblem
from memory.queries import find_rewards, get_session, list_jobs, list_remembered, list_rewards, resolve_reward
from memory.tables import RewardRow, TaskRow

KINDS = ("code", "specification", "native", "fitness", "winner", "instructive", "failure")
"""What a program is, or why it is remembered."""
_DEEPEST = 12
Pair = tuple[RewardRow, TaskRow]
_Place = tuple[str, str, str]
"""Session, task digest, reward digest."""


def list_programs(
    reading: Session,
    *,
    family: str | None = None,
    task: str | None = None,
    session: str | None = None,
    kind: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Facts of reward programs, newest first. `task` and `session` may be beginnings; raises `StoreProblem` for an unknown session."""
    only = get_session(reading, session).id if session else None
    pairs = find_rewards(reading, family=family, task_digest=task, session_id=only, limit=100_000)
    kept = _remembered(reading)
    fitting = [
        pair for pair in pairs if kind is None or kind in (pair[0].payload.get("kind"), kept.get(_place(pair[0])))
    ]
    return _facts(reading, fitting[:limit], kept)


def look_up(
    reading: Session, wanted: str, *, task: str | None = None, session: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts and lineage of one program in its newest task, or in the one asked for; raises `StoreProblem`."""
    digest = resolve_reward(reading, wanted)
    only = get_session(reading, session).id if session else None
    pairs = find_rewards(reading, digest=digest, task_digest=task, session_id=only)
    if not pairs:
        raise StoreProblem(
            f"reward program {digest} was not in that task or session: experimenter reward show {digest} finds where it was."
        )
    (facts,) = _facts(reading, pairs[:1], _remembered(reading))
    others = [{"session": row.session_id, "task": row.task_digest, "fate": row.fate} for row, _ in pairs[1:]]
    return {**facts, "also_in": others}, _lineage(reading, pairs[0][0])


def _facts(reading: Session, pairs: Sequence[Pair], kept: Mapping[_Place, str]) -> list[dict[str, Any]]:
    evidence = _evidence(reading, [_place(row) for row, _ in pairs])
    return [_fact(row, task, kept.get(_place(row)), evidence[_place(row)]) for row, task in pairs]


def _fact(row: RewardRow, task: TaskRow, remembered: str | None, evidence: Mapping[str, Any]) -> dict[str, Any]:
    program = RewardProgram.model_validate(row.payload)
    return {
        "digest": row.reward_digest,
        "label": program.label,
        "kind": program.kind.value,
        "family": str(task.payload.get("family", "")),
        "params": task.payload.get("params", {}),
        "task": row.task_digest,
        "session": row.session_id,
        "author": program.model,
        "generation": row.generation,
        "island": row.island,
        "operator": row.operator or ("baseline" if program.is_baseline else ""),
        "slot": row.slot,
        "fate": row.fate,
        "reason": row.reason,
        "remembered": remembered,
        "parents": list(program.parents),
        "rationale": program.rationale,
        "source": program.source,
        "evidence": evidence,
    }


def _lineage(reading: Session, row: RewardRow) -> dict[str, Any]:
    """The program as a tree: its parents, theirs and so on, each with what it reached in the same task."""
    rows = {one.reward_digest: one for one in list_rewards(reading, row.session_id, row.task_digest)}
    parents = {digest: RewardProgram.model_validate(one.payload).parents for digest, one in rows.items()}
    family: dict[str, None] = {}
    queue = [row.reward_digest]
    while queue:
        digest = queue.pop()
        if digest in rows and digest not in family:
            family[digest] = None
            queue += parents[digest]
    evidence = _evidence(reading, [_place(rows[digest]) for digest in family])

    def node(digest: str, below: tuple[str, ...]) -> dict[str, Any]:
        if digest not in rows:
            return {"digest": digest, "label": f"{digest[:6]} (not in this session)", "parents": []}
        one = rows[digest]
        above = [parent for parent in parents[digest] if parent not in below] if len(below) < _DEEPEST else []
        return {
            "digest": digest,
            "label": RewardProgram.model_validate(one.payload).label,
            "generation": one.generation,
            "operator": one.operator,
            "fate": one.fate,
            "evidence": evidence[_place(one)],
            "parents": [node(parent, (*below, digest)) for parent in above],
        }

    return node(row.reward_digest, ())


def _evidence(reading: Session, places: Iterable[_Place]) -> dict[_Place, dict[str, Any]]:
    wanted: dict[tuple[str, str], set[str]] = {}
    for session_id, task, digest in places:
        wanted.setdefault((session_id, task), set()).add(digest)
    found: dict[_Place, dict[str, Any]] = {}
    for (session_id, task), digests in wanted.items():
        weighed = weigh_rewards(list_rewards(reading, session_id, task), list_jobs(reading, session_id, task), digests)
        found |= {(session_id, task, digest): one.model_dump(mode="json") for digest, one in weighed.items()}
    return found


def _remembered(reading: Session) -> dict[_Place, str]:
    rows = list_remembered(reading, limit=100_000)
    return {(row.session_id, row.task_digest, row.reward_digest): row.kind for row in rows}


def _place(row: RewardRow) -> _Place:
    return row.session_id, row.task_digest, row.reward_digest
