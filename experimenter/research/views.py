"""What the judge and the reflector are shown: curves as a picture, frames of the best policy, candidates as reports."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.evaluation.rollout import Frame
from experimenter.evaluation.statistics import pooled_iqm
from experimenter.evaluation.weights import weighted_fitness
from experimenter.records import CurvePoint, Failure, JobResult, RewardProgram
from experimenter.rewards.audit import audit_curve, spearman
from experimenter.roles.candidate import CandidateReport, TermTrack, spread
from memory.tables import JobRow, RewardRow

_FRAMES = 6
_MIN_PAIRS = 5


def curve_picture(results: Sequence[JobResult]) -> bytes:
    """Draw fitness and reward over training as one PNG."""
    from experimenter.evaluation.figures import draw_curves

    return draw_curves(results)


def rollout_frames(home: Path, task: TaskSpec, job_digest: str | None) -> tuple[bytes, ...]:
    """Up to six evenly spaced PNG frames of the best policy in one race world."""
    if job_digest is None:
        return ()
    from experimenter.evaluation.rollout import record_rollout
    from experimenter.evaluation.seeds import race_seeds
    from experimenter.evaluation.video import spaced
    from skills.artifact import load_policy

    policy = load_policy(home / "jobs" / job_digest / "policy")
    frames = record_rollout(get_family(task.family), task, policy, race_seeds(1)[0], every=4).frames
    return tuple(encode_png(frames[i]) for i in spaced(len(frames), _FRAMES))


def encode_png(frame: Frame) -> bytes:
    """One RGB frame as a PNG file."""
    from PIL import Image

    file: io.BytesIO = io.BytesIO()
    Image.fromarray(frame).save(file, "PNG")
    return file.getvalue()


def candidate_reports(
    rewards: Sequence[RewardRow], jobs: Sequence[JobRow], weights: Mapping[str, float] | None = None
) -> list[CandidateReport]:
    """One report a reward program of the task, keyed by its digest: a sample that failed shifts nobody's results.

    `weights` are what a person counts in the fitness beside it.
    """
    reports: dict[str, CandidateReport] = {}
    for row in rewards:
        found = [
            JobResult.model_validate(job.result)
            for job in jobs
            if job.reward_digest == row.reward_digest and job.result
        ]
        report = report_candidate(RewardProgram.model_validate(row.payload), row.fate, row.reason, found, weights)
        place = {"operator": "" if row.operator == "baseline" else row.operator, "generation": row.generation}
        reports[row.reward_digest] = report.evolve(**place)
    longest = max((report.steps for report in reports.values()), default=0)
    reports = {digest: report.evolve(race_steps=longest) for digest, report in reports.items()}
    return [_with_parents(report, rewards, reports) for report in reports.values()]


def _with_parents(
    report: CandidateReport, rewards: Sequence[RewardRow], reports: Mapping[str, CandidateReport]
) -> CandidateReport:
    """Add the parents' labels and how the fitness compares with theirs."""
    own = next(row for row in rewards if row.reward_digest == report.digest)
    parents = [reports[digest] for digest in own.payload.get("parents", ()) if digest in reports]
    words = [_compare(report, parent) for parent in parents]
    return report.evolve(
        parents=tuple(parent.label for parent in parents), versus_parent="; ".join(word for word in words if word)
    )


def _compare(child: CandidateReport, parent: CandidateReport) -> str:
    if child.fitness_iqm is None or parent.fitness_iqm is None:
        return ""
    if child.steps != parent.steps:
        place = (
            "was thrown out of the race earlier than" if child.steps < parent.steps else "got further in the race than"
        )
        return f"it {place} its parent {parent.label}"
    change = child.fitness_iqm - parent.fitness_iqm
    word = "better" if change > 0 else "worse"
    apart = (child.fitness_low or 0.0) > (parent.fitness_high or 0.0) or (child.fitness_high or 0.0) < (
        parent.fitness_low or 0.0
    )
    sure = "" if apart else " (their intervals overlap)"
    return f"{abs(change):.3g} {word} than its parent {parent.label}{sure}"


def report_candidate(
    program: RewardProgram,
    fate: str,
    reason: str,
    results: Sequence[JobResult],
    weights: Mapping[str, float] | None = None,
) -> CandidateReport:
    """Put together what training showed of one program: its longest runs' fitness, terms over time, and failures."""
    failures = [result.failure for result in results if result.failure is not None]
    failure = _failure_text(failures[0]) if failures else (reason if fate == "refused" else "")
    good = [result for result in results if result.ok and result.evaluation is not None]
    most = max((result.steps for result in good), default=0)
    longest = [result for result in good if result.steps == most]
    done = [result.evaluation for result in longest if result.evaluation is not None]
    groups = {i: weighted_fitness(evaluation, weights or {}) for i, evaluation in enumerate(done)}
    estimate = pooled_iqm(groups) if groups else None
    points = [point for result in longest[:1] for point in result.curve]
    rewards, fitness = [point.reward for point in points], [point.fitness for point in points]
    enough = sum(a is not None and b is not None for a, b in zip(rewards, fitness, strict=True)) >= _MIN_PAIRS
    successes = [flag for result in longest if result.evaluation is not None for flag in result.evaluation.success]
    return CandidateReport(
        label=program.label,
        digest=program.digest,
        source="" if program.is_baseline else program.source,
        fate=fate,
        steps=most,
        seeds=len(done),
        fitness_iqm=estimate.value if estimate else None,
        fitness_low=estimate.low if estimate else None,
        fitness_high=estimate.high if estimate else None,
        success_rate=sum(successes) / len(successes) if successes else None,
        fitness_track=spread([value for value in fitness if value is not None]),
        success_track=spread([point.success for point in points if point.success is not None]),
        length_track=spread([point.length for point in points if point.length is not None]),
        terms=term_tracks(points),
        correlation=spearman(rewards, fitness) if enough else None,
        suspicions=audit_curve(longest[0].curve).words if longest else (),
        failure=failure,
    )


def term_tracks(points: Sequence[CurvePoint]) -> dict[str, TermTrack]:
    """Each reward term over training, with its share of all terms' mean size."""
    names = sorted({name for point in points for name in point.terms})
    values = {name: [point.terms[name] for point in points if name in point.terms] for name in names}
    sizes = {name: fmean(abs(value) for value in found) for name, found in values.items()}
    total = sum(sizes.values())
    return {name: TermTrack.of(values[name], sizes[name] / total if total else 0.0) for name in names}


def _failure_text(failure: Failure) -> str:
    """What failed, with the end of the traceback where there is one."""
    tail = "\n".join(failure.traceback.strip().splitlines()[-4:])
    return f"{failure.stage}: {failure.message}" + (f"\n{tail}" if tail else "")
