"""What the judge and the reflector are shown: curves as a picture, frames of the best policy, candidates as reports."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.evaluation.convergence import spearman
from experimenter.evaluation.rollout import Frame
from experimenter.evaluation.statistics import pooled_iqm
from experimenter.records import CurvePoint, JobResult, RewardProgram
from experimenter.roles.reflector import CandidateReport
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


def candidate_reports(rewards: Sequence[RewardRow], jobs: Sequence[JobRow]) -> list[CandidateReport]:
    """One report a reward program of the task, keyed by its digest: a sample that failed shifts nobody's results."""
    reports = []
    for row in rewards:
        found = [
            JobResult.model_validate(job.result)
            for job in jobs
            if job.reward_digest == row.reward_digest and job.result
        ]
        reports.append(report_candidate(RewardProgram.model_validate(row.payload), row.fate, row.reason, found))
    return reports


def report_candidate(program: RewardProgram, fate: str, reason: str, results: Sequence[JobResult]) -> CandidateReport:
    """Put together what training showed of one program: its longest runs' fitness, terms over time, and failures."""
    failures = [result.failure for result in results if result.failure is not None]
    failure = f"{failures[0].stage}: {failures[0].message}" if failures else (reason if fate == "refused" else "")
    good = [result for result in results if result.ok and result.evaluation is not None]
    most = max((result.steps for result in good), default=0)
    longest = [result for result in good if result.steps == most]
    groups = {i: result.evaluation.fitness for i, result in enumerate(longest) if result.evaluation is not None}
    estimate = pooled_iqm(groups) if groups else None
    points = [point for result in longest[:1] for point in result.curve]
    lengths = [point.length for point in points if point.length is not None]
    pairs = [
        (point.reward, point.fitness) for point in points if point.reward is not None and point.fitness is not None
    ]
    successes = [flag for result in longest if result.evaluation is not None for flag in result.evaluation.success]
    return CandidateReport(
        label=program.label,
        source=program.source,
        fate=fate,
        fitness_iqm=estimate.value if estimate else None,
        fitness_low=estimate.low if estimate else None,
        fitness_high=estimate.high if estimate else None,
        success_rate=sum(successes) / len(successes) if successes else None,
        terms=_thirds(points),
        length=(lengths[0], lengths[-1]) if lengths else None,
        correlation=spearman([a for a, _ in pairs], [b for _, b in pairs]) if len(pairs) >= _MIN_PAIRS else None,
        failure=failure,
    )


def _thirds(points: Sequence[CurvePoint]) -> dict[str, tuple[float, float, float]]:
    """Mean of each reward term in the first, middle and last third of training."""
    names = sorted({name for point in points for name in point.terms})
    found: dict[str, tuple[float, float, float]] = {}
    for name in names:
        values = [point.terms[name] for point in points if name in point.terms]
        if len(values) >= 3:
            cut = len(values) // 3
            first, middle, last = (fmean(part) for part in (values[:cut], values[cut : 2 * cut], values[2 * cut :]))
            found[name] = (first, middle, last)
    return found
