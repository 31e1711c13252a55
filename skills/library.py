"""The skill library: certified skills come in with their evidence, and are found, checked, played and exported.

A skill is a row and an artifact folder. The row is the truth: row, vector and search words are written in one transaction,
and the finished artifact is renamed into place just before it commits, so that a row never lacks its artifact and a killed
admission leaves at most a folder without a row, which the next try replaces. Admitting again with the same key changes nothing.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sqlmodel import Session, col, func, select

from memory.problems import StoreProblem
from memory.queries import get_skill, list_skills
from memory.store import Store
from memory.tables import SkillRow, SkillVectorRow, now
from skills.artifact import ArtifactError, Policy, load_policy
from skills.embedder import Embedder, open_embedder
from skills.export import export_artifact, export_network
from skills.retrieval import SkillIndex
from skills.shelf import check_artifact, evidence_json, place, remove_stale_parts, staged_artifact
from skills.skill import AdmissionRequest, Skill, SkillProblem, brief

__all__ = ["AdmissionRequest", "Library", "LibraryReport", "Match", "Skill", "SkillProblem", "brief"]

_ADMISSION_LOCK = 7_305_212
_EMBED_NOW = 64
"""At most this many skills without a vector of the present embedder are embedded by a search; more by `embed_missing`."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A skill that a search found."""

    skill: Skill
    meaning: float
    """0 to 1, how near its description is to the words."""
    ability: float
    """0 to 1: lower end of its success interval, less where the request lies outside the region of its evidence."""
    score: float
    """Geometric mean of the two."""
    covered: bool
    """True when the region of its evidence contains every requested parameter."""


@dataclass(frozen=True, kw_only=True)
class LibraryReport:
    """Whether rows and artifacts agree."""

    checked: int
    damaged: dict[str, str]
    """Skill id -> what is wrong with its artifact, in one line."""
    orphans: tuple[str, ...]
    """Folders without a row."""
    without_vector: int
    """Skills that the present embedder finds by words only."""

    @property
    def ok(self) -> bool:
        return not self.damaged


