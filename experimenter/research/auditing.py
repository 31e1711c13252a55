"""The reward audit of a finished job: play the policies, ask the program what it pays, and put all that is known together.

Policies are played in this process, which runs no generated code; generated programs are asked in a confined process of their
own, which sees no fitness. What cannot be had (a family that cannot be taped, no sandbox, a program that fails) makes the
audit rest on less, down to the curve alone, never fail.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from envs.catalog import get_family
from envs.family import Card, Family
from envs.task import TaskSpec
from experimenter.errors import ProgramRefused, SandboxError
from experimenter.evaluation.rollout import RolloutError
from experimenter.evaluation.seeds import RACE_FIRST
from experimenter.evaluation.stress import record_stress
from experimenter.evaluation.tape import Tape, random_act, record_tape
from experimenter.execution.folder import JobFolder
from experimenter.records import CurveState, JobResult, RewardKind, RewardProgram, TrainJob
from experimenter.rewards.audit import Audit, audit_run
from experimenter.rewards.audit_behaviour import measure
from experimenter.rewards.audit_evidence import OWN, RANDOM, TASK, AuditInput, Sample
from experimenter.rewards.audit_scores import Scores, score, score_confined
from experimenter.rewards.program import RewardFault, compile_program
from skills.artifact import ArtifactError, Policy, load_policy

logger = logging.getLogger(__name__)

EPISODES, STRESSED = 8, 4
"""Episodes of each policy in the task's world and in each perturbed one."""
MOST_ARMS = 3
"""Other arms that are played for comparison."""
Tapes = Mapping[tuple[str, str], Tape]
"""(policy, world) -> tape."""
_MISSING = (RolloutError, SandboxError, ProgramRefused, RewardFault, ArtifactError, OSError)


def audit_result(
    home: Path,
    job: TrainJob,
    result: JobResult,
    rivals: Sequence[tuple[TrainJob, JobResult]] = (),
    *,
    code_state: CurveState | None = None,
    picture_state: CurveState | None = None,
    allow_unconfined: bool = False,
) -> Audit:
    """Audit the job whose artifacts lie under `home`.

    `rivals` are other jobs of the same race; of those with as many steps and another program, the native arm and the fittest
    are played. `code_state` and `picture_state` are what the judge of numbers and the model that saw frames said.
    """
    samples: tuple[Sample, ...] = ()
    try:
        samples = _gather(home, job, rivals, allow_unconfined) if result.ok else ()
    except _MISSING as error:
        logger.warning("the audit of job %s rests on its curve alone: %s", job.digest, error)
    evidence = AuditInput(
        family=job.task.family, horizon=job.task.horizon, curve=result.curve, samples=samples, code_state=code_state,
        picture_state=picture_state, reward_is_fitness=job.reward.kind is RewardKind.FITNESS,
    )  # fmt: skip
    return audit_run(evidence)


def choose_rivals(job: TrainJob, rivals: Sequence[tuple[TrainJob, JobResult]]) -> list[TrainJob]:
    """At most `MOST_ARMS` jobs of other programs at equal steps: the native arm and the fittest, one a program."""
    fitness: dict[str, tuple[float, TrainJob]] = {}
    for other, result in rivals:
        same = other.budget_steps == job.budget_steps and other.task.digest == job.task.digest
        if not same or not result.ok or result.evaluation is None or other.reward.digest == job.reward.digest:
            continue
        found = (fmean(result.evaluation.fitness), other)
        if other.reward.digest not in fitness or found[0] > fitness[other.reward.digest][0]:
            fitness[other.reward.digest] = found
    ranked = sorted(fitness.values(), key=lambda pair: (pair[1].reward.kind is not RewardKind.NATIVE, -pair[0]))
    return [other for _, other in ranked[:MOST_ARMS]]


def play(family: Family, task: TaskSpec, policy: Policy, seed: int = 0, *, episodes: int, stressed: int) -> Tapes:
    """Tape the trained policy in the task's world and in the perturbed ones, and a random policy."""
    env = family.make_vec(task, 1)
    space = env.action_space
    env.close()
    tapes = {(OWN, TASK): record_tape(family, task, policy.act, RACE_FIRST, episodes)}
    tapes.update({(OWN, s.world): s.tape for s in record_stress(family, task, policy.act, RACE_FIRST, stressed)})
    random = random_act(space, np.random.default_rng(seed))
    return {**tapes, (RANDOM, TASK): record_tape(family, task, random, RACE_FIRST, episodes)}


def pay(program: RewardProgram, card: Card, tapes: Sequence[Tape], *, allow_unconfined: bool = False) -> list[Scores]:
    """What `program` pays for each tape; generated code is asked in a confined process.

    Raises `SandboxError`, `ProgramRefused` or `RewardFault` when it cannot be asked.
    """
    if program.kind is RewardKind.CODE:
        return score_confined(program, card, tapes, allow_unconfined=allow_unconfined)
    if program.kind is RewardKind.SPECIFICATION:
        compiled = compile_program(program, card)
        return [score(compiled, tape) for tape in tapes]
    native = program.kind is RewardKind.NATIVE
    paid = [tuple(o.native_return if native else o.fitness for o in tape.outcomes) for tape in tapes]
    return [Scores(returns=returns, terms={}) for returns in paid]


def make_sample(policy: str, world: str, tape: Tape, scores: Scores) -> Sample:
    """Put a tape's ground truth and what the program pays for it together."""
    names = sorted({name for outcome in tape.outcomes for name in outcome.extras})
    extras = {f"extra_{name}": fmean(outcome.extras.get(name, 0.0) for outcome in tape.outcomes) for name in names}
    return Sample(
        policy=policy,
        world=world,
        returns=scores.returns,
        fitness=tuple(float(o.fitness) for o in tape.outcomes),
        success=tuple(bool(o.success) for o in tape.outcomes),
        native=tuple(float(o.native_return) for o in tape.outcomes),
        length=tuple(int(o.length) for o in tape.outcomes),
        terminated=tape.terminated,
        terms=dict(scores.terms),
        measures={**measure(tape), **extras},
    )


def _gather(
    home: Path, job: TrainJob, rivals: Sequence[tuple[TrainJob, JobResult]], allow_unconfined: bool
) -> tuple[Sample, ...]:
    family = get_family(job.task.family)
    own = load_policy(JobFolder(home / "jobs" / job.digest).policy)
    tapes = dict(play(family, job.task, own, job.seed, episodes=EPISODES, stressed=STRESSED))
    for rival in choose_rivals(job, rivals):
        try:
            policy = load_policy(JobFolder(home / "jobs" / rival.digest).policy)
            tapes[(rival.reward.label, TASK)] = record_tape(family, job.task, policy.act, RACE_FIRST, EPISODES)
        except _MISSING as error:
            logger.warning("the arm %s cannot be compared: %s", rival.reward.label, error)
    paid = pay(job.reward, family.card(), list(tapes.values()), allow_unconfined=allow_unconfined)
    return tuple(
        make_sample(name, world, tape, scores)
        for ((name, world), tape), scores in zip(tapes.items(), paid, strict=True)
    )
