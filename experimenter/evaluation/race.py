"""The race: successive halving of reward arms over training seeds, ranked on held-out fitness. Pure functions.

Rule. All arms of a rung get the same env steps and the same training seeds. An arm's score is the interquartile mean of
held-out fitness pooled over its seeds and episodes (worlds from `seeds.race_seeds`). The best `keep` arms go on; their jobs
continue from their own checkpoints and later rungs add seeds; a race too short for a rung of fewer steps has one
of fewer seeds. With `dominated_share` an arm that is far below the leader late in the race goes
no further, so that its steps are not spent on what cannot win. A failed or missing job counts as episodes of the worst fitness
seen in the rung, and an arm without any good job ranks last. Ties go to the higher lower end of the interval, then to the
higher plain mean (at a fitness's ceiling the middle half no longer tells), then to the arm named first (name the baselines first:
simplest wins). The interval is reported, it does not spare an arm; it decides in one place: an interquartile mean over four seeds
sees neither the one that failed nor the one that got far, so in the last rung the arm with the highest plain mean wins among those within
the leader's interval. With `control` the native reward runs to the end whatever the rungs before
say, for it may learn late: what wins has then beaten it, or is it, at equal steps and seeds.

The winner is an arm, never one lucky run. The policy put to admission is the winner's best seed on the race's worlds; that
choice is biased upward by construction, which is why its certificate is earned on `seeds.admission_seeds`.
Successive halving: Jamieson and Talwalkar 2016, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import ceil
from statistics import fmean

from pydantic import Field

from experimenter.evaluation.statistics import pooled_iqm
from experimenter.evaluation.weights import weighted_fitness
from experimenter.records import JobResult, Record, RewardKind, RewardProgram, TrainJob
from skills.evidence import interquartile_mean

Results = Mapping[str, JobResult]
"""Job digest -> result."""
FINALISTS = 2
"""Arms in the last rung of a session's race."""
LEAST_SHARE = 0.05
"""Share of the steps that a family is known to need below which a rung would rank arms by noise: after 4% of them all arms of the double
pendulum lay between 0.011 and 0.013 in fitness, after 40% its finalists were at 1."""
_SHRINK = (1.0, 0.75, 0.5, 0.33, 0.25)
"""Fractions of the wanted final steps that `fit_race` tries, in this order."""


class Rung(Record):
    """One round: every arm in it is trained to `budget_steps` on `seeds`; the best `keep` go on."""

    budget_steps: int = Field(gt=0)
    seeds: tuple[int, ...] = Field(min_length=1)
    keep: int = Field(ge=1)


class RacePlan(Record):
    arms: tuple[RewardProgram, ...] = Field(min_length=1)
    """Simplest first: ties go to the earlier arm."""
    rungs: tuple[Rung, ...] = Field(min_length=1)
    fitness_weights: dict[str, float] = Field(default_factory=dict)
    """Further true measure -> weight with which a person counts it in the fitness; empty ranks by the fitness alone."""
    dominated_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    """An arm whose interval ends below this share of the leader's lower end is out, once a quarter of the steps are done; 0: never."""
    control: bool = False
    """The native reward runs to the end beside the arms kept, however it stands before."""

    @property
    def total_steps(self) -> int:
        """Env steps of the whole race when nothing fails, at most."""
        return race_cost(self.rungs, len(self.arms), control=self.control)


class ArmScore(Record):
    arm: str
    """Digest of the reward program."""
    label: str
    iqm: float
    low: float
    high: float
    episodes: int
    mean: float = 0.0
    """Plain mean over all episodes: at a ceiling of the fitness an interquartile mean no longer sees the seed that failed."""
    failed: int = 0
    """Jobs counted as the worst value."""
    steps: int
    """Env steps of one policy at this rung."""


class Standing(Record):
    rung: int
    ranking: tuple[ArmScore, ...]
    """Best first."""
    survivors: tuple[str, ...]
    """Digests of the arms that go on; after the last rung the winner alone (nobody when every job failed)."""
    eliminated: dict[str, str] = Field(default_factory=dict)
    """Digest -> why."""

    @property
    def winner(self) -> str | None:
        """The best arm so far; None when no arm has a single good job."""
        return self.survivors[0] if self.survivors else None


