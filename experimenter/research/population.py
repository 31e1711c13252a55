"""The reward search's population, read from the journal's rows: who was tried, who may have children, and what their writer is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter import registry
from experimenter.records import JobResult, RewardProgram
from experimenter.research.feedback import feedback_text, fitness_weights
from experimenter.research.recall import recall_examples
from experimenter.research.views import candidate_reports
from experimenter.rewards.audit import audit_curve
from experimenter.rewards.evolution import Birth, Individual, Operator, plan_births
from experimenter.rewards.lessons import grade_of, weigh
from experimenter.roles.candidate import CandidateReport, one_line, rank
from experimenter.roles.reward_writer import WriterBrief
from experimenter.services import Services
from memory.tables import JobRow, RewardRow

_TASK_LESSONS, _FAMILY_LESSONS = 8, 4
_FLAGGED = 0.5
"""Share of a program's longest runs that the audit must suspect."""


def read_population(services: Services, task_digest: str) -> list[Individual]:
    """Every program of the task's search that was not written ahead and still waits, oldest first."""
    jobs, weights = services.journal.jobs(task_digest), fitness_weights(services, task_digest)
    return [_individual(row, jobs, weights) for row in services.journal.rewards(task_digest) if row.fate != "written"]


def _individual(row: RewardRow, jobs: Sequence[JobRow], weights: Mapping[str, float]) -> Individual:
    program = RewardProgram.model_validate(row.payload)
    mine = [job for job in jobs if job.reward_digest == row.reward_digest and job.result]
    results = [JobResult.model_validate(job.result) for job in mine]
    (report,) = candidate_reports([row], mine, weights)
    most = max((result.steps for result in results if result.ok), default=0)
    suspected = [audit_curve(result.curve).hacked for result in results if result.ok and result.steps == most]
    return Individual(
        program=program,
        island=row.island,
        generation=row.generation,
        operator=Operator(row.operator or (Operator.BASELINE if program.is_baseline else Operator.FRESH)),
        steps=most,
        fitness=report.fitness_iqm,
        flagged=bool(suspected) and fmean(suspected) >= _FLAGGED,
    )


def births_of(services: Services, task: TaskSpec, generation: int) -> tuple[Birth, ...]:
    """Plan a generation's births once and keep them: a resumed search is the same search."""
    key = f"births:{task.digest}:{generation}"
    if (known := services.journal.event_data(key)) is not None:
        return tuple(Birth.model_validate(birth) for birth in known["births"])
    config = services.config
    births = plan_births(
        read_population(services, task.digest),
        generation=generation,
        k=config.candidates,
        islands=config.islands,
        migrate_every=config.migrate_every,
        from_native=config.from_native,
        seed=config.seed,
    )
    counts = {operator: sum(birth.operator is operator for birth in births) for operator in Operator}
    said = ", ".join(f"{count} {operator.value}" for operator, count in counts.items() if count)
    data = {"births": [birth.model_dump(mode="json") for birth in births]}
    services.journal.event(key, "births", f"generation {generation}: {said or 'no births'}", data)
    return births


class Teller:
    """What the writers of one generation are told; read once, so that all of its births know the same."""

    def __init__(self, services: Services, task: TaskSpec, generation: int) -> None:
        journal = services.journal
        rows = [row for row in journal.rewards(task.digest) if row.fate != "written" and row.generation < generation]
        reports = candidate_reports(rows, journal.jobs(task.digest), fitness_weights(services, task.digest))
        self._reports = {report.digest: report for report in reports}
        self._generation = generation
        reflection = journal.event_data(f"reflection:{task.digest}:{generation - 1}") or {}
        self._advice = str(reflection.get("advice", ""))
        self.lessons = lesson_lines(services, task)
        self._feedback = feedback_text(services, task.digest)
        goal = journal.goal()
        self._examples = recall_examples(services, task, goal.text) if generation == 0 else ()
        self._training = training_words(services, task)
        self._native = native_words(task) if services.config.from_native else ""

    def brief(self, birth: Birth) -> WriterBrief:
        """What the writer of `birth` is told."""
        parents = tuple(self._reports[digest] for digest in birth.parents if digest in self._reports)
        return WriterBrief(
            operator=birth.operator,
            training=self._training,
            parents=tuple(rank(parents)),
            lineage=self.lineage(),
            advice=self._advice,
            lessons=tuple(self.lessons.values()),
            feedback=self._feedback,
            examples=self._examples if birth.operator is Operator.FRESH else (),
            native=self._native if birth.operator is Operator.NATIVE else "",
            slot=birth.slot + 100 * self._generation,
        )

    def lineage(self) -> tuple[str, ...]:
        """One line for every program so far; the baselines' results are told, never their code."""
        return tuple(one_line(report) for report in self._reports.values())


