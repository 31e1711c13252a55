"""The records that cross boundaries: frozen, keyword-built, unknown keys refused, digests canonical.

Read in the order of a run: Budget and Spent, Goal, Proposal, Subgoal, RewardProgram, TrainJob, JobResult, Verdict, Floor.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from envs.task import ParamValue, TaskSpec, canonical_digest


class Record(BaseModel):
    """Base of all records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def evolve(self, **changes: Any) -> Self:
        """Return a validated copy with `changes`."""
        return type(self).model_validate({**self.model_dump(), **changes})


class Budget(Record):
    """What a session may spend. None means no limit of that kind."""

    wall_s: float | None = Field(default=None, gt=0)
    """Wall-clock seconds, summed over resumes."""
    env_steps: int | None = Field(default=None, gt=0)
    calls: int | None = Field(default=None, gt=0)
    """Model calls."""
    tokens: int | None = Field(default=None, gt=0)
    money_usd: float | None = Field(default=None, gt=0)


class Spent(Record):
    """What a session has spent so far; `unpriced_calls` counts calls whose price is unknown."""

    wall_s: float = 0.0
    env_steps: int = 0
    calls: int = 0
    tokens: int = 0
    money_usd: float = 0.0
    unpriced_calls: int = 0


class SuccessRule(Record):
    """When a task counts as learnt: the lower end of the success rate's 95% Wilson interval on held-out episodes."""

    min_success_rate: float = Field(default=0.8, gt=0, le=1)
    """Held-out success rate that the point estimate must reach."""
    min_lower_bound: float = Field(default=0.6, ge=0, lt=1)
    """Lower end of the 95% Wilson interval that must be reached too."""
    episodes: int = Field(default=50, ge=20)
    """Held-out episodes behind a certificate."""


class GoalKind(StrEnum):
    TARGET = "target"
    """One task to be learnt; the session stops when it is certified."""
    OPEN = "open"
    """Learn as much as the budget allows; stops when it is spent."""


class Goal(Record):
    text: str = Field(min_length=1)
    family: str
    kind: GoalKind = GoalKind.TARGET
    target: dict[str, ParamValue] = Field(default_factory=dict)
    """Task parameters that the words ask for; the family's defaults where they say nothing."""
    horizon: int = Field(gt=0)
    rule: SuccessRule = SuccessRule()
    reading: str = ""
    """How the goal was understood, in one sentence, for the report."""
    source: str = "rule"
    """`model` or `rule`: who read it."""


class Proposal(Record):
    """A task that the proposer puts forward."""

    params: dict[str, ParamValue]
    reason: str
    """Why it is learnable now and new."""
    source: str
    """`model` or `rule:<name of the rule>`."""


class Subgoal(Record):
    """One step on the way to a task: matched to a skill, or a task of its own."""

    text: str
    params: dict[str, ParamValue]
    skill_id: str | None = None
    source: str = "rule"


class SkillBrief(Record):
    """What roles are told about a skill: words and measured ability."""

    id: str
    name: str
    description: str
    family: str
    params: dict[str, ParamValue]
    region: dict[str, tuple[float, float]] = Field(default_factory=dict)
    success_rate: float
    success_low: float
    fitness_iqm: float


class Reflection(Record):
    """What to change next, and what was learnt."""

    text: str
    """Told to the reward writer of the next generation."""
    lessons: tuple[str, ...] = ()
    contradicted: tuple[int, ...] = ()
    """Places, from 1, of the lessons shown that the results speak against."""
    source: str = "rule"


class RewardKind(StrEnum):
    CODE = "code"
    """Python text by a model or a person."""
    SPECIFICATION = "specification"
    """Typed terms (JSON text) that compile to a program."""
    NATIVE = "native"
    """Baseline: the family's own reward."""
    FITNESS = "fitness"
    """Baseline: the episode's fitness, paid at its end."""


class RewardProgram(Record):
    kind: RewardKind
    source: str = ""
    """Python code, or the specification as canonical JSON; empty for the baselines."""
    rationale: str = ""
    model: str = ""
    """Model that wrote it, or `rule:<name>`, or empty for the baselines."""
    prompt_digest: str = ""
    parents: tuple[str, ...] = ()
    """Digests of the programs it came from."""

    @property
    def digest(self) -> str:
        """Names what the program does: kind and source only, so that the same code written twice is one candidate."""
        return canonical_digest({"kind": self.kind.value, "source": self.source})

    @property
    def is_baseline(self) -> bool:
        return self.kind in (RewardKind.NATIVE, RewardKind.FITNESS) or self.model.startswith("rule:")

    @property
    def is_generated(self) -> bool:
        """True when the text came from a model (or a person) and must run confined."""
        return self.kind is RewardKind.CODE

    @property
    def label(self) -> str:
        """Short name for people: `native`, `fitness`, `rule`, or kind and digest."""
        if self.kind in (RewardKind.NATIVE, RewardKind.FITNESS):
            return self.kind.value
        return f"rule-{self.digest[:6]}" if self.is_baseline else f"{self.kind.value}-{self.digest[:6]}"