class Library:
    """The skills of one store and one artifacts' folder. Safe to share between threads."""

    def __init__(self, store: Store, folder: Path, embedder: Embedder | None = None) -> None:
        self.store = store
        self.folder = folder
        self._given = embedder

    @cached_property
    def embedder(self) -> Embedder:
        """Built at first use."""
        return self._given or open_embedder()

    @cached_property
    def _index(self) -> SkillIndex:
        return SkillIndex(self.store, self.embedder.name)

    def admit(self, request: AdmissionRequest) -> Skill:
        """Certify a policy: check its evidence, store artifact, row, vector and words, and return the skill.

        Raises `SkillProblem` when the evidence does not carry it or the policy does not load. A repeat with the same
        `admission_key` returns the skill that is there, and puts a lost artifact back when it is the same.
        """
        if reason := request.refusal():
            raise SkillProblem(reason)
        if (row := self._by_key(request.admission_key)) is not None:
            return self._restore(row, request)
        remove_stale_parts(self.folder)
        vector = self.embedder.embed([request.description])[0]
        with staged_artifact(self.folder, request) as (part, digest), self.store.transaction() as session:
            self.store.lock(session, _ADMISSION_LOCK)
            row = _find_key(session, request.admission_key)
            if row is None:
                row = _make_row(request, _next_version(session, request.name), digest)
                session.add(row)
                session.flush()
                session.add(SkillVectorRow(skill_id=row.id, embedder=self.embedder.name, vector=_pack(vector)))
                session.flush()
                place(part, self.folder / row.artifact)
        return Skill.from_row(row)

    def find(
        self,
        text: str,
        *,
        family: str | None = None,
        limit: int = 5,
        min_success: float | None = None,
        able_for: Mapping[str, float] | None = None,
    ) -> list[Match]:
        """Find certified skills near `text` in meaning and able by evidence, best first, one version a name.

        `min_success` bounds the lower end of the success interval; `able_for` gives task parameters that a skill should
        master: outside the region of its evidence its ability counts for less. Raises `SkillProblem` for an empty text.
        """
        if not text.strip():
            raise SkillProblem("there is nothing to search for: say what the skill should do")
        self.embed_missing(at_most=_EMBED_NOW)
        vector = self.embedder.embed([text])[0]
        found = self._index.search(text, vector, family=family, limit=limit, min_success=min_success, able_for=able_for)
        rows = self._rows([candidate.skill_id for candidate in found])
        return [
            Match(
                skill=Skill.from_row(rows[c.skill_id]),
                meaning=c.meaning,
                ability=c.ability,
                score=c.score,
                covered=c.covered,
            )
            for c in found
            if c.skill_id in rows
        ]

    def list_skills(
        self, *, family: str | None = None, state: str | None = "certified", limit: int = 1000
    ) -> list[Skill]:
        """Skills, newest first; `state=None` gives revoked ones too."""
        with self.store.read() as session:
            return [Skill.from_row(row) for row in list_skills(session, family=family, state=state, limit=limit)]

    def get(self, wanted: str) -> Skill:
        """The skill of that id, name, `name@version` or unique beginning; raises `SkillProblem` naming what there is."""
        try:
            with self.store.read() as session:
                return Skill.from_row(get_skill(session, wanted))
        except StoreProblem as problem:
            raise SkillProblem(str(problem)) from problem

    def revoke(self, skill: Skill | str, reason: str) -> Skill:
        """Take a certificate back: the skill is no longer found, its row and artifact stay."""
        skill_id = self._skill(skill).id
        with self.store.transaction() as session:
            row = session.get_one(SkillRow, skill_id)
            row.state = "revoked"
            row.provenance = {**row.provenance, "revoked": {"reason": reason, "at": now().isoformat()}}
            session.add(row)
        return Skill.from_row(row)

    def artifact_folder(self, skill: Skill | str) -> Path:
        """Folder of the skill's artifact, checked against its digest; raises `SkillProblem`."""
        skill = self._skill(skill)
        folder = self.folder / skill.artifact
        check_artifact(folder, skill.artifact_digest, skill.label)
        return folder

    def load_policy(self, skill: Skill | str) -> Policy:
        """Build the skill's policy from its checked artifact; raises `SkillProblem`."""
        skill = self._skill(skill)
        try:
            return load_policy(self.artifact_folder(skill))
        except ArtifactError as error:
            raise SkillProblem(f"the policy of skill {skill.label} does not load: {error}") from error

    def export(self, skill: Skill | str, target: Path) -> Path:
        """Write the skill to a new folder, or to a file ending in `.zip`, with a README and a NumPy player; return it."""
        skill = self._skill(skill)
        return export_artifact(skill, self.artifact_folder(skill), target)

    def export_network(self, skill: Skill | str, target: Path, form: str) -> Path:
        """Write the skill's network alone to a new file, as `onnx` or `c`; return it."""
        skill = self._skill(skill)
        return export_network(skill, self.artifact_folder(skill), target, form)

    def verify(self) -> LibraryReport:
        """Check every certified skill's artifact against its row. Reads every file."""
        with self.store.read() as session:
            ids = list(session.exec(select(SkillRow.id)))
            rows = list(session.exec(select(SkillRow).where(SkillRow.state == "certified")))
            vectors = set(
                session.exec(select(SkillVectorRow.skill_id).where(SkillVectorRow.embedder == self.embedder.name))
            )
        damaged: dict[str, str] = {}
        for row in rows:
            try:
                check_artifact(self.folder / row.artifact, row.artifact_digest, f"{row.name}@{row.version}")
            except SkillProblem as problem:
                damaged[row.id] = str(problem)
        return LibraryReport(
            checked=len(rows),
            damaged=damaged,
            orphans=tuple(self._orphans(set(ids))),
            without_vector=sum(row.id not in vectors for row in rows),
        )

    def reap(self) -> list[str]:
        """Delete artifact folders without a row, and return their names. Only on request: another database may know them."""
        with self.store.transaction() as session:
            self.store.lock(session, _ADMISSION_LOCK)
            orphans = self._orphans(set(session.exec(select(SkillRow.id))))
            for name in orphans:
                shutil.rmtree(self.folder / name)
        return orphans

    def embed_missing(self, at_most: int | None = None) -> int:
        """Embed skills that have no vector of the present embedder (it was changed), and return how many."""
        has_vector = select(SkillVectorRow.skill_id).where(SkillVectorRow.embedder == self.embedder.name)
        lacking = select(SkillRow.id, SkillRow.description).where(
            SkillRow.state == "certified", col(SkillRow.id).not_in(has_vector)
        )
        with self.store.read() as session:
            if _count_vectors(session, self.embedder.name) >= _count_skills(session):
                return 0
            rows = session.exec(lacking.limit(at_most) if at_most else lacking).all()
        if not rows:
            return 0
        vectors = self.embedder.embed([description for _, description in rows])
        with self.store.transaction() as session:
            for (skill_id, _), vector in zip(rows, vectors, strict=True):
                row = SkillVectorRow(skill_id=skill_id, embedder=self.embedder.name, vector=_pack(vector))
                self.store.insert_once(session, row, unique=("skill_id", "embedder"))
        return len(rows)

    def _skill(self, skill: Skill | str) -> Skill:
        return self.get(skill) if isinstance(skill, str) else skill

    def _by_key(self, admission_key: str) -> SkillRow | None:
        with self.store.read() as session:
            return _find_key(session, admission_key)

    def _rows(self, ids: list[str]) -> dict[str, SkillRow]:
        with self.store.read() as session:
            return {row.id: row for row in session.exec(select(SkillRow).where(col(SkillRow.id).in_(ids)))}

    def _orphans(self, known: set[str]) -> list[str]:
        folders = self.folder.iterdir() if self.folder.is_dir() else []
        return sorted(
            f.name for f in folders if (f / "card.json").is_file() and f.name not in known and f.name[0] != "."
        )

    def _restore(self, row: SkillRow, request: AdmissionRequest) -> Skill:
        folder = self.folder / row.artifact
        try:
            check_artifact(folder, row.artifact_digest, f"{row.name}@{row.version}")
        except SkillProblem:
            with staged_artifact(self.folder, request) as (part, digest):
                if digest != row.artifact_digest:
                    raise
                place(part, folder)
        return Skill.from_row(row)


