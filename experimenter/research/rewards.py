"""The arms of a race: baselines, and the model's programs after their screens."""

from __future__ import annotations

from collections.abc import Sequence

from envs.task import TaskSpec
from experimenter.records import (
    Reflection,
    RewardKind,
    RewardProgram,
)
from experimenter.research.agenda import card_of
from experimenter.rewards.specification import rule_specification
from experimenter.roles.reward_writer import repair
from experimenter.roles.reward_writer import write_rewards as ask_rewards
from experimenter.sandbox.check import check_programs
from experimenter.services import Services


def write_rewards(services: Services, task_digest: str, generation: int) -> None:
    """Baseline arms (first generation) and the model's screened programs go on the task's list."""
    journal, config = services.journal, services.config
    task, key = journal.task(task_digest), f"rewards:{task_digest}:{generation}"
    if journal.event_data(key) is not None:
        return
    card = card_of(task)
    if generation == 0:
        journal.add_rewards(task_digest, baseline_arms(task), 0, "racing")
    accepted = 0
    if config.candidates:
        written = ask_rewards(
            services.speaker(),
            task,
            card,
            k=config.candidates,
            reflection=_reflection(services, task_digest),
            examples=(),
            step=key,
        )
        by_rule = written.source.startswith("rule:")
        accepted = 0 if by_rule else _screen(services, task, written.programs, generation)
        for index, refusal in enumerate(written.refusals):
            journal.event(f"{key}:refused:{index}", "reward", f"unusable answer of the reward writer: {refusal}")
    said = f"generation {generation}: {accepted} reward programs may race ({config.candidates} asked for; equal ones count once)"
    journal.event(key, "rewards", said)


def baseline_arms(task: TaskSpec) -> list[RewardProgram]:
    """Native reward, fitness as reward, and the reward that a rule makes from the card without any model."""
    rule = rule_specification(card_of(task))
    return [RewardProgram(kind=RewardKind.NATIVE), RewardProgram(kind=RewardKind.FITNESS), rule]


def _screen(services: Services, task: TaskSpec, programs: Sequence[RewardProgram], generation: int) -> int:
    """Screen programs; a refusal goes back to its writer once. Returns how many may race."""
    card, journal, accepted = card_of(task), services.journal, 0
    for program, report in zip(programs, check_programs(programs, card), strict=True):
        if report.ok:
            journal.add_rewards(task.digest, [program], generation, "racing")
            accepted += 1
            continue
        journal.add_rewards(task.digest, [program], generation, "refused", report.reason)
        journal.event(f"refused:{task.digest}:{program.digest}", "reward", f"{program.label} refused: {report.reason}")
        mended = repair(
            services.speaker(),
            program,
            report.reason,
            task=task,
            card=card,
            step=f"repair:{task.digest}:{program.digest}",
        )
        if mended is None:
            continue
        again = check_programs([mended], card)[0]
        journal.add_rewards(task.digest, [mended], generation, "racing" if again.ok else "refused", again.reason)
        accepted += again.ok
    return accepted


def _reflection(services: Services, task_digest: str) -> Reflection | None:
    texts = [row.reflection for row in services.journal.verdicts(task_digest) if row.reflection]
    return Reflection(text=texts[-1]) if texts else None
