"""One policy for many tasks of MiniWoB++, learnt by reward alone: success task by task, on tasks that it never saw, and on pages made of two tasks.

A teacher draws for every episode a task, and how much of it is done already at its start. Compositions are never trained on: what the
policy makes of them is what it makes of two instructions in one. It is judged greedily on held-out pages, beside a policy that has learnt
nothing. A finished seed is kept.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.catalog import get_family
from envs.task import ParamValue, canonical_digest
from envs.web.browsers import list_installed
from envs.web.tasks import ALL_TASKS
from experimenter.bench.dom import FAMILY, HELD_OUT_SEED, SOLVED, Params, keep
from experimenter.bench.metered import train_metered
from experimenter.errors import UsageError
from experimenter.evaluation.rollout import run_episodes
from experimenter.execution.curve import CURVE_FILE, read_curve
from experimenter.records import RewardKind, RewardProgram, TeacherSpec, TrainJob
from skills.artifact import Policy, load_policy, save_policy
from skills.evidence import wilson_interval

TRAINED = (
    "buy-ticket", "choose-list", "click-button", "click-button-sequence", "click-checkboxes", "click-checkboxes-large",
    "click-collapsible", "click-color", "click-dialog", "click-link", "click-option", "click-scroll-list", "click-shades",
    "click-shape", "click-tab", "click-tab-2", "click-tab-2-easy", "click-tab-2-hard", "click-test", "click-test-2",
    "click-widget", "copy-paste", "copy-paste-2", "email-inbox", "email-inbox-delete", "email-inbox-forward",
    "email-inbox-forward-nl", "email-inbox-important", "email-inbox-reply", "enter-date", "enter-password", "enter-text",
    "enter-text-dynamic", "enter-time", "find-greatest", "form-sequence-2", "form-sequence-3", "grid-coordinate",
    "identify-shape", "login-user", "multi-layouts", "navigate-tree", "odd-or-even", "phone-book", "read-table",
    "search-engine", "sign-agreement", "social-media", "social-media-some", "unicode-test",
)  # fmt: skip
UNSEEN = (
    "click-checkboxes-transfer", "click-collapsible-nodelay", "click-dialog-2", "click-tab-2-medium",
    "click-test-transfer", "email-inbox-noscroll", "email-inbox-star-reply", "enter-text-2", "focus-text",
    "login-user-popup", "multi-orderings", "read-table-2",
)  # fmt: skip
COMPOSED = (
    ("click-button", "click-link"), ("click-test", "enter-text"), ("click-link", "click-tab"), ("enter-text", "click-option"),
    ("click-option", "click-button"), ("click-checkboxes", "click-color"), ("click-tab", "click-test"),
    ("login-user", "click-link"), ("click-dialog", "enter-date"), ("navigate-tree", "click-widget"),
)  # fmt: skip
"""Pairs, in the order in which they are to be done; half of their pages tell them backwards."""
KINDS = ("trained", "unseen", "composed")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training; it begins with the policy of the stage before."""

    steps: int
    prefilled: Sequence[int] = (0,)
    """Steps of a solution that may be taken already when an episode of the training begins; never when it is judged."""
    learning_rate: float = 7e-4
    uniform_share: float = 0.3
    low: float = 0.02


@dataclass(frozen=True, kw_only=True)
class MultiCourse:
    """How one policy is trained on many tasks."""

    tasks: Sequence[str] = TRAINED
    stages: Sequence[Stage] = (
        Stage(steps=60_000),
        Stage(steps=60_000, prefilled=(0, 1, 2, 3), learning_rate=5e-4, uniform_share=0.4, low=0.005),
    )
    """Whole tasks first; then, for what was never solved by chance, from the end of a solution on."""
    settings: Params = field(
        default_factory=lambda: {"num_envs": 16, "minibatch": 256, "checkpoint_steps": 6144, "stop_at": 0.0}
    )
    high: float = 0.97
    """Success above which a task is left to the uniform share of the episodes."""


