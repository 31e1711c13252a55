"""A skill as a record, what it takes to be admitted as one, and the error of this room."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memory.tables import SkillRow
from skills.evidence import Evidence, Probe, find_region

MIN_EPISODES = 20
"""Fewest held-out episodes behind a certificate."""


class SkillProblem(ValueError):
    """A skill is missing, damaged, refused or does not fit; the message is one line for people."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AdmissionRequest(_Record):
    """A trained policy put forward for a certificate. The same `admission_key` asks for the same skill again."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,79}$")
    """Short name; a name that exists already gets the next version."""
    description: str = Field(min_length=1)
    """What it does, in words: what retrieval by meaning reads."""
    family: str
    task: dict[str, Any]
    """TaskSpec as plain JSON: family, params, horizon, seed."""
    task_digest: str
    policy_folder: Path
    """Where `policy.json` and `policy.safetensors` lie; they are copied."""
    evidence: Evidence
    """Held-out episodes at the task's own parameters."""
    probes: tuple[Probe, ...] = ()
    """Held-out episodes at other parameters: they stretch or limit the region."""
    min_success_rate: float = Field(default=0.8, ge=0, le=1)
    min_lower_bound: float = Field(default=0.6, ge=0, lt=1)
    """What the lower end of the 95% Wilson interval must reach."""
    reward: dict[str, Any] = Field(default_factory=dict)
    """RewardProgram as plain JSON."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Session, job, parents, versions, training seeds, trainer and settings, env steps. No clock times: a repeat must be equal."""
    admission_key: str = Field(min_length=1)
    """Digest of (session, task, job)."""

    @model_validator(mode="after")
    def _has_params(self) -> Self:
        if not isinstance(self.task.get("params"), dict):
            raise ValueError("the task has no params: expected a TaskSpec as plain JSON")
        return self

    @property
    def region(self) -> dict[str, tuple[float, float]]:
        """Task parameter -> (low, high) in which the evidence holds."""
        return find_region(self.task["params"], self.probes, self.min_lower_bound)

    def refusal(self) -> str:
        """Say in one line why the evidence does not carry a certificate; empty when it does."""
        evidence, (low, _) = self.evidence, self.evidence.success_interval
        done = f"{evidence.successes} of {evidence.episodes} held-out episodes succeeded"
        if evidence.episodes < MIN_EPISODES:
            return f"{self.name} has {evidence.episodes} held-out episodes: a certificate needs at least {MIN_EPISODES}"
        if evidence.success_rate < self.min_success_rate:
            return f"{self.name}: {done}, below the rule's success rate of {self.min_success_rate:g}: train on"
        if low < self.min_lower_bound:
            return (
                f"{self.name}: {done}, so the success rate may be as low as {low:.2f}, below the rule's"
                f" {self.min_lower_bound:g}: evaluate on more episodes or train on"
            )
        return ""


class Skill(_Record):
    """A certified skill, as its row tells it."""

    id: str
    name: str
    version: int
    description: str
    family: str
    task: dict[str, Any]
    task_digest: str
    region: dict[str, tuple[float, float]]
    """Task parameter -> (low, high) in which the evidence holds."""
    episodes: int
    successes: int
    success_rate: float
    success_low: float
    """Lower end of the 95% Wilson interval."""
    success_high: float
    fitness_iqm: float
    fitness_low: float
    fitness_high: float
    native_return_mean: float
    evidence: dict[str, Any]
    reward: dict[str, Any]
    provenance: dict[str, Any]
    artifact: str
    """Folder name under the skills folder."""
    artifact_digest: str
    state: str
    """certified or revoked."""
    created_at: datetime

    @classmethod
    def from_row(cls, row: SkillRow) -> Self:
        """Read a row; raises `SkillProblem` when it is not one that this program could have written."""
        try:
            return cls.model_validate({name: getattr(row, name) for name in cls.model_fields})
        except ValidationError as error:
            first = error.errors()[0]
            raise SkillProblem(f"the row of skill {row.id} is damaged: {first['loc'][0]} {first['msg']}") from error

    @property
    def params(self) -> dict[str, float | int | str | bool]:
        """Task parameters at which it was trained and certified."""
        return dict(self.task.get("params", {}))

    @property
    def horizon(self) -> int:
        """Longest episode, in control steps."""
        return int(self.task.get("horizon", 0))

    @property
    def label(self) -> str:
        """Name with version, such as `walk-flat@2`: finds exactly this skill."""
        return f"{self.name}@{self.version}"


def brief(skill: Skill) -> dict[str, Any]:
    """What roles are told about a skill: the fields of `SkillBrief`, JSON-plain."""
    names = ("id", "name", "description", "family", "params", "region", "success_rate", "success_low", "fitness_iqm")
    return {name: getattr(skill, name) for name in names}