def plan_race(
    arms: Sequence[RewardProgram],
    rungs: Sequence[Rung],
    fitness_weights: Mapping[str, float] | None = None,
    *,
    dominated_share: float = 0.0,
    control: bool = False,
) -> RacePlan:
    """Put arms and rungs together; raises `ValueError` for rungs that do not grow or arms that are named twice."""
    digests = [arm.digest for arm in arms]
    if len(set(digests)) != len(digests):
        raise ValueError("an arm is in the race twice: the digests of reward programs must differ")
    for before, after in pairwise(rungs):
        steps, seeds = after.budget_steps - before.budget_steps, set(after.seeds) - set(before.seeds)
        if steps < 0 or not set(before.seeds) <= set(after.seeds) or not (steps or seeds):
            raise ValueError("every rung needs more steps or more seeds than the one before, and no fewer of either")
    return RacePlan(
        arms=tuple(arms),
        rungs=tuple(rungs),
        fitness_weights=dict(fitness_weights or {}),
        dominated_share=dominated_share,
        control=control,
    )


def fit_race(
    arms: int,
    *,
    total_steps: int,
    final_steps: int,
    seeds_final: int = 3,
    first_seed: int = 0,
    growth: float = 3.0,
    rungs: int = 3,
    finalists: int = FINALISTS,
    least_steps: int = 0,
    control: bool = False,
) -> tuple[Rung, ...]:
    """Shape a race of `arms` that costs at most `total_steps` env steps, summed over all of its jobs.

    A rung of fewer than `least_steps` would rank arms by noise and is left out. With `control` the race pays for one arm more in every later rung.
    What does not fit gives up, in this order: seeds of the last rung (down to 2), steps of the last rung (down to a quarter), the second seed;
    and if even that does not fit, divides what there is by the arms. Raises `ValueError` below one step an arm.
    """
    if arms < 1 or total_steps < arms or final_steps < 1 or seeds_final < 1:
        raise ValueError(f"a race of {arms} arms within {total_steps} steps cannot be: give at least one step an arm")
    depth = 1 if arms <= finalists else max(1, rungs)
    wishes = [(1.0, count) for count in range(seeds_final, 1, -1)]
    wishes += [(fraction, min(2, seeds_final)) for fraction in _SHRINK]
    wishes += [(fraction, 1) for fraction in _SHRINK]
    for fraction, count in wishes:
        final = int(final_steps * fraction) or 1
        shape = _shape(arms, final, count, _depth(final, depth, growth, least_steps), growth, finalists, first_seed)
        if race_cost(shape, arms, control=control) <= total_steps:
            return shape
    return (Rung(budget_steps=min(final_steps, total_steps // arms), seeds=(first_seed,), keep=1),)


def race_cost(rungs: Sequence[Rung], arms: int, *, control: bool = False) -> int:
    """Env steps of a race, at most: continued seeds pay the difference to the rung before, new seeds pay from zero."""
    total, alive, before = 0, arms, None
    for rung in rungs:
        old = len(before.seeds) if before else 0
        continued = old * (rung.budget_steps - (before.budget_steps if before else 0))
        total += alive * (continued + (len(rung.seeds) - old) * rung.budget_steps)
        alive, before = min(alive, rung.keep + control), rung
    return total


def rung_jobs(plan: RacePlan, rung: int, arms: Sequence[str], template: TrainJob) -> tuple[TrainJob, ...]:
    """Build the jobs of one rung for the arms (digests) still in the race, seed by seed.

    `template` gives task, trainer, settings, teacher, episodes and limits; reward, seed and steps are set here
    (schedules run to the last rung's steps, so that a rung's policy is a prefix of the whole run).
    """
    alive = [arm for arm in plan.arms if arm.digest in set(arms)]
    return tuple(_job(plan, rung, arm, seed, template) for seed in plan.rungs[rung].seeds for arm in alive)


def next_rung(plan: RacePlan, rung: int, jobs: Sequence[TrainJob], results: Results) -> Standing:
    """Rank the arms of `jobs` (all jobs of rung number `rung`) and say who goes on, who does not, and why."""
    weights = plan.fitness_weights
    worst = _worst_fitness((results[job.digest] for job in jobs if job.digest in results), weights)
    scores = [
        _score(arm, [job for job in jobs if job.reward.digest == arm.digest], results, worst, weights)
        for arm in plan.arms
        if any(job.reward.digest == arm.digest for job in jobs)
    ]
    # sorted() is stable: equal arms stay in the plan's order, simplest first
    ranking = sorted(scores, key=lambda score: (score.episodes == 0, -score.iqm, -score.low, -score.mean))
    if rung == len(plan.rungs) - 1:
        ranking = _best_mean_first(ranking)
    good = [score for score in ranking if score.episodes > 0]
    kept = _contenders(plan, rung, good[: plan.rungs[rung].keep])
    spared = []
    if plan.control and rung < len(plan.rungs) - 1:
        native = {arm.digest for arm in plan.arms if arm.kind is RewardKind.NATIVE}
        spared = [score for score in good if score.arm in native and score not in kept]
    alive = [*kept, *spared]
    # told against the arms that were kept for what they reached: the control is not what another one fell short of
    out = {score.arm: _reason(score, kept, plan.rungs[rung]) for score in ranking if score not in alive}
    return Standing(rung=rung, ranking=tuple(ranking), survivors=tuple(score.arm for score in alive), eliminated=out)


def _best_mean_first(ranking: Sequence[ArmScore]) -> list[ArmScore]:
    """Put the winner first: of the arms that cannot be told from the leader the one that is best with every seed counted."""
    near = [score for score in ranking if score.episodes > 0 and score.iqm >= ranking[0].low]
    if not near:
        return list(ranking)
    first = max(near, key=lambda score: score.mean)  # the earlier one of equals
    return [first, *(score for score in ranking if score is not first)]


def select_best_job(
    arm: str, jobs: Sequence[TrainJob], results: Results, fitness_weights: Mapping[str, float] | None = None
) -> str | None:
    """Digest of the arm's job whose policy succeeds most often on the race's worlds, then has the highest fitness IQM.

    None without one. Success comes first because it is what a certificate counts, and because an interquartile mean does not
    see rare falls. Select on these worlds, certify on `seeds.admission_seeds`: see the module's note on selection bias.
    """
    best: tuple[tuple[float, float], str] | None = None
    for job in jobs:
        result = results.get(job.digest)
        if job.reward.digest == arm and result is not None and result.ok and result.evaluation is not None:
            done = result.evaluation
            value = (
                sum(done.success) / len(done.success),
                interquartile_mean(weighted_fitness(done, fitness_weights or {})),
            )
            best = (value, job.digest) if best is None or value > best[0] else best
    return best[1] if best else None


def extend_jobs(jobs: Sequence[TrainJob], budget_steps: int) -> tuple[TrainJob, ...]:
    """Let finished jobs train on to `budget_steps` from their own checkpoints (the verdict `extend`)."""
    return tuple(
        job.evolve(
            budget_steps=budget_steps,
            schedule_steps=max(job.schedule_steps, budget_steps),
            continues=job.digest,
            start_skill=None,
        )
        for job in jobs
        if budget_steps > job.budget_steps
    )


def _depth(final: int, depth: int, growth: float, least_steps: int) -> int:
    """How many rungs have at least `least_steps`, the last one always among them."""
    return max(1, sum(final / growth**power >= least_steps for power in range(depth)))


def _shape(
    arms: int, final: int, seeds: int, depth: int, growth: float, finalists: int, first_seed: int
) -> tuple[Rung, ...]:
    budgets = sorted({max(1, round(final / growth**power)) for power in range(depth)})
    depth = len(budgets)
    if depth == 1 and arms > finalists and seeds > 2:  # what is far behind on some seeds is not worth more of them
        some, all_seeds = (tuple(range(first_seed, first_seed + count)) for count in (max(2, ceil(seeds / 3)), seeds))
        return Rung(budget_steps=final, seeds=some, keep=finalists), Rung(budget_steps=final, seeds=all_seeds, keep=1)
    shape = []
    for index, budget in enumerate(budgets):
        count = min(seeds, max(2, ceil(seeds * (index + 1) / depth)))
        # geometric from all arms to the finalists: n_i = arms * (finalists / arms) ** (i / (depth - 1))
        alive = arms * (min(finalists, arms) / arms) ** ((index + 1) / (depth - 1)) if index + 1 < depth else 1
        shape.append(
            Rung(budget_steps=budget, seeds=tuple(range(first_seed, first_seed + count)), keep=ceil(alive - 1e-9))
        )
    return tuple(shape)


def _job(plan: RacePlan, rung: int, arm: RewardProgram, seed: int, template: TrainJob) -> TrainJob:
    continued = rung > 0 and seed in plan.rungs[rung - 1].seeds
    if continued and plan.rungs[rung].budget_steps == plan.rungs[rung - 1].budget_steps:
        return _job(plan, rung - 1, arm, seed, template)  # it has run
    return template.evolve(
        reward=arm,
        seed=seed,
        budget_steps=plan.rungs[rung].budget_steps,
        schedule_steps=plan.rungs[-1].budget_steps,
        continues=_job(plan, rung - 1, arm, seed, template).digest if continued else None,
        start_skill=None if continued else template.start_skill,
    )


def _contenders(plan: RacePlan, rung: int, kept: Sequence[ArmScore]) -> list[ArmScore]:
    """The kept arms without those that the leader dominates; early rungs and fitness around zero leave all of them in.

    The native reward stays: what others are worth is told against it, at equal steps.
    """
    late = 4 * plan.rungs[rung].budget_steps >= plan.rungs[-1].budget_steps
    if not kept or not late or not plan.dominated_share or kept[0].low <= 0:
        return list(kept)
    least = plan.dominated_share * kept[0].low
    native = {arm.digest for arm in plan.arms if arm.kind is RewardKind.NATIVE}
    return [score for score in kept if score is kept[0] or score.arm in native or score.high >= least]


def _score(
    arm: RewardProgram, jobs: Sequence[TrainJob], results: Results, worst: float, weights: Mapping[str, float]
) -> ArmScore:
    groups: dict[int, Sequence[float]] = {}
    good = 0
    for job in jobs:
        result = results.get(job.digest)
        if result is not None and result.ok and result.evaluation is not None:
            groups[job.seed] = weighted_fitness(result.evaluation, weights)
            good += 1
        else:
            groups[job.seed] = [worst] * job.eval_episodes
    estimate = pooled_iqm(groups)
    return ArmScore(
        arm=arm.digest,
        label=arm.label,
        iqm=estimate.value,
        low=estimate.low,
        high=estimate.high,
        episodes=estimate.n if good else 0,
        mean=fmean(value for values in groups.values() for value in values),
        failed=len(jobs) - good,
        steps=jobs[0].budget_steps,
    )


def _worst_fitness(results: Iterable[JobResult], weights: Mapping[str, float]) -> float:
    values = [
        value
        for result in results
        if result.ok and result.evaluation is not None
        for value in weighted_fitness(result.evaluation, weights)
    ]
    return float(min(values, default=0.0))


def _reason(score: ArmScore, kept: Sequence[ArmScore], rung: Rung) -> str:
    if score.episodes == 0:
        return f"all {score.failed} jobs failed"
    last = kept[-1]
    failed = f", {score.failed} failed jobs counted as the worst" if score.failed else ""
    place = "below" if score.iqm <= last.iqm else "with a lower plain mean than"
    return (
        f"fitness IQM {score.iqm:.4g} [{score.low:.4g}, {score.high:.4g}] after {rung.budget_steps} steps, "
        f"{place} {last.label} with {last.iqm:.4g} [{last.low:.4g}, {last.high:.4g}], the last of {len(kept)} kept{failed}"
    )
