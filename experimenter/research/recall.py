"""Reward memory: programs that taught something are kept with their evidence and shown to later tasks like theirs.

Kept when a task's search ends: the winner, the largest lift over the native reward, the largest drop below it, and what the audit
suspects. Never a baseline's text. A row and its embedding are written in one transaction; a program that is there already stays.
Shown: first programs of the same family, nearest task parameters first; then of families whose goal and world mean nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlmodel import Session, col, select

from envs.catalog import get_family
from envs.family import Card
from envs.task import TaskSpec
from experimenter.records import RewardProgram
from experimenter.research.evidence import RewardEvidence, weigh_rewards
from experimenter.research.feedback import clean
from experimenter.roles.ability import distance
from experimenter.roles.common import words_of
from experimenter.services import Services
from memory.queries import list_remembered
from memory.store import Store
from memory.tables import RewardMemoryRow, RewardVectorRow
from prompts.templates import number
from skills.embedder import Embedder

WINNER, INSTRUCTIVE, FAILURE = "winner", "instructive", "failure"
_MOST_SUSPECTED = 2
_ALIKE = 0.45
"""Cosine from which a task of another family is like this one: poles and pendulums reach 0.47 to 0.76, walkers 0.44 to 0.66,
unlike families at most 0.38 (goal and title, both embedders)."""
_MOST_SOURCE = 3500
"""Characters of program text that are shown; a longer program is passed over, never cut."""
_MOST_WORDS = 400
_EMBED_NOW = 64


def remember_rewards(services: Services, task_digest: str) -> int:
    """Keep what the finished search of a task taught; returns how many programs are new. Doing it again changes nothing."""
    journal = services.journal
    rewards = journal.rewards(task_digest)
    evidence = weigh_rewards(rewards, journal.jobs(task_digest))
    programs = {row.reward_digest: RewardProgram.model_validate(row.payload) for row in rewards}
    won = [row.reward_digest for row in rewards if row.fate == "won"]
    chosen = choose(programs, evidence, won)
    if not chosen:
        return 0
    task, goal = journal.task(task_digest), journal.goal().text
    card = get_family(task.family).card()
    rows = [
        RewardMemoryRow(
            session_id=journal.session_id,
            task_digest=task_digest,
            reward_digest=digest,
            family=task.family,
            task=task.model_dump(mode="json"),
            goal_text=goal,
            kind=kind,
            text=_meaning(goal, card, task, programs[digest].rationale),
            evidence=evidence[digest].model_dump(mode="json"),
            program=programs[digest].model_dump(mode="json"),
        )
        for digest, kind in chosen.items()
    ]
    new = _keep(services.store, rows, services.library.embedder)
    text = f"{len(rows)} reward programs are remembered: {', '.join(f'{programs[d].label} ({k})' for d, k in chosen.items())}"
    journal.event(f"remembered:{task_digest}", "memory", text)
    return new


def choose(
    programs: Mapping[str, RewardProgram], evidence: Mapping[str, RewardEvidence], won: Iterable[str]
) -> dict[str, str]:
    """Which programs are worth keeping, and as what: digest -> winner, instructive or failure. Pure; baselines never."""
    written = {
        digest: evidence[digest] for digest, one in programs.items() if not one.is_baseline and digest in evidence
    }
    trained = {digest: one for digest, one in written.items() if one.fitness_iqm is not None}
    chosen = {digest: WINNER for digest in won if digest in trained}
    lifts = {digest: one.lift for digest, one in trained.items() if one.lift is not None and digest not in chosen}
    suspected = [digest for digest, one in trained.items() if one.hacked and digest not in chosen]
    worst = min(lifts, key=lambda digest: lifts[digest], default=None)
    best = max(lifts, key=lambda digest: lifts[digest], default=None)
    for digest in suspected[:_MOST_SUSPECTED]:
        chosen.setdefault(digest, FAILURE)
    if best is not None and lifts[best] > 0:
        chosen.setdefault(best, INSTRUCTIVE)
    if worst is not None and lifts[worst] < 0:
        chosen.setdefault(worst, FAILURE)
    return chosen


def recall_examples(services: Services, task: TaskSpec, goal_text: str, limit: int = 2) -> tuple[str, ...]:
    """Texts of remembered programs for tasks like `task`, best fit first, with what they came to in words.

    At most one of them is a failure, and it stands last. Programs of this session's own run of the task are left out: their
    authors know them. The texts are printable, bounded, and hold no baseline's code.
    """
    with services.store.read() as session:
        own = services.journal.session_id
        rows = [r for r in list_remembered(session) if (r.session_id, r.task_digest) != (own, task.digest)]
    shown = [row for row in rows if not _program(row).is_baseline and len(_program(row).source) <= _MOST_SOURCE]
    ranked = _rank(services, shown, task, goal_text)
    return tuple(describe(row, task) for row in _pick(ranked, limit))


def describe(row: RewardMemoryRow, task: TaskSpec | None = None) -> str:
    """One remembered program as a reward writer is shown it: where it was used, what it came to, and its text."""
    program, evidence, theirs = (
        _program(row),
        RewardEvidence.model_validate(row.evidence),
        TaskSpec.model_validate(row.task),
    )
    if task is None or theirs.family == task.family:
        world = f"the same world ({theirs.family})" if task else theirs.family
    else:
        world = f"ANOTHER world ({theirs.family}): its state variables are not yours, only the idea carries over"
    heads = {
        WINNER: "A program that won its race",
        INSTRUCTIVE: "A program that did well",
        FAILURE: "A program that FAILED; avoid its fault",
    }
    params = words_of(theirs.params, get_family(theirs.family).card())
    lines = [
        f"{heads.get(row.kind, 'A program')}, in {world}, task: {params}.",
        f"Result: {result_in_words(evidence)}.",
    ]
    if program.rationale:
        lines.append(f"Its idea: {clean(program.rationale, _MOST_WORDS)}")
    return "\n".join([*lines, "```", _printable(program.source).strip(), "```"])


def result_in_words(evidence: RewardEvidence) -> str:
    """The evidence in one sentence, without its full stop."""
    parts = [
        f"fitness {number(evidence.fitness_iqm)} ({number(evidence.fitness_low)} to {number(evidence.fitness_high)})"
    ]
    if evidence.success_rate is not None:
        parts.append(f"success {100 * evidence.success_rate:.0f}%")
    parts.append(
        f"after {evidence.steps:,} steps on {len(evidence.seeds)} training seed{'s' * (len(evidence.seeds) != 1)}"
    )
    if evidence.lift is not None:
        side = "above" if evidence.lift >= 0 else "below"
        parts.append(f"{number(abs(evidence.lift))} {side} the human-written reward at equal steps")
    parts += [f"suspected: {clean(text, _MOST_WORDS)}" for text in evidence.suspicions[:1]]
    return "; ".join(parts)


def _rank(services: Services, rows: Sequence[RewardMemoryRow], task: TaskSpec, goal_text: str) -> list[RewardMemoryRow]:
    """Same family first, by natural steps between the tasks; then other families above the floor of likeness, nearest first."""
    card = get_family(task.family).card()
    same = [row for row in rows if row.family == task.family]
    same.sort(key=lambda row: (distance(card, row.task.get("params", {}), task.params), -_lift(row), -(row.id or 0)))
    others = [row for row in rows if row.family != task.family]
    if not others:
        return same
    alike = _likeness(services, others, _meaning(goal_text, card, task, ""))
    near = [row for row in others if alike.get(row.id or 0, 0.0) >= _ALIKE]
    near.sort(key=lambda row: (-alike[row.id or 0], -_lift(row), -(row.id or 0)))
    return same + near


def _pick(ranked: Sequence[RewardMemoryRow], limit: int) -> list[RewardMemoryRow]:
    """The best-ranked distinct programs: successes first, and one failure in the last place when there is room for it."""
    distinct = list({row.reward_digest: row for row in reversed(ranked)}.values())[::-1]
    good = [row for row in distinct if row.kind != FAILURE]
    bad = [row for row in distinct if row.kind == FAILURE]
    warning = bad[:1] if limit > 1 else []
    return [*good[: max(0, limit - len(warning))], *warning]


def _likeness(services: Services, rows: Sequence[RewardMemoryRow], text: str) -> dict[int, float]:
    """Row id -> cosine of its embedding with `text`'s; rows without a vector of the present embedder get one first."""
    embedder = services.library.embedder
    _embed_missing(services.store, rows, embedder)
    wanted = embedder.embed([text])[0]
    ids = [row.id for row in rows]
    with services.store.read() as session:
        query = select(RewardVectorRow).where(RewardVectorRow.embedder == embedder.name)
        found = list(session.exec(query.where(col(RewardVectorRow.reward_memory_id).in_(ids))))
    vectors = {row.reward_memory_id: np.frombuffer(row.vector, dtype="<f4") for row in found}
    return {one: float(vector @ wanted) for one, vector in vectors.items() if vector.shape == wanted.shape}


