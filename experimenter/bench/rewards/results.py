"""The documented result of the bench, JSON-plain.

bench, mode, options, tasks_done, seeds, complete
overall      one object an arm: IQM of the human-normalised score with interval, mean, raw IQM, wins, losses and ties against the
             native reward, sign test, probability of improvement (see `scores.Overall`)
tasks        one object a task: budgets and their source, model, spending of the search and of the final training, and `arms`
             (fitness with interval, by seed, success, native return, score, raw score, outcome against the native reward, program)
screens      one object a screen: programs, refused, cost, how often it would have thrown away a later winner
spent        sums over the tasks: tokens, money, model calls, env steps, CPU-seconds, minutes
method       the constants of the statistics
folder, minutes_now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from experimenter.bench.rewards.arms import ARMS, LABELS, MODEL_ARMS, Arms
from experimenter.bench.rewards.finals import FIRST_SEED, FinalRuns
from experimenter.bench.rewards.options import BenchOptions
from experimenter.bench.rewards.scores import CLIP, FLOOR, Duel, TaskScore, duel, score_arm, score_task
from experimenter.bench.rewards.screens import ScreenVerdict, summarise_screens
from experimenter.bench.rewards.search import Found
from experimenter.bench.rewards.tasks import BenchTask
from experimenter.records import Record

_SECONDS = 60.0


class TaskResult(Record):
    """One task's part of the result."""

    task: BenchTask
    arms: Arms
    finals: FinalRuns
    scores: tuple[TaskScore, ...]
    duels: tuple[Duel, ...]
    screens: tuple[ScreenVerdict, ...]
    search: dict[str, Any]
    """Session, model, outcome and spending of the search."""
    finals_wall_s: float

    @property
    def fitness(self) -> dict[str, tuple[float, ...]]:
        return {runs.arm: runs.fitness for runs in self.finals.arms}

    def in_one_line(self) -> str:
        told = [f"{score.arm} {score.fitness.value:.3g}" for score in self.scores]
        return f"done: mean fitness {', '.join(told)}"


def summarise_task(
    task: BenchTask, options: BenchOptions, found: Found, arms: Arms, finals: FinalRuns, finals_wall_s: float
) -> TaskResult:
    """Put one task's search, arms and final training together."""
    fitness = {runs.arm: runs.fitness for runs in finals.arms}
    native = arms.programs["native"].digest
    duels = [
        duel(task.name, arm, fitness, same=arms.programs[arm].digest == native) for arm in fitness if arm != "native"
    ]
    search = {
        "session": found.session,
        "model": found.model,
        "outcome": found.outcome,
        "steps_of_last_rung": options.search_steps(task),
        "programs_written": sum(not row.program.is_baseline for row in found.candidates),
        "programs_refused": sum(row.fate == "refused" for row in found.candidates),
        **found.spent.model_dump(),
        "cpu_s": found.cpu_s,
    }
    return TaskResult(
        task=task,
        arms=arms,
        finals=finals,
        scores=tuple(score_task(task.name, fitness, task.scale)),
        duels=tuple(duels),
        screens=found.screens,
        search=search,
        finals_wall_s=finals_wall_s,
    )


def summarise(options: BenchOptions, done: Sequence[TaskResult], folder: Path, elapsed_s: float) -> dict[str, Any]:
    """Build the documented result of the tasks that are done."""
    fitness = {item.task.name: item.fitness for item in done}
    scales = {item.task.name: item.task.scale for item in done}
    duels = [duel for item in done for duel in item.duels]
    overall = [score_arm(arm, fitness, scales, duels) for arm in ARMS]
    screens = summarise_screens([verdict for item in done for verdict in item.screens], _winners(done))
    spent = [_spent(item) for item in done]
    return {
        "bench": "rewards",
        "mode": options.mode,
        "options": options.model_dump(mode="json"),
        "tasks_done": len(done),
        "overall": [{"label": LABELS[row.arm], **row.model_dump()} for row in overall if row is not None],
        "tasks": [_task(item, spending) for item, spending in zip(done, spent, strict=True)],
        "screens": [{**screen.model_dump(), "mean_cost_s": screen.mean_cost_s} for screen in screens],
        "spent": {name: sum(row[name] for row in spent) for name in (spent[0] if spent else ())},
        "method": {
            "floor": FLOOR,
            "clip": CLIP,
            "interval": "95% percentile bootstrap over training seeds within tasks",
            "first_final_seed": FIRST_SEED,
            "score": "(method - sparse) / |human - sparse|, human = native reward",
        },
        "folder": str(folder),
        "minutes_now": elapsed_s / _SECONDS,
    }


def _winners(done: Sequence[TaskResult]) -> Mapping[str, set[str]]:
    """Digests of the programs that a screen had better not thrown away: the search's winner and the best model-written one."""
    return {
        item.task.name: {
            item.arms.programs[arm].digest for arm in ("search", "best_model") if arm in item.arms.programs
        }
        for item in done
    }


def _spent(item: TaskResult) -> dict[str, float]:
    return {
        "calls": item.search["calls"],
        "tokens": item.search["tokens"],
        "money_usd": item.search["money_usd"],
        "unpriced_calls": item.search["unpriced_calls"],
        "search_env_steps": item.search["env_steps"],
        "final_env_steps": item.finals.env_steps,
        "cpu_s": item.search["cpu_s"] + item.finals.cpu_s,
        "search_minutes": item.search["wall_s"] / _SECONDS,
        "final_minutes": item.finals_wall_s / _SECONDS,
    }


def _task(item: TaskResult, spending: Mapping[str, float]) -> dict[str, Any]:
    scores = {score.arm: score for score in item.scores}
    duels = {duel.arm: duel for duel in item.duels}
    return {
        "task": item.task.name,
        "goal": item.task.goal,
        "family": item.task.family,
        "params": dict(item.task.params),
        "steps": item.finals.steps,
        "full_steps": item.task.full_steps,
        "full_steps_source": item.task.source,
        "scale": item.task.scale,
        "search": item.search,
        "spent": dict(spending),
        "failures": list(item.finals.failures),
        "missing": dict(item.arms.missing),
        "no_model": all(arm in item.arms.missing for arm in MODEL_ARMS),
        "arms": [
            {
                "arm": runs.arm,
                "label": LABELS[runs.arm],
                "program": item.arms.programs[runs.arm].label,
                "digest": runs.program,
                "written_by": item.arms.programs[runs.arm].model,
                "fitness": scores[runs.arm].fitness.model_dump(),
                "fitness_by_seed": list(runs.fitness),
                "success": fmean(runs.success) if runs.success else None,
                "native_return": fmean(runs.native_return) if runs.native_return else None,
                "native_return_by_seed": list(runs.native_return),
                "failed": runs.failed,
                "score": scores[runs.arm].score,
                "raw_score": scores[runs.arm].raw,
                "floored": scores[runs.arm].floored,
                "against_native": duels[runs.arm].model_dump() if runs.arm in duels else None,
            }
            for runs in item.finals.arms
        ],
    }
