"""The meeting place: trainers, curricula, rewards and evaluation come together here and nowhere else.

`train_job` runs in a training worker (confined when the reward is generated), `evaluate_job` in a process that never ran
generated code, `run_job` in the parent that supervises both and turns everything that happens into one `JobResult`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from envs.catalog import get_family
from envs.family import BatchEnv, Family
from experimenter.curricula.base import Teacher
from experimenter.evaluation.rollout import evaluate
from experimenter.evaluation.seeds import race_seeds
from experimenter.execution import folder as files
from experimenter.execution.base import JobState, JobUpdate, Listener, StopFlag
from experimenter.execution.curve import CURVE_FILE, CurveWriter, read_curve
from experimenter.execution.failures import StageError, boundary, fail, is_transient
from experimenter.execution.folder import Heartbeat, JobFolder, Outcome
from experimenter.execution.worlds import ListenedWorlds, RewardedWorlds
from experimenter.records import Evaluation, Failure, JobResult, JobStatus, TrainJob
from experimenter.registry import load
from skills.artifact import load_policy, save_policy

UNCONFINED_VARIABLE = "EXPERIMENTER_ALLOW_UNCONFINED"
_BEAT_S = 1.0
SkillFolder = Callable[[str], Path]
"""Skill id -> folder of its artifact."""


@dataclass(frozen=True, kw_only=True)
class TrainEnd:
    """How a supervised training ended well."""

    stopped: bool
    steps: int
    drained: bool = False
    """Stopped by a drain: there is a checkpoint, and there is to be no result."""


class Runner(Protocol):
    """Where the two halves of a job run. Failures come as `StageError`."""

    def train(self, job: TrainJob, folder: JobFolder, stop: StopFlag, notify: Listener, lock: int) -> TrainEnd: ...

    def evaluate(self, job: TrainJob, folder: JobFolder) -> Evaluation: ...


def train_job(job: TrainJob, work: Path, is_stopped: Callable[[], bool]) -> Outcome:
    """Train `job` in the folder `work`, resuming from its checkpoint; leaves policy, curve and outcome there.

    Never raises: what goes wrong is the outcome's failure.
    """
    try:
        outcome = _train(job, work, is_stopped)
    except StageError as error:
        outcome = Outcome(state="failed", failure=error.failure)
    files.write_record(work / "outcome.json", outcome)
    return outcome


def _train(job: TrainJob, work: Path, is_stopped: Callable[[], bool]) -> Outcome:
    from experimenter.trainers.base import Command, Problem, Progress, TrainBudget

    curve, pulse = CurveWriter(work, job.budget_steps), _Pulse(work)
    with boundary("env"):
        family = get_family(job.task.family)
        spaces = family.make_vec(job.task, 1)
        spaces.close()
    with boundary("train"):
        teacher = make_teacher(job, family)
        trainer = load("trainers", job.trainer)()
    made: list[ListenedWorlds] = []

    def make_vec(n: int) -> BatchEnv:
        made.append(ListenedWorlds(make_rewarded(job, family, teacher, n), teacher, curve, pulse.beat))
        return made[-1]

    def listen(progress: Progress) -> Command:
        pulse.beat(progress.step)
        for worlds in made[-1:]:
            worlds.losses = dict(progress.losses)
            worlds.sync(progress.step)
        return Command.STOP if is_stopped() else Command.CONTINUE

    start = work / "start"
    problem = Problem(
        make_vec=make_vec,
        observation_space=spaces.observation_space,
        action_space=spaces.action_space,
        folder=work,
        family=job.task.family,
        settings=dict(job.settings),
        start=start if start.is_dir() else None,
        task=job.task,
    )
    budget = TrainBudget(steps=job.budget_steps, schedule_steps=max(job.schedule_steps, job.budget_steps))
    with boundary("train"):
        began, cpu = time.monotonic(), time.process_time()
        policy = trainer.train(problem, budget, job.seed, listen)
        train_s, train_cpu_s = time.monotonic() - began, time.process_time() - cpu
        if made and curve.has_episodes:
            made[-1].close_point()
        save_policy(work / "policy", policy.spec, policy.tensors)
    steps = int(policy.steps)
    state = "stopped" if steps < job.budget_steps and is_stopped() else "done"
    return Outcome(state=state, steps=steps, train_s=train_s, train_cpu_s=train_cpu_s)


def make_teacher(job: TrainJob, family: Family) -> Teacher:
    """Build the job's teacher from the registry."""
    teacher: Teacher = load("teachers", job.teacher.name)(
        card=family.card(), target=dict(job.task.params), settings=dict(job.teacher.settings), seed=job.seed
    )
    return teacher


def make_rewarded(job: TrainJob, family: Family, teacher: Teacher, n: int) -> RewardedWorlds:
    """Make `n` worlds of the job whose parameters come from `teacher` and whose reward is the job's program."""
    with boundary("env"):
        worlds = family.make_vec(job.task, n, None if job.teacher.name == "fixed" else teacher.sample)
    with boundary("reward"):
        from experimenter.rewards.wrapper import RewardWrapper

        # set by a parent that was told to do without a sandbox; inside one, nobody asks for it
        unconfined = os.environ.get(UNCONFINED_VARIABLE) == "1"
        return RewardWrapper(worlds, job.reward, family.card(), allow_unconfined=unconfined)


