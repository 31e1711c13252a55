"""What a report says of a session: rows gathered once, as plain values for the template."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from experimenter.config import SessionConfig
from experimenter.evaluation.race import Standing
from experimenter.evaluation.statistics import argmax_of_maximum
from experimenter.records import JobResult, RewardKind, RewardProgram
from experimenter.reports.lineage import Born, read_lineage
from experimenter.rewards.screens import ScreenLoss, ScreenReport, losses
from experimenter.rewards.specification import to_code
from memory import queries
from memory.notes import find_feedback
from memory.tables import CallRow, EventRow, JobRow, LessonRow, RewardRow, SessionRow, SkillRow, TaskRow, VerdictRow
from prompts.specification import RewardSpecification

_SHOWN_CALLS = 200
_LONG_TEXT = 12_000


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One reward program of a task and its fate."""

    row: RewardRow
    program: RewardProgram
    code: str
    results: tuple[JobResult, ...]

    @property
    def longest(self) -> tuple[JobResult, ...]:
        """Its good results at the most env steps, one a training seed."""
        good = [result for result in self.results if result.ok]
        most = max((result.steps for result in good), default=0)
        return tuple(result for result in good if result.steps == most)


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    row: TaskRow
    arms: tuple[Arm, ...]
    standings: tuple[Standing, ...]
    verdicts: tuple[VerdictRow, ...]
    failures: tuple[str, ...]
    skill: SkillRow | None
    lineage: tuple[Born, ...]
    naive: str | None
    """Label of the arm that the largest maximum of one seed would have picked."""

    @property
    def winner(self) -> Arm | None:
        return next((arm for arm in self.arms if arm.row.fate == "won"), None)


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    row: SessionRow
    config: SessionConfig
    tasks: tuple[TaskFacts, ...]
    tree: tuple[queries.TaskNode, ...]
    events: tuple[EventRow, ...]
    calls: tuple[CallRow, ...]
    totals: tuple[queries.CallTotals, ...]
    lessons: tuple[LessonRow, ...]
    screens: tuple[ScreenLoss, ...]
    """What each screen cost, and how often it would have thrown away a winner."""
    feedback: tuple[str, ...]
    """What the person said, oldest first."""
    env_steps: int
    command: str
    selection: dict[str, int] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return next((event.text for event in reversed(self.events) if event.kind == "model"), "model: unknown")


def gather_facts(session: Session, session_id: str) -> SessionFacts:
    """Read everything that the page shows about one session."""
    row = queries.get_session(session, session_id)
    events = queries.list_events(session, row.id, limit=100_000)
    jobs = queries.list_jobs(session, row.id)
    tasks = tuple(
        _task(session, task, jobs, events) for task in queries.list_tasks(session, row.id) if task.kind != "refused"
    )
    raced = [task for task in tasks if task.winner is not None and task.naive is not None]
    agreed = sum(task.winner is not None and task.winner.program.label == task.naive for task in raced)
    return SessionFacts(
        row=row,
        config=SessionConfig.model_validate(row.config),
        tasks=tasks,
        tree=queries.task_tree(session, row.id),
        events=tuple(events),
        calls=tuple(queries.list_calls(session, row.id, limit=_SHOWN_CALLS)),
        totals=tuple(queries.sum_calls(session, row.id)),
        lessons=tuple(queries.list_lessons(session, session_id=row.id)),
        screens=tuple(screen_losses(events, tasks)),
        feedback=tuple(line.text for line in find_feedback(session, row.id, None) if line.text),
        env_steps=sum(job.new_steps for job in jobs),
        command=repeat_command(row.goal_text, SessionConfig.model_validate(row.config)),
        selection={"races": len(raced), "other": len(raced) - agreed},
    )


def screen_losses(events: Sequence[EventRow], tasks: Sequence[TaskFacts]) -> list[ScreenLoss]:
    """Count what the screens decided, against the programs that won."""
    reports = [ScreenReport.model_validate(event.data) for event in events if event.kind == "screen" and event.data]
    return losses(reports, [task.winner.row.reward_digest for task in tasks if task.winner is not None])


