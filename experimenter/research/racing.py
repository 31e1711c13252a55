"""The race of a task: planned once, run through the executor, settled. Running it again goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from sqlmodel import col, select

from envs.catalog import get_family
from envs.family import easy_start
from envs.task import TaskSpec
from experimenter.config import SessionConfig
from experimenter.curricula.widen import lead_from
from experimenter.evaluation.race import (
    FINALISTS,
    LEAST_SHARE,
    RacePlan,
    Rung,
    Standing,
    fit_race,
    plan_race,
    race_cost,
    rung_jobs,
)
from experimenter.execution.pace import affordable_steps, known_pace
from experimenter.execution.tournament import Hooks, RaceEnd, collect, run_extension, run_race
from experimenter.records import (
    JobResult,
    RewardKind,
    RewardProgram,
    SkillBrief,
    TeacherSpec,
    TrainJob,
)
from experimenter.registry import default_trainer, led_settings
from experimenter.research.agenda import card_of, known_skills
from experimenter.research.feedback import fitness_weights
from experimenter.research.screening import probe_report, write_screen
from experimenter.roles.ability import distance
from experimenter.services import Services
from memory.tables import JobRow

_TIME_SHARE = 0.85
"""Share of the training time that a race is planned for: machines are slower than their table."""
_DOMINATED_SHARE = 0.25
"""An arm that is surely below a quarter of the leader's fitness late in the race does not run to its end."""
_LED = 4
"""Times the steps that a family is known to need, for a task that a curriculum leads to: before its end no arm does the task itself."""
_PAST_JOBS = 200


class SessionDrained(Exception):
    """A step was left in the middle on request; running it again goes on where it stopped."""


def run_task_race(
    services: Services,
    task_digest: str,
    generation: int,
    extension: int,
    before_last: Callable[[], None] = lambda: None,
) -> bool:
    """Race the arms (or train the winner on); returns True when the budget ended it.

    `before_last` is called when only the last rung is still to be run.
    """
    task = services.journal.task(task_digest)
    template = _template(services, task)
    hooks = _hooks(services, task, generation, before_last)
    if extension:
        jobs = _extended(services, task_digest, f"extension:{task_digest}:{generation}:{extension}")
        end = run_extension(services.executor, jobs, max(job.budget_steps for job in jobs) * 2, hooks)
    else:
        plan = _plan(services, task, generation)
        template = template.evolve(schedule_steps=max(template.schedule_steps, plan.rungs[-1].budget_steps))
        end = run_race(services.executor, plan, template, hooks)
        _settle(services, task_digest, end)
    if services.drain.is_set():
        raise SessionDrained
    return not end.complete and services.clock.training_over


def head_start(services: Services, task_digest: str, arms: Sequence[RewardProgram]) -> None:
    """Run the first rung of the baseline arms, which need no model: done while the model still writes the others."""
    task = services.journal.task(task_digest)
    rungs = _rungs_once(services, task, len(arms) + services.config.candidates, 0)
    plan = plan_race(arms, rungs, fitness_weights(services, task_digest, 0))
    jobs = rung_jobs(plan, 0, [arm.digest for arm in arms], _template(services, task))
    shown = {job.digest: {"label": job.reward.label, "seed": job.seed, "budget": job.budget_steps} for job in jobs}
    services.journal.plan_jobs(jobs, 0, 0)
    text = f"baseline arms start while rewards are written: {len(jobs)} training runs"
    services.journal.event(f"headstart:{task_digest}", "rung", text, {"jobs": shown})
    collect(services.executor, jobs, _hooks(services, task, 0))


def best_jobs(services: Services, task_digest: str) -> list[TrainJob]:
    """The winner's finished jobs at its largest number of steps."""
    jobs = winner_jobs(services, task_digest)
    most = max((job.budget_steps for job in jobs), default=0)
    return [job for job in jobs if job.budget_steps == most]


