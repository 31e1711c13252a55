"""The verdict on a task, its certificate, and the reflection: what its results came to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from statistics import fmean

from envs.catalog import get_family
from envs.task import TaskSpec, canonical_digest
from experimenter.evaluation.convergence import judge_curves
from experimenter.evaluation.race import select_best_job
from experimenter.evaluation.rollout import evaluate
from experimenter.evaluation.seeds import admission_seeds
from experimenter.records import (
    Evaluation,
    Floor,
    JobResult,
    RewardKind,
    SuccessRule,
    TrainJob,
    Verdict,
)
from experimenter.research.agenda import card_of
from experimenter.research.racing import best_jobs, job_results
from experimenter.research.views import candidate_reports, curve_picture, rollout_frames
from experimenter.rewards.audit import audit_curve
from experimenter.roles.common import words_of
from experimenter.roles.judge import combine, judge
from experimenter.roles.reflector import reflect
from experimenter.services import Services
from skills.artifact import load_policy
from skills.evidence import Evidence
from skills.skill import AdmissionRequest, SkillProblem


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
    jobs = best_jobs(services, task_digest)
    results = job_results(services, jobs)
    winner = jobs[0].reward if jobs else None
    best = select_best_job(winner.digest, jobs, results) if winner else None
    good = sorted((result for result in results.values() if result.ok), key=lambda result: result.job_digest != best)
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


def certify_task(services: Services, task_digest: str, generation: int) -> str | None:
    """Test the winner's policy on worlds that no race has seen; admit it when they say so. Returns the skill's id."""
    journal, goal = services.journal, services.journal.goal()
    task = journal.task(task_digest)
    jobs = best_jobs(services, task_digest)
    best = select_best_job(jobs[0].reward.digest, jobs, job_results(services, jobs)) if jobs else None
    if best is None:
        journal.event(
            f"uncertified:{task_digest}:{generation}",
            "skill",
            "no policy to certify: every training run failed or none ended in time",
        )
        return None
    seeds = admission_seeds(goal.rule.episodes, attempt=generation)
    policy = load_policy(services.home / "jobs" / best / "policy")
    evaluation = evaluate(get_family(task.family), task, policy, seeds)
    request = _admission(services, task, next(job for job in jobs if job.digest == best), evaluation, generation)
    low, high = request.evidence.success_interval
    line = f"success {request.evidence.success_rate:.2f} [{low:.2f}, {high:.2f}] over {len(seeds)} held-out episodes, mean native return {request.evidence.native_return_mean:.4g}"
    try:
        skill = services.library.admit(request)
    except SkillProblem as problem:
        journal.event(f"uncertified:{task_digest}:{generation}", "skill", f"not certified: {problem}")
        return None
    journal.set_task(task_digest, "certified", line, skill.id)
    journal.event(
        f"certified:{task_digest}", "skill", f"certified skill {skill.name} ({skill.id}): {line}", {"skill": skill.id}
    )
    return skill.id


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


def _admission(
    services: Services, task: TaskSpec, job: TrainJob, evaluation: Evaluation, generation: int
) -> AdmissionRequest:
    goal, journal = services.journal.goal(), services.journal
    return AdmissionRequest(
        name=skill_name(task),
        description=f"{goal.text} ({task.family}: {words_of(task.params)})",
        family=task.family,
        task=task.model_dump(mode="json"),
        task_digest=task.digest,
        policy_folder=services.home / "jobs" / job.digest / "policy",
        evidence=Evidence.model_validate(evaluation.model_dump()),
        min_success_rate=goal.rule.min_success_rate,
        min_lower_bound=goal.rule.min_lower_bound,
        reward=job.reward.model_dump(mode="json"),
        provenance={
            "session": journal.session_id,
            "goal": goal.text,
            "job": job.digest,
            "task": task.digest,
            "trainer": job.trainer,
            "settings": job.settings,
            "training_seed": job.seed,
            "env_steps": job.budget_steps,
            "parents": [job.start_skill] if job.start_skill else [],
            "reward_arm": job.reward.label,
            "generation": generation,
            "versions": package_versions(),
        },
        admission_key=canonical_digest([journal.session_id, task.digest, job.digest]),
    )


def skill_name(task: TaskSpec) -> str:
    """A short name from the family and the task parameters that differ from its plain task."""
    family = get_family(task.family)
    plain = family.resolve_task().params
    marks = [
        f"{name}-{value:g}" if isinstance(value, float) else f"{name}-{value}"
        for name, value in sorted(task.params.items())
        if value != plain[name]
    ]
    return re.sub(r"[^A-Za-z0-9_.:+-]", "-", "-".join([task.family.removeprefix("gym:"), *marks]))[:80]


def package_versions() -> dict[str, str]:
    """Versions of what shaped the policy."""
    return {name: version(name) for name in ("rl-experimenter", "torch", "numpy", "gymnasium", "stable-baselines3")}
