"""Screens before training: static and probe states in the sandbox, then the preference check on recorded episodes.

Each decision and its cost is an event of kind `screen`. With `audit_screens` a refusal of the preference screen is only written down and
the program races all the same, so that it can be told how often the screen would have thrown away the winner.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from envs.catalog import get_family
from envs.task import TaskSpec
from experimenter.errors import ProgramRefused, SandboxError
from experimenter.evaluation.rollout import RolloutError
from experimenter.evaluation.tape import Tape
from experimenter.evaluation.trajectories import collect_tapes
from experimenter.records import JobResult, RewardKind, RewardProgram
from experimenter.research.agenda import card_of
from experimenter.research.auditing import pay
from experimenter.rewards.program import RewardFault
from experimenter.rewards.screens import PROBE, STATIC, ScreenReport, judge_preference
from experimenter.roles.reward_writer import repair
from experimenter.sandbox.check import check_programs
from experimenter.services import Services
from memory.tables import JobRow
from skills.artifact import load_policy

Births = Mapping[str, tuple[int, str, int]]
"""Digest -> island, operator, slot."""
_PROCESSES = 2
"""Programs that are tried at the same time."""
_POLICIES = 2
"""Policies of earlier jobs that add good episodes to the recorded ones: the best of the native arm and the best of all."""


def screen_programs(
    services: Services, task: TaskSpec, programs: Sequence[RewardProgram], generation: int, births: Births
) -> int:
    """Screen programs and put them on the task's list as `written` or `refused`; returns how many may race."""
    sound: list[RewardProgram] = []
    reports = _check(services, task, programs)
    for program, report in zip(programs, reports, strict=True):
        if report.passed:
            sound.append(program)
        elif (mended := _mend(services, task, program, report, generation, births)) is not None:
            births = {**births, mended.digest: births.get(program.digest, (0, "", 0))}
            sound.append(mended)
    preferred = prefer(services, task, sound) if sound else []
    accepted = 0
    for program, report in zip(sound, preferred, strict=True):
        write_screen(services, task.digest, report)
        may = report.passed or services.config.audit_screens
        fate, reason = ("written", "") if may else ("refused", report.reason)
        services.journal.add_rewards(task.digest, [program], generation, fate, reason, births)
        accepted += may
    return accepted


def _check(services: Services, task: TaskSpec, programs: Sequence[RewardProgram]) -> list[ScreenReport]:
    found = check_programs(programs, card_of(task), allow_unconfined=services.config.allow_unconfined)
    reports = [
        ScreenReport(screen=STATIC, digest=program.digest, passed=one.ok, cost_s=one.seconds, reason=one.reason)
        for program, one in zip(programs, found, strict=True)
    ]
    for report in reports:
        write_screen(services, task.digest, report)
    return reports


def _mend(
    services: Services, task: TaskSpec, program: RewardProgram, report: ScreenReport, generation: int, births: Births
) -> RewardProgram | None:
    """A refusal goes back to its writer once; None when what comes back is refused too."""
    journal = services.journal
    journal.add_rewards(task.digest, [program], generation, "refused", report.reason, births)
    text = f"{program.label} refused: {report.reason}"
    journal.event(f"refused:{task.digest}:{program.digest}", "reward", text)
    mended = repair(
        services.speaker(),
        program,
        report.reason,
        task=task,
        card=card_of(task),
        step=f"repair:{task.digest}:{program.digest}",
    )
    if mended is None:
        return None
    (again,) = _check(services, task, [mended])
    if not again.passed:
        place = {mended.digest: births.get(program.digest, (0, "", 0))}
        journal.add_rewards(task.digest, [mended], generation, "refused", again.reason, place)
        return None
    return mended


def prefer(services: Services, task: TaskSpec, programs: Sequence[RewardProgram]) -> list[ScreenReport]:
    """Try programs on recorded episodes of known fitness; one report each, in order."""
    started = time.monotonic()
    tapes = recorded_tapes(services, task)
    fitness = [outcome.fitness for tape in tapes for outcome in tape.outcomes]
    with ThreadPoolExecutor(max_workers=_PROCESSES) as pool:
        returns = list(pool.map(lambda program: _paid(services, task, program, tapes), programs))
    cost_s = (time.monotonic() - started) / max(1, len(programs))
    return [judge_preference(one.digest, paid, fitness, cost_s) for one, paid in zip(programs, returns, strict=True)]


def _paid(services: Services, task: TaskSpec, program: RewardProgram, tapes: Sequence[Tape]) -> list[float] | str:
    """What the program pays for each recorded episode, or why it failed on them."""
    if not tapes:
        return []
    try:
        scores = pay(program, card_of(task), tapes, allow_unconfined=services.config.allow_unconfined)
    except (SandboxError, ProgramRefused, RewardFault) as error:
        return str(error)
    return [value for score in scores for value in score.returns]


def recorded_tapes(services: Services, task: TaskSpec) -> list[Tape]:
    """Episodes of scripted and random behaviours, and of policies that this task's jobs left behind."""
    rows = [row for row in services.journal.jobs(task.digest) if row.state in ("done", "stopped") and row.result]
    folders = {digest: services.home / "jobs" / digest / "policy" for digest in _best_policies(rows)}
    policies = [(digest, load_policy(folder)) for digest, folder in folders.items() if folder.is_dir()]
    try:
        taped = collect_tapes(get_family(task.family), task, seed=services.config.seed, policies=policies)
    except (RolloutError, ValueError) as error:
        services.journal.event(f"no-episodes:{task.digest}", "screening", f"no preference screen here: {error}")
        return []
    return [tape for _, tape in taped]


def _best_policies(rows: Sequence[JobRow]) -> list[str]:
    """Job digests of the fittest policy of the native arm and of the fittest of all."""
    scored: list[tuple[float, str, bool]] = []
    for row in rows:
        result = JobResult.model_validate(row.result)
        if result.ok and result.evaluation is not None:
            mean = sum(result.evaluation.fitness) / len(result.evaluation.fitness)
            native = row.payload["reward"]["kind"] == RewardKind.NATIVE.value
            scored.append((mean, row.job_digest, native))
    scored.sort(reverse=True)
    chosen = [digest for _, digest, native in scored if native][:1] + [digest for _, digest, _ in scored][:1]
    return list(dict.fromkeys(chosen))[:_POLICIES]


def write_screen(services: Services, task_digest: str, report: ScreenReport) -> None:
    """Keep a screen's decision."""
    verdict = "passed" if report.passed else f"refused: {report.reason}" if report.reason else "refused"
    value = "" if report.value is None else f" ({report.value:.3g})"
    key = f"screen:{task_digest}:{report.digest}:{report.screen}"
    text = f"{report.screen} screen of {report.digest[:6]}: {verdict}{value}"
    services.journal.event(key, "screen", text, report.model_dump(mode="json"))


def probe_report(digest: str, passed: bool, value: float, cost_s: float, why: str) -> ScreenReport:
    """The first rung of a race, seen as a screen."""
    return ScreenReport(screen=PROBE, digest=digest, passed=passed, value=value, cost_s=cost_s, reason=why)