def winner_jobs(services: Services, task_digest: str) -> list[TrainJob]:
    """All finished jobs of the winner, of every rung: longer training is not always better."""
    winners = {row.reward_digest for row in services.journal.rewards(task_digest) if row.fate == "won"}
    rows = [
        row
        for row in services.journal.jobs(task_digest)
        if row.reward_digest in winners and row.state in ("done", "stopped")
    ]
    return [TrainJob.model_validate(row.payload) for row in rows]


def _extended(services: Services, task_digest: str, key: str) -> list[TrainJob]:
    """The jobs that this extension trains on; written down first, so that doing it again extends the same ones."""
    if (known := services.journal.event_data(key)) is None:
        known = {"jobs": [job.digest for job in best_jobs(services, task_digest)]}
        services.journal.event(key, "extension", "still improving: the winner is trained on for twice the steps", known)
    rows = services.journal.jobs(task_digest)
    return [TrainJob.model_validate(row.payload) for row in rows if row.job_digest in known["jobs"]]


def job_results(services: Services, jobs: Sequence[TrainJob]) -> dict[str, JobResult]:
    wanted = {job.digest for job in jobs}
    rows = services.journal.jobs(jobs[0].task.digest) if jobs else []
    return {
        row.job_digest: JobResult.model_validate(row.result) for row in rows if row.job_digest in wanted and row.result
    }


def _plan(services: Services, task: TaskSpec, generation: int) -> RacePlan:
    """Make the race's plan once and keep it: a resumed race must be the same race."""
    key = f"plan:{task.digest}:{generation}"
    if known := services.journal.event_data(key):
        return RacePlan.model_validate(known)
    arms = _arms(services, task.digest, generation)
    weights = fitness_weights(services, task.digest, generation)
    # an audit of the screens needs every arm at the end
    share = 0.0 if services.config.audit_screens else _DOMINATED_SHARE
    plan = plan_race(
        arms, _rungs_once(services, task, len(arms), generation), weights, dominated_share=share, control=True
    )
    rungs = ", then ".join(f"{rung.budget_steps:,} steps on {len(rung.seeds)} seeds" for rung in plan.rungs)
    text = f"race of {len(arms)} arms ({', '.join(arm.label for arm in arms)}): {rungs}; at most {plan.total_steps:,} env steps"
    services.journal.event(key, "plan", text, plan.model_dump(mode="json"))
    return plan


def _arms(services: Services, task_digest: str, generation: int) -> list[RewardProgram]:
    """First generation: every arm. Later: the best so far and the best baseline race again beside the new programs."""
    rows = [row for row in services.journal.rewards(task_digest) if row.fate not in ("refused", "written")]
    programs = {row.reward_digest: RewardProgram.model_validate(row.payload) for row in rows}
    if generation == 0:
        return list(programs.values())
    new = [programs[row.reward_digest] for row in rows if row.generation == generation]
    won = [programs[row.reward_digest] for row in rows if row.fate == "won" and row.generation < generation]
    native = [program for program in programs.values() if program.kind is RewardKind.NATIVE]
    chosen = {program.digest: program for program in [*native[:1], *won, *new]}
    return list(chosen.values())


def _rungs_once(services: Services, task: TaskSpec, arms: int, generation: int) -> tuple[Rung, ...]:
    """Shape a generation's race once and keep the shape; with `audit_screens` no arm is thrown out before the end."""
    key = f"rungs:{task.digest}:{generation}"
    if (known := services.journal.event_data(key)) is None:
        rungs = _rungs(services, task, arms, generation)
        known = {"rungs": [rung.model_dump(mode="json") for rung in rungs], "keeps": [rung.keep for rung in rungs]}
        if services.config.audit_screens:
            known["rungs"] = [rung.evolve(keep=arms).model_dump(mode="json") for rung in rungs]
        services.journal.event(key, "rungs", f"generation {generation}: {len(rungs)} rungs for {arms} arms", known)
    return tuple(Rung.model_validate(rung) for rung in known["rungs"])