def _make_row(request: AdmissionRequest, version: int, digest: str) -> SkillRow:
    evidence = request.evidence
    skill_id = hashlib.sha256(request.admission_key.encode()).hexdigest()[:12]
    return SkillRow(
        id=skill_id,
        name=request.name,
        version=version,
        description=request.description,
        family=request.family,
        task_digest=request.task_digest,
        task=request.task,
        region={name: list(bounds) for name, bounds in request.region.items()},
        episodes=evidence.episodes,
        successes=evidence.successes,
        success_rate=evidence.success_rate,
        success_low=evidence.success_interval[0],
        success_high=evidence.success_interval[1],
        fitness_iqm=evidence.fitness_iqm,
        fitness_low=evidence.fitness_interval[0],
        fitness_high=evidence.fitness_interval[1],
        native_return_mean=evidence.native_return_mean,
        evidence=evidence_json(request),
        reward=request.reward,
        provenance=request.provenance,
        artifact=skill_id,
        artifact_digest=digest,
        admission_key=request.admission_key,
    )


def _find_key(session: Session, admission_key: str) -> SkillRow | None:
    return session.exec(select(SkillRow).where(SkillRow.admission_key == admission_key)).first()


def _next_version(session: Session, name: str) -> int:
    newest = session.exec(select(func.max(SkillRow.version)).where(SkillRow.name == name)).one()
    return int(newest or 0) + 1


def _count_vectors(session: Session, embedder: str) -> int:
    return session.exec(select(func.count()).where(SkillVectorRow.embedder == embedder)).one()


def _count_skills(session: Session) -> int:
    """Revoked ones count too: they may or may not have a vector, so equality means that none can lack one."""
    return session.exec(select(func.count()).select_from(SkillRow)).one()


def _pack(vector: Any) -> bytes:
    packed: bytes = np.asarray(vector, dtype="<f4").tobytes()
    return packed