class TeacherSpec(Record):
    name: str = "fixed"
    """`fixed` trains on the task's own parameters; other names are teachers in the registry."""
    settings: dict[str, ParamValue] = Field(default_factory=dict)


class TrainJob(Record):
    """One training run as a value. Equal digests mean the same run; the digest names its artifact folder."""

    task: TaskSpec
    reward: RewardProgram
    trainer: str
    settings: dict[str, ParamValue] = Field(default_factory=dict)
    """Trainer settings that differ from its defaults for this family."""
    teacher: TeacherSpec = TeacherSpec()
    seed: int = Field(ge=0)
    """Training seed. Held-out evaluation seeds start at 10**6 and never meet it."""
    budget_steps: int = Field(gt=0)
    """Env steps of the policy's whole life, including those of `continues`."""
    schedule_steps: int = Field(gt=0)
    """Horizon of learning-rate and other schedules: the last rung's budget."""
    continues: str | None = None
    """Digest of the job (same arm, same seed, fewer steps) whose checkpoint this one starts from."""
    start_skill: str | None = None
    """Skill id whose policy weights warm-start this one."""
    eval_episodes: int = Field(default=30, ge=1)
    wall_limit_s: float = Field(default=3600.0, gt=0)
    """Hard kill after this many seconds; not part of the digest."""

    @property
    def digest(self) -> str:
        identity = self.model_dump(exclude={"wall_limit_s", "reward"})
        return canonical_digest({**identity, "reward": self.reward.digest})


class JobStatus(StrEnum):
    DONE = "done"
    STOPPED = "stopped"
    """Ended early on request, with a usable policy."""
    FAILED = "failed"
    KILLED = "killed"
    """Killed at the wall limit."""


class Failure(Record):
    stage: str
    """`sandbox`, `env`, `reward`, `train`, `evaluate`, `worker`."""
    kind: str
    """Class of the failure: exception name, `nan`, `timeout`, `memory`, `screen`."""
    message: str
    traceback: str = ""


class CurvePoint(Record):
    """One point of a learning curve: means over the training episodes that finished since the last point."""

    step: int
    fitness: float | None = None
    success: float | None = None
    reward: float | None = None
    """Mean episode return under the reward program being trained on."""
    native_return: float | None = None
    length: float | None = None
    episodes: int = 0
    terms: dict[str, float] = Field(default_factory=dict)
    """Mean per-step value of each reward term."""
    losses: dict[str, float] = Field(default_factory=dict)
    wall_s: float = 0.0


class Evaluation(Record):
    """Held-out episodes of the deterministic policy, run in a process that saw no generated code."""

    seeds: tuple[int, ...]
    fitness: tuple[float, ...]
    success: tuple[bool, ...]
    native_return: tuple[float, ...]
    length: tuple[int, ...]
    extras: dict[str, float] = Field(default_factory=dict)
    """Means of the family's further measures."""
    extras_by_episode: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Further measures that every episode has, one value an episode; empty in results of earlier versions."""


class JobResult(Record):
    job_digest: str
    status: JobStatus
    failure: Failure | None = None
    curve: tuple[CurvePoint, ...] = ()
    evaluation: Evaluation | None = None
    steps: int = 0
    """Env steps of the policy's whole life."""
    new_steps: int = 0
    """Env steps that this job itself spent (without those of the job that it continues)."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    artifact: str = ""
    """Folder name under the jobs folder, equal to the digest."""

    @property
    def ok(self) -> bool:
        return self.status in (JobStatus.DONE, JobStatus.STOPPED) and self.evaluation is not None


class CurveState(StrEnum):
    CONVERGED = "converged"
    IMPROVING = "improving"
    STUCK = "stuck"
    HACKING = "hacking"


class Decision(StrEnum):
    PROMOTE = "promote"
    """Good enough: put it to the admission test."""
    REVISE = "revise"
    """Write new rewards with a reflection."""
    EXTEND = "extend"
    """Still improving: train on."""
    DROP = "drop"


class Verdict(Record):
    decision: Decision
    state: CurveState
    reasons: tuple[str, ...]
    numbers: dict[str, float] = Field(default_factory=dict)
    """What the statistical rule used: fitness IQM and interval, success rate, slope, plateau test, correlation."""
    winner: str | None = None
    """Digest of the winning reward program."""
    best_job: str | None = None
    """Digest of the job whose policy goes to admission."""
    rule_state: CurveState
    """What the statistical floor said alone."""
    model_state: CurveState | None = None
    """What the model said, when it was asked; it can only raise suspicion, never overrule the floor upward."""
    source: str = "rule"


class Floor(Record):
    """What the statistical rule alone says of a task's results: the floor under every verdict."""

    state: CurveState
    decision: Decision
    numbers: dict[str, float] = Field(default_factory=dict)
    """What the rule used, by name; finite."""
    reasons: tuple[str, ...] = ()
    winner: str | None = None
    """Digest of the winning reward program."""
    best_job: str | None = None
    """Digest of the job whose policy would go to admission."""
