"""Retrieval: skills near in meaning and able by evidence, over one matrix in memory.

The rows are the truth; this index is a cache of them that is rebuilt when rows come, go or are revoked. A skill that has no
vector of the present embedder is still found by its words, so index and rows can't diverge into an error.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session, func, select

from memory.search import search_words
from memory.store import Store
from memory.tables import SkillRow, SkillVectorRow

Region = Mapping[str, Sequence[float]]

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

    @property
    def score(self) -> float:
        """Geometric mean: a skill must be near in meaning AND able."""
        return sqrt(self.meaning * self.ability)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The certified skills as columns; row i of everything is skill i."""

    mark: tuple[int, ...]
    ids: list[str]
    names: list[str]
    families: list[str]
    success_low: list[float]
    regions: list[Region]
    vectors: NDArray[np.float32]
    """[n, d] unit rows; zeros where a skill has no vector of this embedder."""
    embedded: NDArray[np.bool_]


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
            snapshot = self._fresh(session)
            words = dict(search_words(session, text, _WORD_HITS))
        if not snapshot.ids:
            return []
        meaning = _meaning(snapshot, vector, words)
        found = []
        for i in np.flatnonzero(meaning > 0).tolist():
            if (family is not None and snapshot.families[i] != family) or snapshot.success_low[i] < (
                min_success or 0.0
            ):
                continue
            closeness = _closeness(snapshot.regions[i], able_for or {})
            ability = snapshot.success_low[i] * closeness
            found.append((sqrt(meaning[i] * ability), i, ability, closeness == 1.0))
        best = _best_of_each_name(sorted(found, reverse=True), snapshot.names, limit)
        return [
            Candidate(skill_id=snapshot.ids[i], meaning=float(meaning[i]), ability=ability, covered=covered)
            for _, i, ability, covered in best
        ]

    def _fresh(self, session: Session) -> Snapshot:
        with self._lock:
            mark = _mark(session, self._embedder)
            if self._snapshot is None or self._snapshot.mark != mark:
                self._snapshot = _load(session, self._embedder, mark)
            return self._snapshot


def _mark(session: Session, embedder: str) -> tuple[int, ...]:
    """Changes whenever a skill is added, revoked or embedded: none of the three numbers ever goes back."""
    states = session.exec(select(SkillRow.state, func.count()).group_by(SkillRow.state)).all()
    count = dict(states)
    vectors = session.exec(select(func.count()).where(SkillVectorRow.embedder == embedder)).one()
    return count.get("certified", 0), sum(count.values()), vectors


def _load(session: Session, embedder: str, mark: tuple[int, ...]) -> Snapshot:
    columns = (SkillRow.id, SkillRow.name, SkillRow.family, SkillRow.success_low, SkillRow.region)
    rows = session.exec(select(*columns).where(SkillRow.state == "certified")).all()  # type: ignore[call-overload]
    stored = select(SkillVectorRow.skill_id, SkillVectorRow.vector).where(SkillVectorRow.embedder == embedder)
    blobs = dict(session.exec(stored).all())
    width = max((len(blob) for blob in blobs.values()), default=4)
    empty = bytes(width)
    chosen = [blob if len(blob := blobs.get(row[0], empty)) == width else empty for row in rows]
    vectors = np.frombuffer(b"".join(chosen), dtype="<f4").reshape(len(rows), width // 4)
    ids, names, families, lows, regions = (list(c) for c in zip(*rows, strict=True)) if rows else ([], [], [], [], [])
    return Snapshot(
        mark=mark,
        ids=ids,
        names=names,
        families=families,
        success_low=lows,
        regions=regions,
        vectors=vectors.astype(np.float32, copy=False),
        embedded=np.array([row[0] in blobs for row in rows], dtype=np.bool_),
    )


def _meaning(snapshot: Snapshot, vector: NDArray[np.float32], words: Mapping[str, float]) -> NDArray[np.float64]:
    """[n] in 0..1: the cosine where there is a vector, with shared words as a floor under it."""
    fits = vector.shape[0] == snapshot.vectors.shape[1]
    meaning: NDArray[np.float64] = np.zeros(len(snapshot.ids))
    if fits:
        meaning = np.clip((snapshot.vectors @ vector).astype(np.float64), 0.0, 1.0)
    top = max(words.values(), default=0.0)
    if top > 0:
        share = np.array([words.get(skill_id, 0.0) for skill_id in snapshot.ids]) / top
        weight = np.where(snapshot.embedded & fits, _WORDS_BESIDE_MEANING, 1.0)
        meaning = np.maximum(meaning, np.clip(share, 0.0, 1.0) * weight)
    return meaning


def _closeness(region: Region, wanted: Mapping[str, float]) -> float:
    """1 inside the region, falling with the distance outside; a parameter without evidence counts as 100% away."""
    total = 0.0
    for name, value in wanted.items():
        bounds = region.get(name)
        if bounds is None:
            total += 1.0
            continue
        beyond = max(bounds[0] - value, value - bounds[1], 0.0)
        total += beyond / max(abs(bounds[0]), abs(bounds[1]), abs(value), 1e-12)
    return exp(-_FALL_OFF * total) if total else 1.0


def _best_of_each_name(
    found: Sequence[tuple[float, int, float, bool]], names: Sequence[str], limit: int
) -> list[tuple[float, int, float, bool]]:
    seen: set[str] = set()
    best: list[tuple[float, int, float, bool]] = []
    for entry in found:
        if len(best) == limit:
            break
        if names[entry[1]] not in seen:
            seen.add(names[entry[1]])
            best.append(entry)
    return best