class _Pulse:
    """Writes the heartbeat at most once a second."""

    def __init__(self, work: Path) -> None:
        self._path = work / "heartbeat.json"
        self._next = 0.0
        self._beats = 0
        self._step = 0

    def beat(self, step: int) -> None:
        now = time.monotonic()
        self._step = max(self._step, step)
        if now >= self._next:
            self._next = now + _BEAT_S
            self._beats += 1
            text = Heartbeat(step=self._step, beats=self._beats).model_dump_json()
            part = self._path.with_name(self._path.name + ".part")
            part.write_text(text)
            part.replace(self._path)


def evaluate_job(job: TrainJob, folder: JobFolder) -> Evaluation:
    """Run the job's held-out episodes with the policy in its folder and write `evaluation.json`.

    Runs where no generated code ever ran. Raises `StageError` of stage `evaluate`.
    """
    with boundary("evaluate"):
        policy = load_policy(folder.policy)
        family = get_family(job.task.family)
        evaluation = evaluate(family, job.task, policy, race_seeds(job.eval_episodes), exam=False)
        files.write_record(folder.root / "evaluation.json", evaluation)
    return evaluation


def run_job(
    job: TrainJob,
    home: Path,
    runner: Runner,
    *,
    stop: StopFlag | None = None,
    notify: Listener | None = None,
    skill_folder: SkillFolder | None = None,
) -> JobResult | None:
    """Run one job to its result, which is stored in its folder; a stored one is returned at once.

    Never raises: failures are values. None means drained: `stop` was set without keeping, and a checkpoint may be there.
    """
    stop, notify = stop or StopFlag(), notify or (lambda update: None)
    folder, lock = JobFolder(home / "jobs" / job.digest), None
    try:
        with boundary("worker"):
            found = files.find_result(folder, job.digest)
            if found is not None:
                notify(JobUpdate(job_digest=job.digest, state=JobState.FOUND, step=found.steps))
                return found
            if stop.is_set:
                return None
            folder = files.open_folder(home, job)
            lock = files.lock_folder(folder, lambda: stop.is_set)
            if lock is None:
                return None
            return _run_locked(job, home, folder, runner, stop, notify, skill_folder or _library(home), lock)
    except StageError as error:
        return failed_result(job, error.failure, folder)
    finally:
        if lock is not None:
            os.close(lock)


def _run_locked(
    job: TrainJob,
    home: Path,
    folder: JobFolder,
    runner: Runner,
    stop: StopFlag,
    notify: Listener,
    skill_folder: SkillFolder,
    lock: int,
) -> JobResult | None:
    # another process may have finished it while we waited for the lock
    if (found := files.find_result(folder, job.digest)) is not None:
        return found
    before = 0
    try:
        with boundary("worker"):
            before = files.adopt_checkpoint(home, job, folder)
            _adopt_start(job, folder, skill_folder)
            files.clear_requests(folder)
        notify(JobUpdate(job_digest=job.digest, state=JobState.RUNNING))
        end = runner.train(job, folder, stop, notify, lock)
        if end.drained:
            notify(JobUpdate(job_digest=job.digest, state=JobState.DRAINED, step=end.steps, message=stop.reason))
            return None
        files.adopt_policy(folder)
        notify(JobUpdate(job_digest=job.digest, state=JobState.EVALUATING, step=end.steps))
        evaluation = runner.evaluate(job, folder)
        result = _result(job, folder, before, end, evaluation)
    except StageError as error:
        result = failed_result(job, error.failure, folder, before)
        if is_transient(error.failure):
            return result
    with boundary("worker"):
        files.write_record(folder.root / "result.json", result)
    notify(JobUpdate(job_digest=job.digest, state=JobState.ENDED, step=result.steps, message=result.status.value))
    return result


def failed_result(job: TrainJob, failure: Failure, folder: JobFolder, before: int = 0) -> JobResult:
    """The result of a job that failed, with what is left of its curve and what it cost."""
    usage = files.read_usage(folder)
    steps = min(job.budget_steps, max(before, files.read_heartbeat(folder).step))
    return JobResult(
        job_digest=job.digest,
        status=JobStatus.KILLED if failure.kind in ("timeout", "stalled") else JobStatus.FAILED,
        failure=failure,
        curve=tuple(read_curve(folder.work / CURVE_FILE, job.budget_steps)),
        steps=steps,
        new_steps=steps - before,
        wall_s=usage.wall_s,
        cpu_s=usage.cpu_s,
        artifact=job.digest,
    )


def _result(job: TrainJob, folder: JobFolder, before: int, end: TrainEnd, evaluation: Evaluation) -> JobResult:
    usage = files.read_usage(folder)
    # the worker's word on its steps is bounded by what the job was given
    steps = min(job.budget_steps, max(before, end.steps))
    return JobResult(
        job_digest=job.digest,
        status=JobStatus.STOPPED if end.stopped else JobStatus.DONE,
        curve=tuple(read_curve(folder.work / CURVE_FILE, job.budget_steps)),
        evaluation=evaluation,
        steps=steps,
        new_steps=steps - before,
        wall_s=usage.wall_s,
        cpu_s=usage.cpu_s,
        artifact=job.digest,
    )


def _adopt_start(job: TrainJob, folder: JobFolder, skill_folder: SkillFolder) -> None:
    if job.start_skill is None or (folder.work / "start").exists():
        return
    source = skill_folder(job.start_skill)
    source = source / "policy" if (source / "policy").is_dir() else source
    if not source.is_dir():
        raise fail("worker", "no_skill", f"the skill {job.start_skill} to start from has no artifact at {source}")
    files.copy_plain(source, folder.work / "start")


def _library(home: Path) -> SkillFolder:
    return lambda skill: home / "skills" / skill