def make_course(tasks: Sequence[str] = (), steps: int = 0) -> MultiCourse:
    """The course that the documentation claims, with other tasks, or one stage of so many steps; raises `UsageError` for a bad task."""
    for task in tasks:
        if task not in ALL_TASKS or task in UNSEEN:
            raise UsageError(f"bench dom: no policy can be trained on {task!r}. Known: {', '.join(TRAINED)}.")
    course = MultiCourse()
    stages = (dataclasses.replace(course.stages[0], steps=steps),) if steps else course.stages
    return dataclasses.replace(course, tasks=tuple(tasks) or course.tasks, stages=stages)


def measure(
    course: MultiCourse, seeds: Sequence[int], out: Path, *, pages: int = 50, exam: bool = False
) -> dict[str, Any]:
    """Train and judge one policy for each seed, and return all figures beside those of an untrained one.

    With `exam` they are judged in the full Chromium with trusted input, else where they are trained.
    """
    out.mkdir(parents=True, exist_ok=True)
    name = f"judged-{pages}{'-exam' if exam else ''}.json"
    runs = []
    for seed in seeds:
        place = place_of(course, seed, out)
        trained = keep(place / "trained.json", lambda seed=seed, place=place: _train(course, seed, place))  # type: ignore[misc]  # bound now
        judged = keep(place / name, lambda place=place: judge(course, load_policy(place / "policy"), pages, exam=exam))  # type: ignore[misc]  # bound now
        runs.append(
            {
                "seed": seed,
                "budget": sum(stage.steps for stage in course.stages),
                "pages": pages,
                **trained,
                "judged": judged,
            }
        )
    untrained = keep(
        out / f"untrained-{canonical_digest([*course.tasks])}-{name}",
        lambda: judge(course, make_untrained(out / "untrained"), pages, exam=exam),
    )
    return {"tasks": len(course.tasks), "runs": runs, "untrained": untrained, "summary": summarise(runs, untrained)}


def place_of(course: MultiCourse, seed: int, out: Path) -> Path:
    """The folder of a seed, made where it is not there."""
    place = out / f"multi-{seed}-{canonical_digest([dataclasses.asdict(course), seed])}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def make_job(course: MultiCourse, stage: Stage, seed: int) -> TrainJob:
    """The training of one stage of one seed."""
    task = get_family(FAMILY).resolve_task({"task": ALL_TASKS.index(course.tasks[0])})
    starts = "|".join(str(count) for count in stage.prefilled)
    told: dict[str, ParamValue] = {"choices": f"task={'|'.join(course.tasks)};prefilled={starts}"}
    band: dict[str, ParamValue] = {"low": stage.low, "high": course.high, "uniform_share": stage.uniform_share}
    return TrainJob(
        task=task,
        reward=RewardProgram(kind=RewardKind.NATIVE),
        trainer="dom",
        settings={**course.settings, "learning_rate": stage.learning_rate},
        teacher=TeacherSpec(name="value_band", settings={**told, **band, "value_weight": 0.05}),
        seed=seed,
        budget_steps=stage.steps,
        schedule_steps=stage.steps,
    )


def _train(course: MultiCourse, seed: int, place: Path) -> dict[str, Any]:
    """Train every stage, each kept when it is finished; the last one's policy is the result."""
    told = []
    for number, stage in enumerate(course.stages):
        here = place / f"stage-{number}"
        here.mkdir(exist_ok=True)
        if number and not (here / "start").is_dir():
            shutil.copytree(place / f"stage-{number - 1}" / "policy", here / "start")
        told.append(keep(here / "trained.json", lambda stage=stage, here=here: _train_stage(course, stage, seed, here)))  # type: ignore[misc]  # bound now
    shutil.copytree(here / "policy", place / "policy", dirs_exist_ok=True)
    sums = {name: sum(one[name] for one in told) for name in ("steps", "wall_s", "cpu_s", "browser_failures")}
    return {"browsers": list(list_installed()), **sums, "stages": told}


def _train_stage(course: MultiCourse, stage: Stage, seed: int, here: Path) -> dict[str, Any]:
    took = train_metered(make_job(course, stage, seed), here)
    curve = read_curve(here / CURVE_FILE, stage.steps)
    failures = max((point.losses.get("browser_failures", 0.0) for point in curve), default=0.0)
    points = [[point.step, point.success] for point in curve]
    return {
        "steps": took.steps, "wall_s": took.wall_s, "cpu_s": took.cpu_s, "browser_failures": failures, "curve": points
    }  # fmt: skip


