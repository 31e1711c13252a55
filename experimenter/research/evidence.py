"""What training showed of each reward program of a task, put together from the rows: for reward memory and `reward list|show|diff`.

Pure functions of rows; nothing here reads a database, a model or a policy, and nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

from pydantic import Field

from experimenter.evaluation.statistics import paired_lift, pooled_iqm
from experimenter.records import CurvePoint, Evaluation, Record, RewardKind
from experimenter.rewards.audit import Audit, audit_curve
from memory.tables import JobRow, RewardRow

_USABLE = ("done", "stopped")
_MOST_SUSPICIONS = 3


class RewardEvidence(Record):
    """One reward program in one task of one session. Fitness is the family's own, without a person's weights."""

    steps: int = 0
    """Env steps of its longest training."""
    seeds: tuple[int, ...] = ()
    """Training seeds of that training."""
    episodes: int = 0
    """Held-out episodes behind the fitness."""
    fitness_iqm: float | None = None
    fitness_low: float | None = None
    """Ends of the 95% bootstrap interval of the interquartile mean."""
    fitness_high: float | None = None
    success_rate: float | None = None
    native_iqm: float | None = None
    """The native reward's fitness at `lift_steps`, on the same seeds."""
    lift: float | None = None
    """Interquartile mean of the difference to the native reward, over pairs of the same training seed and world."""
    lift_low: float | None = None
    lift_high: float | None = None
    lift_steps: int = 0
    """Env steps of the comparison: the longest training that both had."""
    measures: dict[str, float] = Field(default_factory=dict)
    """Means of the family's further measures."""
    shares: dict[str, float] = Field(default_factory=dict)
    """Each term's part of the sum of all terms' mean sizes over training, 0 to 1."""
    suspicions: tuple[str, ...] = ()
    """What the audit for reward hacking says of its curves, strong suspicions first."""
    hacked: bool = False
    """True when the audit's answer for one of its seeds is that the reward is being hacked; suspicions alone may be remarks."""
    failures: tuple[str, ...] = ()
    """Stage and message of its jobs that failed."""


def weigh_rewards(
    rewards: Sequence[RewardRow], jobs: Sequence[JobRow], only: Collection[str] | None = None
) -> dict[str, RewardEvidence]:
    """Evidence of the programs of one task, by digest; of `only` these digests when given.

    `rewards` and `jobs` are all of that task's rows in one session.
    """
    natives = {row.reward_digest for row in rewards if row.payload.get("kind") == RewardKind.NATIVE.value}
    native = _by_steps([job for job in jobs if job.reward_digest in natives])
    wanted = [row.reward_digest for row in rewards if only is None or row.reward_digest in only]
    theirs: dict[str, list[JobRow]] = {digest: [] for digest in wanted}
    for job in jobs:
        if job.reward_digest in theirs:
            theirs[job.reward_digest].append(job)
    return {digest: _weigh(found, native, digest in natives) for digest, found in theirs.items()}


def _weigh(jobs: Sequence[JobRow], native: Mapping[int, Mapping[int, Evaluation]], is_native: bool) -> RewardEvidence:
    mine = _by_steps(jobs)
    steps = max(mine, default=0)
    failures = [f"{f['stage']}: {f['message']}"[:300] for job in jobs if (f := (job.result or {}).get("failure"))]
    if not steps:
        return RewardEvidence(failures=tuple(failures[:_MOST_SUSPICIONS]))
    best = mine[steps]
    estimate = pooled_iqm({seed: one.fitness for seed, one in best.items()})
    longest = [job for job in jobs if _steps(job) == steps and job.state in _USABLE]
    curves = _curves(longest)
    is_fitness = longest[0].payload["reward"]["kind"] == RewardKind.FITNESS.value  # it cannot be hacked
    audits = [] if is_fitness else [audit_curve(curve) for curve in curves]
    return RewardEvidence(
        steps=steps,
        seeds=tuple(sorted(best)),
        episodes=estimate.n,
        fitness_iqm=estimate.value,
        fitness_low=estimate.low,
        fitness_high=estimate.high,
        success_rate=fmean(flag for one in best.values() for flag in one.success),
        measures=_means([one.extras for one in best.values()]),
        shares=term_shares([point for curve in curves for point in curve]),
        suspicions=_suspicions(audits),
        hacked=any(audit.hacked for audit in audits),
        failures=tuple(failures[:_MOST_SUSPICIONS]),
        **({} if is_native else _lift(mine, native)),
    )


def _lift(
    mine: Mapping[int, Mapping[int, Evaluation]], native: Mapping[int, Mapping[int, Evaluation]]
) -> dict[str, Any]:
    """Compare at the longest training that both had: an arm that got further would win by its steps alone."""
    for steps in sorted(mine.keys() & native.keys(), reverse=True):
        lift = paired_lift(mine[steps], native[steps])
        shared = {seed: one.fitness for seed, one in native[steps].items() if seed in mine[steps]}
        if lift is not None and shared:
            values = {"lift": lift.value, "lift_low": lift.low, "lift_high": lift.high, "lift_steps": steps}
            return {**values, "native_iqm": pooled_iqm(shared).value}
    return {}


def term_shares(points: Sequence[CurvePoint]) -> dict[str, float]:
    """Each term's part of the sum of |mean value| over the points, largest first; empty when all are zero."""
    totals: dict[str, float] = {}
    for point in points:
        for name, value in point.terms.items():
            totals[name] = totals.get(name, 0.0) + abs(value)
    whole = sum(totals.values())
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return {name: value / whole for name, value in ordered} if whole else {}


def _suspicions(audits: Sequence[Audit]) -> tuple[str, ...]:
    """The first seeds' words, with how many seeds have any."""
    suspicious = [audit.words for audit in audits if audit.suspicions]
    texts = [words for one in suspicious for words in one][:_MOST_SUSPICIONS]
    return tuple(f"{words} ({len(suspicious)} of {len(audits)} seeds)" for words in texts)


def _by_steps(jobs: Sequence[JobRow]) -> dict[int, dict[int, Evaluation]]:
    """Env steps -> training seed -> held-out episodes, of the jobs that ended with a usable policy."""
    found: dict[int, dict[int, Evaluation]] = {}
    for job in jobs:
        if job.state in _USABLE and (held_out := (job.result or {}).get("evaluation")):
            found.setdefault(_steps(job), {})[job.seed] = Evaluation.model_validate(held_out)
    return found


def _steps(job: JobRow) -> int:
    return int(job.payload.get("budget_steps", 0))


def _curves(jobs: Sequence[JobRow]) -> list[list[CurvePoint]]:
    return [[CurvePoint.model_validate(point) for point in job.result.get("curve", [])] for job in jobs]


def _means(items: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = sorted({name for item in items for name in item})
    return {name: fmean(item[name] for item in items if name in item) for name in names}
