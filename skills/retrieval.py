"""Retrieval: skills near in meaning and able by evidence, over one matrix in memory.

The rows are the truth; this index is a cache of them that is rebuilt when rows come, go or are revoked. A skill that has no
vector of the present embedder is still found by its words, so index and rows can't diverge into an error.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session, func, select

from memory.search import search_words
from memory.store import Store
from memory.tables import SkillRow, SkillVectorRow

Floats = NDArray[np.float64]

_WORD_HITS = 200
_WORDS_BESIDE_MEANING = 0.5
"""Most that shared words alone count for a skill that has a vector."""
_FALL_OFF = 3.0
"""Outside the region ability falls by e^-3 for each 100% (of the largest number involved) that the request lies beyond."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A skill's place in one search."""

    skill_id: str
    meaning: float
    """0 to 1: cosine of the embeddings, or how well its words fit when there are none."""
    ability: float
    """0 to 1: lower end of its success interval, less where the request lies outside its region."""
    covered: bool
    """True when the evidence's region contains every requested parameter."""
    score: float
    """Geometric mean of the two: a skill must be near in meaning AND able."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The certified skills as columns; row i of everything is skill i."""

    mark: tuple[int, ...]
    ids: list[str]
    names: list[str]
    families: NDArray[np.str_]
    success_low: Floats
    vectors: NDArray[np.float32]
    """[n, d] unit rows; zeros where a skill has no vector of this embedder."""
    embedded: NDArray[np.bool_]
    row_of: dict[str, int]
    regions: list[Mapping[str, tuple[float, float]]] = field(default_factory=list)
    """Filled by the first search that asks for task parameters."""


class SkillIndex:
    """Keeps the newest snapshot of one store for one embedder. Safe to share between threads."""

    def __init__(self, store: Store, embedder: str) -> None:
        self._store = store
        self._embedder = embedder
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def search(
        self,
        text: str,
        vector: NDArray[np.float32],
        *,
        family: str | None,
        limit: int,
        min_success: float | None,
        able_for: Mapping[str, float] | None,
    ) -> list[Candidate]:
        """Return the best `limit` skills, one a name, best first. `vector` is the text's embedding [d]."""
        with self._store.read() as session:
            snapshot = self._fresh(session, with_regions=bool(able_for))
            words = dict(search_words(session, text, _WORD_HITS))
        meaning = _meaning(snapshot, vector, words)
        closeness = _closeness(snapshot, able_for or {})
        ability = snapshot.success_low * closeness
        wanted = (meaning > 0) & (snapshot.success_low >= (min_success or 0.0))
        if family is not None:
            wanted &= snapshot.families == family
        score = np.sqrt(meaning * ability)
        return [
            Candidate(
                skill_id=snapshot.ids[i],
                meaning=float(meaning[i]),
                ability=float(ability[i]),
                covered=bool(closeness[i] == 1.0),
                score=float(score[i]),
            )
            for i in _best_of_each_name(score, wanted, snapshot.names, limit)
        ]

    def _fresh(self, session: Session, *, with_regions: bool) -> Snapshot:
        with self._lock:
            mark = _mark(session, self._embedder)
            if self._snapshot is None or self._snapshot.mark != mark:
                self._snapshot = _load(session, self._embedder, mark)
            if with_regions and len(self._snapshot.regions) != len(self._snapshot.ids):
                self._snapshot.regions[:] = _load_regions(session, self._snapshot.ids)
            return self._snapshot


def _mark(session: Session, embedder: str) -> tuple[int, ...]:
    """Changes whenever a skill is added, revoked or embedded: none of these counts but the first ever goes back."""
    count = dict(session.exec(select(SkillRow.state, func.count()).group_by(SkillRow.state)).all())
    vectors = session.exec(select(func.count()).where(SkillVectorRow.embedder == embedder)).one()
    return count.get("certified", 0), sum(count.values()), vectors


def _load(session: Session, embedder: str, mark: tuple[int, ...]) -> Snapshot:
    connection = session.connection()
    columns = (SkillRow.id, SkillRow.name, SkillRow.family, SkillRow.success_low)
    rows = connection.execute(select(*columns).where(SkillRow.state == "certified")).all()
    stored = select(SkillVectorRow.skill_id, SkillVectorRow.vector).where(SkillVectorRow.embedder == embedder)
    blobs: dict[str, bytes] = dict(connection.execute(stored).all())
    width = max((len(blob) for blob in blobs.values()), default=4)
    empty = bytes(width)
    chosen = [blob if len(blob := blobs.get(row[0], empty)) == width else empty for row in rows]
    return Snapshot(
        mark=mark,
        ids=[row[0] for row in rows],
        names=[row[1] for row in rows],
        families=np.array([row[2] for row in rows], dtype=np.str_),
        success_low=np.array([row[3] for row in rows], dtype=np.float64),
        vectors=np.frombuffer(b"".join(chosen), dtype="<f4")
        .reshape(len(rows), width // 4)
        .astype(np.float32, copy=False),
        embedded=np.array([row[0] in blobs for row in rows], dtype=np.bool_),
        row_of={row[0]: i for i, row in enumerate(rows)},
    )


def _load_regions(session: Session, ids: list[str]) -> list[Mapping[str, tuple[float, float]]]:
    regions: dict[str, Mapping[str, tuple[float, float]]] = dict(
        session.connection().execute(select(SkillRow.id, SkillRow.region)).all()
    )
    return [regions.get(skill_id, {}) for skill_id in ids]


def _meaning(snapshot: Snapshot, vector: NDArray[np.float32], words: Mapping[str, float]) -> Floats:
    """[n] in 0..1: the cosine where there is a vector, with shared words as a floor under it."""
    fits = vector.shape[0] == snapshot.vectors.shape[1]
    meaning: Floats = np.zeros(len(snapshot.ids))
    if fits:
        meaning = np.clip((snapshot.vectors @ vector).astype(np.float64), 0.0, 1.0)
    top = max(words.values(), default=0.0)
    for skill_id, score in words.items():
        if (i := snapshot.row_of.get(skill_id)) is not None and top > 0:
            weight = _WORDS_BESIDE_MEANING if fits and snapshot.embedded[i] else 1.0
            meaning[i] = max(meaning[i], min(score / top, 1.0) * weight)
    return meaning


def _closeness(snapshot: Snapshot, wanted: Mapping[str, float]) -> Floats:
    """[n]: 1 inside the region, falling with the distance outside; a parameter without evidence counts as 100% away."""
    total: Floats = np.zeros(len(snapshot.ids))
    for name, value in wanted.items():
        bounds = np.array([region.get(name, (np.nan, np.nan)) for region in snapshot.regions]).reshape(-1, 2)
        low, high = bounds[:, 0], bounds[:, 1]
        beyond = np.maximum(np.maximum(low - value, value - high), 0.0)
        largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), max(abs(value), 1e-12))
        total += np.where(np.isnan(low), 1.0, beyond / largest)
    return np.exp(-_FALL_OFF * total)


def _best_of_each_name(score: Floats, wanted: NDArray[np.bool_], names: list[str], limit: int) -> list[int]:
    rows = np.flatnonzero(wanted)
    seen: set[str] = set()
    best: list[int] = []
    for i in rows[np.argsort(-score[rows], kind="stable")].tolist():
        if len(best) == limit:
            break
        if names[i] not in seen:
            seen.add(names[i])
            best.append(i)
    return best