def make_untrained(place: Path) -> Policy:
    """A policy that prefers what the instruction names, as every training begins."""
    from experimenter.trainers.dom_network import DomNetwork
    from experimenter.trainers.dom_settings import make_settings

    spec, tensors = DomNetwork(make_settings(FAMILY, {}), 0).export("policy")
    save_policy(place, spec, tensors)
    return load_policy(place)


def judge(course: MultiCourse, policy: Policy, pages: int, *, exam: bool) -> dict[str, dict[str, float]]:
    """Greedy success on `pages` held-out pages of every task trained on, of every unseen one and of every composition."""
    pairs = {f"{first}+{second}": (first, second) for first, second in COMPOSED}
    singles = {task: {"task": ALL_TASKS.index(task)} for task in (*course.tasks, *UNSEEN)}
    both = {
        name: {"task": ALL_TASKS.index(first), "depth": 2, "second": ALL_TASKS.index(second)}
        for name, (first, second) in pairs.items()
    }
    alone, together = _play(singles, policy, pages, exam), _play(both, policy, pages, exam)
    return {
        "trained": {task: alone[task] for task in course.tasks},
        "unseen": {task: alone[task] for task in UNSEEN},
        "composed": together,
    }


def _play(asked: Mapping[str, Params], policy: Policy, pages: int, exam: bool) -> dict[str, float]:
    """Success share of each named set of parameters, which share their depth, in one browser."""
    names = [name for name in asked for _ in range(pages)]
    seeds = [*range(HELD_OUT_SEED, HELD_OUT_SEED + pages)] * len(asked)
    # an episode draws twice: when it is reset, and when its world goes on after its end
    coming = iter([asked[name] for name in names for _ in range(2)])
    family = get_family(FAMILY)
    task = family.resolve_task(next(iter(asked.values())))
    outcomes = run_episodes(family, task, policy, seeds, lambda: dict(next(coming)), exam=exam)
    counts = dict.fromkeys(asked, 0)
    for name, outcome in zip(names, outcomes, strict=True):
        if any(outcome.params[key] != value for key, value in asked[name].items()):
            raise RuntimeError(f"an episode of {name} was played on {dict(outcome.params)}")
        counts[name] += outcome.success
    return {name: count / pages for name, count in counts.items()}


def summarise(runs: Sequence[Mapping[str, Any]], untrained: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Per kind of task: mean success with the interval of all its pages, its range over seeds, tasks above 95 %, and the untrained policy's mean."""
    pages = runs[0]["pages"]
    return {kind: _summary([run["judged"][kind] for run in runs], untrained[kind], pages) for kind in KINDS}


def _summary(judged: Sequence[Mapping[str, float]], untrained: Mapping[str, float], pages: int) -> dict[str, Any]:
    means = [sum(one.values()) / len(one) for one in judged]
    played = pages * sum(len(one) for one in judged)
    low, high = wilson_interval(round(pages * sum(sum(one.values()) for one in judged)), played)
    return {
        "seeds": len(judged),
        "count": len(judged[0]),
        "mean": sum(means) / len(means),
        "low": low,
        "high": high,
        "least": min(means),
        "most": max(means),
        "solved": [sum(share >= SOLVED for share in one.values()) for one in judged],
        "untrained": sum(untrained.values()) / len(untrained),
        "tasks": {task: [one[task] for one in judged] for task in judged[0]},
    }


def table(measured: Mapping[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [f"{'tasks':<10} {'count':>5} {'mean':>6} {'interval':>13} {'over seeds':>13} {'untrained':>9}  above 95 %"]
    for kind, row in measured["summary"].items():
        between, over = f"{row['low']:.3f}-{row['high']:.3f}", f"{row['least']:.3f}-{row['most']:.3f}"
        solved = ", ".join(str(count) for count in row["solved"])
        lines.append(
            f"{kind:<10} {row['count']:>5} {row['mean']:>6.3f} {between:>13} {over:>13} {row['untrained']:>9.3f}  {solved}"
        )
    lines += [
        f"{task:<36} {min(s):.2f}-{max(s):.2f}"
        for row in measured["summary"].values()
        for task, s in row["tasks"].items()
    ]
    return "\n".join(lines)
