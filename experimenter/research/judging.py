"""The verdict on a task and the reflection: what its results came to, and what to change next."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from experimenter.evaluation.convergence import judge_curves
from experimenter.evaluation.race import select_best_job
from experimenter.records import (
    Floor,
    JobResult,
    RewardKind,
    SuccessRule,
    Verdict,
)
from experimenter.research.agenda import card_of
from experimenter.research.racing import best_jobs, job_results, winner_jobs
from experimenter.research.views import candidate_reports, curve_picture, rollout_frames
from experimenter.rewards.audit import audit_curve
from experimenter.roles.judge import combine, judge
from experimenter.roles.reflector import reflect
from experimenter.services import Services


def judge_task(services: Services, task_digest: str, generation: int, extension: int) -> Verdict:
    """The statistical floor first; the model speaks above it."""
    journal, goal = services.journal, services.journal.goal()
    index = generation * 10 + extension
    if known := [row for row in journal.verdicts(task_digest) if row.generation == index]:
        return Verdict.model_validate(known[0].payload)
    floor, results = _floor(services, task_digest, goal.rule, generation)
    task, card = journal.task(task_digest), card_of(journal.task(task_digest))
    sees = services.gateway.capabilities.vision
    opinion = judge(
        services.speaker(),
        card=card,
        goal=goal,
        task=task,
        floor=floor,
        curve=results[0].curve if results else (),
        plot_png=curve_picture(results) if sees and results else None,
        frames=rollout_frames(services.home, task, floor.best_job) if sees else (),
        step=f"judge:{task_digest}:{index}",
    )
    verdict = combine(floor, opinion)
    journal.add_verdict(task_digest, index, verdict)
    journal.event(
        f"verdict:{task_digest}:{index}",
        "verdict",
        f"verdict: {verdict.state}, {verdict.decision}: {'; '.join(verdict.reasons)}",
    )
    return verdict


def _floor(services: Services, task_digest: str, rule: SuccessRule, generation: int) -> tuple[Floor, list[JobResult]]:
    """What the statistics say of the winner: curves of all its seeds, success of the policy that would be certified."""
    jobs = winner_jobs(services, task_digest)
    results = job_results(services, jobs)
    winner = jobs[0].reward if jobs else None
    best = select_best_job(winner.digest, jobs, results) if winner else None
    longest = [results[job.digest] for job in best_jobs(services, task_digest)]
    good = sorted((result for result in longest if result.ok), key=lambda result: result.job_digest != best)
    floor = judge_curves(
        [result.curve for result in good],
        [evaluation] if best and (evaluation := results[best].evaluation) else [],
        rule,
        audit=audit_numbers(good),
        reward_is_fitness=winner is not None and winner.kind is RewardKind.FITNESS,
        can_revise=generation + 1 < services.config.generations and services.config.candidates > 0,
    )
    return floor.evolve(winner=winner.digest if winner else None, best_job=best), good


def audit_numbers(results: Sequence[JobResult]) -> dict[str, float]:
    """What the reward audit says of the winner's curves: share of suspicious seeds, mean correlation, largest term share."""
    audits = [audit_curve(result.curve) for result in results]
    numbers = {"hacking": fmean(bool(audit.suspicions) for audit in audits)} if audits else {}
    if shares := [audit.dominant_share for audit in audits if audit.dominant_share is not None]:
        numbers["dominant_share"] = max(shares)
    return numbers


def reflect_on(services: Services, task_digest: str, generation: int) -> None:
    """Tell the next generation's writer what the curves said."""
    journal = services.journal
    task, last = journal.task(task_digest), journal.verdicts(task_digest)[-1]
    reports = candidate_reports(journal.rewards(task_digest), journal.jobs(task_digest))
    reflection = reflect(
        services.speaker(),
        card=card_of(task),
        task=task,
        verdict=Verdict.model_validate(last.payload),
        candidates=reports,
        step=f"reflect:{task_digest}:{generation}",
    )
    journal.add_reflection(task_digest, last.generation, reflection, task.family)
    journal.event(
        f"reflection:{task_digest}:{generation}", "reflection", f"reflection by {reflection.source}: {reflection.text}"
    )
