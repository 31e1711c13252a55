"""The certificate: the winner's policy on worlds that no race has seen, and the region around its task where it still holds."""

from __future__ import annotations

import re
from importlib.metadata import version
from math import isfinite

import numpy as np

from envs.catalog import get_family
from envs.family import Family, Parameter
from envs.task import ParamValue, TaskSpec, canonical_digest
from experimenter.evaluation.race import select_best_job
from experimenter.evaluation.rollout import evaluate
from experimenter.evaluation.seeds import admission_seeds
from experimenter.records import Evaluation, TrainJob
from experimenter.research.feedback import fitness_weights
from experimenter.research.racing import job_results, winner_jobs
from experimenter.roles.common import words_of
from experimenter.services import Services
from experimenter.wording import changed_params
from skills.artifact import Policy, load_policy
from skills.evidence import Evidence, Probe, bootstrap_interval
from skills.skill import AdmissionRequest, SkillProblem

_PROBE_EPISODES = 20
_PROBE_ATTEMPT = 50_000
"""Probes are played on a block of admission worlds of their own."""
_MIN_PROBE_S = 20.0


def certify_task(services: Services, task_digest: str, generation: int) -> str | None:
    """Test the winner's policy on worlds that no race has seen; admit it when they say so. Returns the skill's id."""
    journal, goal = services.journal, services.journal.goal()
    task, jobs = journal.task(task_digest), winner_jobs(services, task_digest)
    weights = fitness_weights(services, task_digest)
    best = select_best_job(jobs[0].reward.digest, jobs, job_results(services, jobs), weights) if jobs else None
    if best is None:
        text = "no policy to certify: every training run failed, or none ended in time"
        journal.event(f"uncertified:{task_digest}:{generation}", "skill", text)
        return None
    family, policy = get_family(task.family), load_policy(services.home / "jobs" / best / "policy")
    text = (
        f"the certificate: {goal.rule.episodes} held-out episodes that no race has seen, then the region where it holds"
    )
    journal.event(f"certifying:{task_digest}:{generation}", "skill", text)
    evaluation = evaluate(family, task, policy, admission_seeds(goal.rule.episodes, attempt=generation))
    probes = probe_region(services, family, task, policy) if _is_worth_probing(services, evaluation) else ()
    job = next(job for job in jobs if job.digest == best)
    request = _request(services, task, job, evaluation, probes, generation)
    evidence, (low, high) = request.evidence, request.evidence.success_interval
    line = (
        f"success {evidence.success_rate:.2f} [{low:.2f}, {high:.2f}] over {evidence.episodes} held-out episodes, "
        f"mean native return {evidence.native_return_mean:.4g}"
    )
    try:
        skill = services.library.admit(request)
    except SkillProblem as problem:
        journal.event(f"uncertified:{task_digest}:{generation}", "skill", f"not certified: {problem}")
        return None
    journal.set_task(task_digest, "certified", line, skill.id)
    journal.event(
        f"certified:{task_digest}", "skill", f"certified skill {skill.label} ({skill.id}): {line}", {"skill": skill.id}
    )
    return skill.id


def probe_region(services: Services, family: Family, task: TaskSpec, policy: Policy) -> tuple[Probe, ...]:
    """Play the policy one natural step of difficulty further on each axis, then at the corner of all that held.

    The corner is what makes the region honest: steps that hold one by one may fail together.
    """
    axes = [parameter for parameter in family.card().params if parameter.step > 0]
    probes: list[Probe] = []
    corner = dict(task.params)
    needed_s = _MIN_PROBE_S
    for parameter in axes:
        before_s = services.clock.remaining_s()
        if before_s < needed_s:
            break
        harder = {**task.params, parameter.name: further(parameter, task.params[parameter.name])}
        if harder != task.params:
            probes.append(_probe(family, task, policy, harder))
            if probes[-1].evidence.success_interval[0] >= services.journal.goal().rule.min_lower_bound:
                corner[parameter.name] = harder[parameter.name]
            if isfinite(before_s):  # a probe is begun only where the longest so far would fit
                needed_s = max(needed_s, before_s - services.clock.remaining_s())
    if sum(corner[name] != value for name, value in task.params.items()) > 1:
        probes.append(_probe(family, task, policy, corner))
    return tuple(probes)


def further(parameter: Parameter, value: ParamValue) -> ParamValue:
    """One natural step of difficulty on from `value`, within the parameter's range."""
    moved = min(parameter.high, float(value) + parameter.step)
    return round(moved) if parameter.integer else moved


def skill_name(task: TaskSpec) -> str:
    """A short name from the family and the task parameters that differ from its plain task."""
    card = get_family(task.family).card()
    changed = sorted(changed_params(task.family, task.params).items())
    marks = [f"{name}-{card.say(name, value)}" for name, value in changed]
    return re.sub(r"[^A-Za-z0-9_.:+-]", "-", "-".join([task.family.removeprefix("gym:"), *marks]))[:80]


def package_versions() -> dict[str, str]:
    """Versions of what shaped the policy."""
    return {name: version(name) for name in ("rl-experimenter", "torch", "numpy", "gymnasium", "stable-baselines3")}


def _is_worth_probing(services: Services, evaluation: Evaluation) -> bool:
    rate = sum(evaluation.success) / len(evaluation.success)
    return rate >= services.journal.goal().rule.min_success_rate and services.clock.remaining_s() > _MIN_PROBE_S


def _probe(family: Family, task: TaskSpec, policy: Policy, params: dict[str, ParamValue]) -> Probe:
    moved = family.resolve_task(params, horizon=task.horizon, seed=task.seed)
    evaluation = evaluate(family, moved, policy, admission_seeds(_PROBE_EPISODES, attempt=_PROBE_ATTEMPT))
    return Probe(params=moved.params, evidence=_evidence(evaluation))


def _request(
    services: Services,
    task: TaskSpec,
    job: TrainJob,
    evaluation: Evaluation,
    probes: tuple[Probe, ...],
    generation: int,
) -> AdmissionRequest:
    goal, session, card = services.journal.goal(), services.journal.session_id, get_family(task.family).card()
    return AdmissionRequest(
        name=skill_name(task),
        description=f"{goal.text} ({task.family}: {words_of(changed_params(task.family, task.params), card)})",
        family=task.family,
        task=task.model_dump(mode="json"),
        task_digest=task.digest,
        policy_folder=services.home / "jobs" / job.digest / "policy",
        evidence=_evidence(evaluation),
        probes=probes,
        min_success_rate=goal.rule.min_success_rate,
        min_lower_bound=goal.rule.min_lower_bound,
        reward=job.reward.model_dump(mode="json"),
        provenance={
            "session": session,
            "goal": goal.text,
            "job": job.digest,
            "task": task.digest,
            "trainer": job.trainer,
            "settings": job.settings,
            "teacher": job.teacher.model_dump(mode="json"),
            "training_seed": job.seed,
            "env_steps": job.budget_steps,
            "parents": [job.start_skill] if job.start_skill else [],
            "reward_arm": job.reward.label,
            "generation": generation,
            "versions": package_versions(),
        },
        admission_key=canonical_digest([session, task.digest, job.digest]),
    )


def _evidence(evaluation: Evaluation) -> Evidence:
    """The episodes as the library keeps them: means of the further measures with intervals, not every episode's."""
    spans = {name: bootstrap_interval(found, np.mean) for name, found in evaluation.extras_by_episode.items()}
    return Evidence.model_validate({**evaluation.model_dump(exclude={"extras_by_episode"}), "extras_interval": spans})