def _rungs(services: Services, task: TaskSpec, arms: int, generation: int) -> tuple[Rung, ...]:
    config = services.config
    pace = known_pace(task.family, past_results(services, task.family))
    needed = pace.needed_steps * (_LED if _way_to(services, task) else 1)
    waiting = sum(row.state == "queued" for row in services.journal.tasks())
    seconds = services.clock.training_s() / (1 + waiting)
    steps = affordable_steps(pace, seconds * _TIME_SHARE, worker_count(config), jobs=4 * arms + config.seeds)
    if config.budget.env_steps is not None:
        steps = min(steps, max(arms, (config.budget.env_steps - services.journal.spent().env_steps) // (1 + waiting)))
    if generation and (first := services.journal.event_data(f"plan:{task.digest}:0")):
        rungs = RacePlan.model_validate(first).rungs
        while len(rungs) > 1 and race_cost(rungs, arms) > steps:
            rungs = rungs[:-1]
        return rungs
    return fit_race(
        arms,
        total_steps=steps,
        final_steps=config.final_steps or needed,
        seeds_final=config.seeds,
        first_seed=config.seed,
        finalists=FINALISTS,
        least_steps=int(LEAST_SHARE * needed),
        control=True,
    )


def _template(services: Services, task: TaskSpec) -> TrainJob:
    """Everything of a job but arm, seed and steps."""
    config, goal = services.config, services.journal.goal()
    skills = [] if config.fresh else [skill for skill in known_skills(services, goal) if skill.family == task.family]
    first = services.journal.event_data(f"plan:{task.digest}:0")
    schedule = RacePlan.model_validate(first).rungs[-1].budget_steps if first else 1
    trainer, led = config.trainer or default_trainer(task.family), _way_to(services, task)
    return TrainJob(
        task=task,
        reward=RewardProgram(kind=RewardKind.NATIVE),
        trainer=trainer,
        settings={**(led_settings(trainer) if led else {}), **config.trainer_settings},
        teacher=led or TeacherSpec(name=config.teacher or "fixed", settings=config.teacher_settings),
        seed=config.seed,
        budget_steps=1,
        schedule_steps=schedule,
        start_skill=_nearest(services, task, skills),
        eval_episodes=config.eval_episodes,
        wall_limit_s=min(services.clock.remaining_s() + 60.0, 7 * 86400.0),
    )


def _way_to(services: Services, task: TaskSpec) -> TeacherSpec | None:
    """The band that widens to the task from where its family knows it to be easy; None where a teacher is named or no such place is known."""
    key = f"teacher:{task.digest}"
    if services.config.teacher is not None:
        return None
    if (known := services.journal.event_data(key)) is not None:
        return TeacherSpec.model_validate(known)
    start = easy_start(get_family(task.family), task)
    if not start:
        return None
    spec = lead_from(start, task.params)
    told = f"training begins at {spec.settings['start']} and widens to the task"
    services.journal.event(key, "teacher", told, spec.model_dump(mode="json"))
    return spec


def _nearest(services: Services, task: TaskSpec, skills: Sequence[SkillBrief]) -> str | None:
    """The skill whose task is nearest, to start from; fixed at the first plan so that a resumed race is the same race."""
    key = f"start:{task.digest}"
    if (known := services.journal.event_data(key)) is not None:
        return known.get("skill")
    card = card_of(task)
    chosen = min(skills, key=lambda skill: distance(card, skill.params, task.params), default=None)
    text = f"training starts from skill {chosen.name} ({chosen.id})" if chosen else "training starts from nothing"
    services.journal.event(key, "start", text, {"skill": chosen.id if chosen else None})
    return chosen.id if chosen else None


def _hooks(
    services: Services, task: TaskSpec, generation: int, before_last: Callable[[], None] = lambda: None
) -> Hooks:
    journal = services.journal
    started = [False]

    def on_rung(rung: int, jobs: Sequence[TrainJob]) -> None:
        journal.plan_jobs(jobs, generation, rung)
        done = {row.job_digest for row in journal.jobs(task.digest) if row.result}
        known = sum(job.digest in done for job in jobs)
        told = f", {known} of them known" if known else ""
        shown = {job.digest: {"label": job.reward.label, "seed": job.seed, "budget": job.budget_steps} for job in jobs}
        name = f"rung {rung + 1}" if rung >= 0 else "extension"
        key = f"rung:{task.digest}:{generation}:{rung}:{jobs[0].budget_steps if jobs else 0}"
        journal.event(key, "rung", f"{name}: {len(jobs)} training runs{told}", {"jobs": shown})

    def on_result(result: JobResult) -> None:
        journal.finish_job(result)
        if result.failure is not None:
            text = f"training run {result.job_digest[:6]} {result.status}: {result.failure.stage}: {result.failure.message}"
            journal.event(f"failure:{result.job_digest}", "failure", text)

    def on_standing(standing: Standing) -> None:
        journal.set_fates(task.digest, {arm: ("eliminated", why) for arm, why in standing.eliminated.items()})
        shown = ", ".join(
            f"{score.label} {score.iqm:.3g} [{score.low:.3g}, {score.high:.3g}]" for score in standing.ranking
        )
        key = f"standing:{task.digest}:{generation}:{standing.rung}"
        journal.event(key, "standing", f"after rung {standing.rung + 1}: {shown}", standing.model_dump(mode="json"))
        shape = journal.event_data(f"rungs:{task.digest}:{generation}") or {"keeps": []}
        if standing.rung == 0 and len(shape["keeps"]) > 1:
            _write_probes(services, task.digest, standing, shape["keeps"][0])
        if standing.rung == len(shape["keeps"]) - 2 and not started[0] and not services.clock.training_over:
            started[0] = True
            before_last()

    return Hooks(
        on_rung=on_rung,
        on_result=on_result,
        on_standing=on_standing,
        on_update=services.on_update,
        known=lambda jobs: job_results(services, jobs),
        skip=lambda rung: services.clock.training_over,
    )


def _write_probes(services: Services, task_digest: str, standing: Standing, keep: int) -> None:
    """The first rung is the probe training of new programs: what it says of each, and what it cost in CPU seconds."""
    rows = {row.reward_digest: row for row in services.journal.rewards(task_digest)}
    jobs = [row for row in services.journal.jobs(task_digest) if row.rung == 0 and row.result]
    for place, score in enumerate(standing.ranking):
        program = RewardProgram.model_validate(rows[score.arm].payload)
        if not program.is_baseline:
            cost_s = sum(row.result.get("cpu_s", 0.0) for row in jobs if row.reward_digest == score.arm)
            why = standing.eliminated.get(score.arm, "" if place < keep else f"place {place + 1} of {keep} kept")
            write_screen(
                services, task_digest, probe_report(score.arm, place < keep and not why, score.iqm, cost_s, why)
            )


def _settle(services: Services, task_digest: str, end: RaceEnd) -> None:
    """Write down who won; an earlier winner that lost is eliminated."""
    if end.standing is None or end.standing.winner is None:
        return
    fates = {
        row.reward_digest: ("eliminated", "beaten by a later program")
        for row in services.journal.rewards(task_digest)
        if row.fate == "won"
    }
    fates |= dict.fromkeys(end.standing.survivors[1:], ("eliminated", "beaten in the last rung"))
    score = end.standing.ranking[0]
    fates[end.standing.winner] = (
        "won",
        f"fitness IQM {score.iqm:.4g} [{score.low:.4g}, {score.high:.4g}] after {score.steps:,} steps",
    )
    services.journal.set_fates(task_digest, fates)


def past_results(services: Services, family: str) -> list[JobResult]:
    """Newest finished jobs of the family from earlier sessions of this home, for the pace of this machine."""
    with services.store.read() as session:
        query = select(JobRow).where(JobRow.session_id != services.journal.session_id, JobRow.state == "done")
        rows = session.exec(query.order_by(col(JobRow.id).desc()).limit(_PAST_JOBS)).all()
    return [JobResult.model_validate(row.result) for row in rows if row.payload["task"]["family"] == family]


def worker_count(config: SessionConfig) -> int:
    return config.workers or len(os.sched_getaffinity(0))
