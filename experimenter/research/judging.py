"""The verdict on a task and the reflection: what its results came to, and what to change next."""

from __future__ import annotations

from envs.task import TaskSpec, canonical_digest
from experimenter.evaluation.convergence import judge_curves
from experimenter.evaluation.race import select_best_job
from experimenter.records import (
    CurveState,
    Decision,
    Floor,
    JobResult,
    Reflection,
    RewardKind,
    SuccessRule,
    TrainJob,
    Verdict,
)
from experimenter.research.agenda import card_of
from experimenter.research.auditing import audit_result
from experimenter.research.feedback import feedback_text, fitness_weights
from experimenter.research.population import contradict_lessons, lesson_lines, reports_of, weigh_lessons
from experimenter.research.racing import best_jobs, job_results, winner_jobs
from experimenter.research.views import curve_picture, rollout_frames
from experimenter.rewards.audit import Audit
from experimenter.rewards.lessons import TENTATIVE
from experimenter.roles.candidate import rank
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
    last = generation + 1 >= services.config.generations
    settled = services.config.exhaust and not last
    sees = not settled and services.gateway.capabilities.vision
    opinion = judge(
        None if settled else services.speaker(),  # its word could change nothing: the search goes on
        card=card,
        goal=goal,
        task=task,
        floor=floor,
        curve=results[0].curve if results else (),
        plot_png=curve_picture(results) if sees and results else None,
        frames=rollout_frames(services.home, task, floor.best_job) if sees else (),
        step=f"judge:{task_digest}:{index}",
    )
    verdict = search_on(combine(floor, opinion.evolve(reasons=()))) if settled else combine(floor, opinion)
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
    best = select_best_job(winner.digest, jobs, results, fitness_weights(services, task_digest)) if winner else None
    longest = [results[job.digest] for job in best_jobs(services, task_digest)]
    good = sorted((result for result in longest if result.ok), key=lambda result: result.job_digest != best)
    audit = audit_winner(services, task_digest, best)
    floor = judge_curves(
        [result.curve for result in good],
        [evaluation] if best and (evaluation := results[best].evaluation) else [],
        rule,
        audit=audit.numbers if audit else {},
        reward_is_fitness=winner is not None and winner.kind is RewardKind.FITNESS,
        can_revise=generation + 1 < services.config.generations and services.config.candidates > 0,
    )
    reasons = (*floor.reasons, *(audit.words if audit else ()))
    return floor.evolve(winner=winner.digest if winner else None, best_job=best, reasons=reasons), good


def audit_winner(services: Services, task_digest: str, best: str | None) -> Audit | None:
    """Audit the policy that would be certified, with the race's other arms for comparison; once a job."""
    rows = {row.job_digest: row for row in services.journal.jobs(task_digest) if row.result}
    if best is None or best not in rows:
        return None
    pairs = {
        digest: (TrainJob.model_validate(row.payload), JobResult.model_validate(row.result))
        for digest, row in rows.items()
    }
    job, result = pairs.pop(best)
    audit = audit_result(
        services.home, job, result, list(pairs.values()), allow_unconfined=services.config.allow_unconfined
    )
    found = "; ".join(audit.words) or "nothing"
    text = f"audit of {job.reward.label}: {'HACKED: ' if audit.hacked else ''}{found}"
    data = {"hacked": audit.hacked, "numbers": audit.numbers, "words": list(audit.words), "cleared": audit.cleared}
    services.journal.event(f"audit:{best}", "audit", text, data)
    return audit


def search_on(verdict: Verdict) -> Verdict:
    """With `exhaust` a generation that could be promoted, trained on or dropped is revised all the same."""
    if verdict.decision is Decision.REVISE:
        return verdict
    why = f"by itself this would mean {verdict.decision.value}; the search goes on all the same, for every generation was asked for"
    return verdict.evolve(decision=Decision.REVISE, reasons=(*verdict.reasons, why))


def reflect_on(services: Services, task_digest: str, generation: int) -> None:
    """Tell the next generation's writer what the curves said; one written ahead of the verdict is kept."""
    last = services.journal.verdicts(task_digest)[-1]
    write_reflection(services, task_digest, generation, Verdict.model_validate(last.payload))
    known = services.journal.event_data(f"reflection:{task_digest}:{generation}") or {}
    reflection = Reflection(text=str(known.get("advice", "")), source=str(known.get("source", "rule")))
    services.journal.add_reflection(task_digest, last.generation, reflection, services.journal.task(task_digest).family)


def reflect_ahead(services: Services, task_digest: str, generation: int) -> None:
    """Reflect on what is known before the race's last rung has ended."""
    text = "the last rung of the race still runs; the numbers are those of the rungs before it"
    verdict = Verdict(
        decision=Decision.REVISE,
        state=CurveState.IMPROVING,
        rule_state=CurveState.IMPROVING,
        reasons=(text,),
    )
    write_reflection(services, task_digest, generation, verdict)


def _lessons_told(services: Services, task: TaskSpec, generation: int) -> dict[str, str]:
    """The lessons that the reflector of a generation sees: written down first, for it names them by their place and may be asked again."""
    key = f"lessons:{task.digest}:{generation}"
    if (known := services.journal.event_data(key)) is None:
        weigh_lessons(services, task.digest, generation)
        known = {"told": [[name, text] for name, text in lesson_lines(services, task).items()]}
        services.journal.event(key, "lessons", f"{len(known['told'])} lessons are known", known)
    return dict(known["told"])


def write_reflection(services: Services, task_digest: str, generation: int, verdict: Verdict) -> None:
    """Ask the reflector once a generation; its advice becomes an event, its lessons are kept and graded later."""
    journal, key = services.journal, f"reflection:{task_digest}:{generation}"
    if journal.event_data(key) is not None:
        return
    task, reports = journal.task(task_digest), reports_of(services, task_digest)
    lessons = _lessons_told(services, task, generation)
    reflection = reflect(
        services.speaker(),
        card=card_of(task),
        task=task,
        verdict=verdict,
        candidates=reports,
        lessons=tuple(lessons.values()),
        feedback=feedback_text(services, task_digest),
        step=f"reflect:{task_digest}:{generation}",
    )
    keys = list(lessons)
    contradict_lessons(services, task_digest, [keys[number - 1] for number in reflection.contradicted], generation)
    best = next((report.digest for report in rank(reports) if report.source), "")
    for lesson in reflection.lessons:
        name = canonical_digest([journal.session_id, task_digest, lesson])
        journal.put_lesson(
            name, lesson, task_digest=task_digest, family=task.family, grade=TENTATIVE, reward_digest=best
        )
    data = {"advice": reflection.text, "source": reflection.source}
    journal.event(key, "reflection", f"reflection by {reflection.source}: {reflection.text}", data)