def _task(session: Session, row: TaskRow, jobs: Sequence[JobRow], events: Sequence[EventRow]) -> TaskFacts:
    mine = [job for job in jobs if job.task_digest == row.task_digest]
    arms = tuple(_arm(reward, mine) for reward in queries.list_rewards(session, row.session_id, row.task_digest))
    naive = argmax_of_maximum({arm.program.label: arm.results for arm in arms})
    standings = [
        event for event in events if event.kind == "standing" and event.key.startswith(f"standing:{row.task_digest}:")
    ]
    failures = [event for event in events if event.kind in ("failure", "reward")]
    digests = {job.job_digest for job in mine}
    return TaskFacts(
        row=row,
        arms=arms,
        standings=tuple(Standing.model_validate(event.data) for event in standings),
        verdicts=tuple(queries.list_verdicts(session, row.session_id, row.task_digest)),
        failures=tuple(
            e.text for e in failures if row.task_digest in e.key or e.key.removeprefix("failure:") in digests
        ),
        skill=session.get(SkillRow, row.skill_id) if row.skill_id else None,
        lineage=read_lineage([arm.row for arm in arms], {arm.row.reward_digest: arm.longest for arm in arms}, events),
        naive=naive,
    )


def _arm(row: RewardRow, jobs: Sequence[JobRow]) -> Arm:
    program = RewardProgram.model_validate(row.payload)
    results = [
        JobResult.model_validate(job.result) for job in jobs if job.reward_digest == row.reward_digest and job.result
    ]
    return Arm(row=row, program=program, code=readable_source(program), results=tuple(results))


def readable_source(program: RewardProgram) -> str:
    """The program as Python; for the baselines, what they are in words."""
    if program.kind is RewardKind.NATIVE:
        return "# the family's own, human-written reward (never shown to a model)"
    if program.kind is RewardKind.FITNESS:
        return "# the episode's fitness, paid at its end"
    if program.kind is RewardKind.SPECIFICATION:
        return to_code(RewardSpecification.model_validate_json(program.source))
    return program.source[:_LONG_TEXT]


def repeat_command(goal: str, config: SessionConfig) -> str:
    """The command line that repeats the session, without what equals the defaults."""
    plain, words = SessionConfig(), ["experimenter", "run", shlex.quote(goal)]
    flags = {"family": "--env", "final_steps": "--steps", "min_success_rate": "--success"}
    for name in SessionConfig.model_fields:
        value = getattr(config, name)
        if value == getattr(plain, name) or name in ("eval_episodes", "certificate_episodes"):
            continue
        flag = flags.get(name, "--" + name.replace("_", "-"))
        if name == "budget":
            words += ["--budget", shlex.quote(_budget_words(config))]
        elif isinstance(value, dict):
            pair = "--param" if name == "params" else "--set"
            words += [part for key, item in sorted(value.items()) for part in (pair, shlex.quote(f"{key}={item}"))]
        elif value is True:
            words.append(flag)
        elif value is False:
            words.append("--no-" + name.replace("_", "-"))
        else:
            words += [flag, shlex.quote(str(value))]
    return " ".join(words)


def _budget_words(config: SessionConfig) -> str:
    budget = config.budget
    parts = [f"{budget.wall_s:g}s"] if budget.wall_s else []
    parts += [
        f"{value} {word}"
        for value, word in ((budget.env_steps, "steps"), (budget.calls, "calls"), (budget.tokens, "tokens"))
        if value
    ]
    return ", ".join([*parts, *([f"${budget.money_usd:g}"] if budget.money_usd else [])])


def call_text(call: CallRow) -> str:
    """Prompt and answer of one model call, for reading."""
    said = "\n\n".join(f"[{m.get('role', '?')}]\n{_content(m)}" for m in call.messages)
    return f"{said}\n\n[answer: {call.state}]\n{call.answer}"[:_LONG_TEXT]


def _content(message: dict[str, Any]) -> str:
    content = message.get("content", message.get("text", ""))
    return content if isinstance(content, str) else json.dumps(content)[:2000]