def _keep(store: Store, rows: Sequence[RewardMemoryRow], embedder: Embedder) -> int:
    vectors = embedder.embed([row.text for row in rows])
    new = 0
    with store.transaction() as session:
        for row, vector in zip(rows, vectors, strict=True):
            if _known(session, row) is None:
                session.add(row)
                session.flush()
                assert row.id is not None
                session.add(RewardVectorRow(reward_memory_id=row.id, embedder=embedder.name, vector=_pack(vector)))
                new += 1
    return new


def _embed_missing(store: Store, rows: Sequence[RewardMemoryRow], embedder: Embedder) -> None:
    with store.read() as session:
        query = select(RewardVectorRow.reward_memory_id).where(RewardVectorRow.embedder == embedder.name)
        known = set(session.exec(query))
    lacking = [(row.id, row.text) for row in rows if row.id is not None and row.id not in known][:_EMBED_NOW]
    if not lacking:
        return
    vectors = embedder.embed([text for _, text in lacking])
    with store.transaction() as session:
        for (row_id, _), vector in zip(lacking, vectors, strict=True):
            row = RewardVectorRow(reward_memory_id=row_id, embedder=embedder.name, vector=_pack(vector))
            store.insert_once(session, row, unique=("reward_memory_id", "embedder"))


def _known(session: Session, row: RewardMemoryRow) -> int | None:
    return session.exec(
        select(RewardMemoryRow.id).where(
            RewardMemoryRow.session_id == row.session_id,
            RewardMemoryRow.task_digest == row.task_digest,
            RewardMemoryRow.reward_digest == row.reward_digest,
        )
    ).first()


def _meaning(goal: str, card: Card, task: TaskSpec, rationale: str) -> str:
    """What is embedded: the goal, the family's title, the task's parameters and the program's idea."""
    parts = [
        goal.rstrip("."),
        card.title.rstrip("."),
        words_of(task.params, card) if task.params else "",
        clean(rationale, _MOST_WORDS),
    ]
    return ". ".join(part for part in parts if part)


def _program(row: RewardMemoryRow) -> RewardProgram:
    return RewardProgram.model_validate(row.program)


def _lift(row: RewardMemoryRow) -> float:
    lift: Any = row.evidence.get("lift")
    return float(lift) if lift is not None else 0.0


def _printable(source: str) -> str:
    """Program text without control characters and without a fence of its own."""
    kept = "".join(c for c in source if c.isprintable() or c in "\n\t")
    return kept.replace("```", "'''")


def _pack(vector: Any) -> bytes:
    packed: bytes = np.asarray(vector, dtype="<f4").tobytes()
    return packed