def training_words(services: Services, task: TaskSpec) -> str:
    """How programs are trained on, for their writer: what a discount and a step budget mean for a reward is its business."""
    config = services.config
    trainer = config.trainer or registry.default_trainer(task.family)
    settings = {**registry.load("trainers", trainer)().default_settings(task.family), **config.trainer_settings}
    shape = services.journal.event_data(f"rungs:{task.digest}:0")
    steps = shape["rungs"][-1]["budget_steps"] if shape else config.final_steps
    parts = [f"the algorithm is {trainer}"]
    if "gamma" in settings:
        parts.append(f"discount {settings['gamma']} a control step")
    if steps:
        parts.append(
            f"{steps:,} env steps in all, as many as {max(1, round(steps / task.horizon)):,} episodes of full length"
        )
    if settings.get("scale_rewards"):
        parts.append(
            "rewards are divided by the running deviation of the discounted return, so only their proportions count"
        )
    return "; ".join(parts) + "."


def lesson_lines(services: Services, task: TaskSpec) -> dict[str, str]:
    """Lessons that are told: key -> text with its grade; the task's own first, then the family's likely and firm ones."""
    own = services.journal.lessons(task.digest)[:_TASK_LESSONS]
    family = [row for row in services.journal.lessons(family=task.family) if row.grade in ("firm", "likely")]
    others = [row for row in family if row.task_digest != task.digest][:_FAMILY_LESSONS]
    return {row.key: f"({row.grade}) {row.text}" for row in [*own, *others]}


def weigh_lessons(services: Services, task_digest: str, generation: int) -> None:
    """Let the children of `generation` speak for or against what their writers were told."""
    journal = services.journal
    told = (journal.event_data(f"told:{task_digest}:{generation}") or {}).get("lessons", [])
    if not told:
        return
    population = {one.digest: one for one in read_population(services, task_digest)}
    children = [one for one in population.values() if one.generation == generation]
    by_child: Mapping[str, Sequence[str]] = {child.digest: told for child in children}
    for weighing in weigh(children, population, by_child):
        journal.grade_lesson(
            weighing.lesson, support=weighing.support, against=weighing.against, once=f"{generation}:{weighing.child}"
        )
    _grade(services, task_digest)


def contradict_lessons(services: Services, task_digest: str, keys: Sequence[str], generation: int) -> None:
    """The reflector finds that results speak against these lessons: enough to withdraw one that nothing has spoken for.

    A lesson of another task loses less: what fails here may hold there.
    """
    own = {row.key for row in services.journal.lessons(task_digest)}
    for key in keys:
        services.journal.grade_lesson(key, against=2 if key in own else 1, once=f"contradicted:{generation}:{key}")
    _grade(services, task_digest)


def _grade(services: Services, task_digest: str) -> None:
    for row in services.journal.lessons(task_digest):
        if (grade := grade_of(row.support, row.against)) != row.grade:
            services.journal.grade_lesson(row.key, grade=grade)


def reports_of(services: Services, task_digest: str) -> list[CandidateReport]:
    """A report on every program of the task's search."""
    rows = [row for row in services.journal.rewards(task_digest) if row.fate != "written"]
    return candidate_reports(rows, services.journal.jobs(task_digest), fitness_weights(services, task_digest))


def native_words(task: TaskSpec) -> str:
    """The environment's own reward in its authors' words; empty where the family does not tell it."""
    return str(getattr(get_family(task.family), "native_reward", "") or "")
