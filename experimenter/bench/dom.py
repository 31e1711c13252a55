"""What the trainer `dom` learns: steps to 95 % on tasks of MiniWoB++ without demonstrations, then greedy and sampled success in a real browser.

A policy trains as a job does, in the fast browser where that is installed; it is stored as an artifact, read back and played by NumPy in Chromium
with trusted mouse and keyboard, on pages that training never saw. A finished seed is kept and never trained again; a killed one goes on from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.catalog import get_family
from envs.task import ParamValue, TaskSpec, canonical_digest
from envs.web.browsers import list_installed
from envs.web.tasks import ALL_TASKS
from experimenter.bench.metered import train_metered
from experimenter.curricula.widen import lead_from
from experimenter.errors import UsageError
from experimenter.evaluation.rollout import evaluate
from experimenter.execution.curve import CURVE_FILE, read_curve
from experimenter.records import CurvePoint, RewardKind, RewardProgram, TeacherSpec, TrainJob
from skills.artifact import load_policy
from skills.dom_policy import DomPolicy
from skills.evidence import wilson_interval

FAMILY = "web"
HELD_OUT_SEED = 3 * 10**6
SOLVED = 0.95
WINDOW = 200
"""Episodes of the task itself over which a training counts as having reached SOLVED."""
Params = Mapping[str, ParamValue]


@dataclass(frozen=True, kw_only=True)
class Course:
    """How one task is trained."""

    task: str
    steps: int = 15_000
    params: Params = field(default_factory=dict)
    settings: Params = field(default_factory=dict)
    teacher: str = "fixed"
    teacher_settings: Params = field(default_factory=dict)


EASY = (
    "click-test", "click-link", "click-button", "click-tab-2-hard", "click-checkboxes", "enter-text", "login-user",
    "email-inbox-delete",
)  # fmt: skip
HARD = ("read-table", "search-engine", "email-inbox", "book-flight-nodelay")
_LONGEST: Mapping[str, int] = {"read-table": 2, "search-engine": 8, "email-inbox": 4, "book-flight-nodelay": 10}
"""Steps of a solution that are already taken at the start of the curriculum; it then begins earlier and earlier."""


def _from_the_end(task: str, steps: int, settings: Params | None = None) -> Course:
    spec = lead_from({"prefilled": _LONGEST[task]}, {"prefilled": 0})
    return Course(task=task, steps=steps, settings=settings or {}, teacher=spec.name, teacher_settings=spec.settings)


COURSES: Mapping[str, Course] = {
    **{task: Course(task=task) for task in EASY},
    "read-table": _from_the_end("read-table", 60_000),
    **{task: _from_the_end(task, 300_000) for task in HARD[1:3]},
    # its last seven steps are clicks: without more, typing has died out by the time that it is needed
    "book-flight-nodelay": _from_the_end(
        "book-flight-nodelay", 300_000, {"kind_entropy": 0.03, "stop_at": 0.9, "exam_at": 0.97}
    ),
}
"""What the documentation claims; any other task is trained as the easy ones are."""


def list_courses(tasks: Sequence[str] = (), steps: int = 0, prior: float = 1.0) -> list[Course]:
    """The courses of `tasks` (all claimed ones when none is named), each of `steps` where given; raises `UsageError` for an unknown task.

    `prior` other than 1 weakens or strengthens how much the untrained policy prefers what the instruction names.
    """
    for task in tasks:
        if task not in ALL_TASKS:
            raise UsageError(f"unknown task {task!r} of bench dom. Known: {', '.join(ALL_TASKS)}.")
    chosen = [COURSES.get(task, Course(task=task)) for task in tasks or COURSES]
    if prior != 1.0:
        chosen = [dataclasses.replace(course, settings={**course.settings, "prior": prior}) for course in chosen]
    return [dataclasses.replace(course, steps=steps) if steps else course for course in chosen]


def measure(
    courses: Sequence[Course], seeds: Sequence[int], out: Path, *, pages: int = 100, jobs: int = 1
) -> dict[str, Any]:
    """Train and judge every course with every seed, `jobs` side by side (2 at most), and return all figures."""
    out.mkdir(parents=True, exist_ok=True)
    asked = [(course, seed, str(out), pages) for course in courses for seed in seeds]
    if jobs == 1:
        runs = [run_seed(*one) for one in asked]
    else:
        with ProcessPoolExecutor(min(jobs, 2), mp_context=get_context("spawn")) as pool:
            runs = list(pool.map(run_seed, *zip(*asked, strict=True)))
    return {"runs": runs, "summary": summarise(runs)}


def run_seed(course: Course, seed: int, out: str, pages: int) -> dict[str, Any]:
    """Train one course with one seed and judge it, or read how that went."""
    place = Path(out) / f"{course.task}-{seed}-{canonical_digest([dataclasses.asdict(course), seed])}"
    place.mkdir(parents=True, exist_ok=True)
    task = get_family(FAMILY).resolve_task({"task": ALL_TASKS.index(course.task), **course.params})
    trained = keep(place / "trained.json", lambda: _train(course, task, seed, place))
    judged = keep(place / f"judged-{pages}.json", lambda: _judge_both(task, place, pages))
    return {"task": course.task, "seed": seed, "budget": course.steps, **trained, **judged}


def keep(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What stands in `path`, made and stored where it is not there."""
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    made = make()
    part = path.with_suffix(".part")
    part.write_text(json.dumps(made, indent=1))
    part.replace(path)
    return made


def _train(course: Course, task: TaskSpec, seed: int, place: Path) -> dict[str, Any]:
    """Train as a job does, from its checkpoint on where there is one; raises `JobError` when the training failed."""
    job = TrainJob(
        task=task,
        reward=RewardProgram(kind=RewardKind.NATIVE),
        trainer="dom",
        settings=dict(course.settings),
        teacher=TeacherSpec(name=course.teacher, settings=dict(course.teacher_settings)),
        seed=seed,
        budget_steps=course.steps,
        schedule_steps=course.steps,
    )
    took = train_metered(job, place)
    curve = read_curve(place / CURVE_FILE, course.steps)
    return {
        "browsers": list(list_installed()),
        "steps": took.steps,
        "steps_to_solved": steps_to(curve, SOLVED) or (took.steps if took.steps < course.steps else None),
        "wall_s": took.wall_s,
        "cpu_s": took.cpu_s,
        "browser_failures": max((point.losses.get("browser_failures", 0.0) for point in curve), default=0.0),
        "curve": [[point.step, point.success, point.losses.get("sampled_success")] for point in curve],
    }


def steps_to(curve: Sequence[CurvePoint], share: float) -> int | None:
    """Env steps at which `share` of the last WINDOW episodes of the task itself succeeded; None when they never did."""
    for point in curve:
        losses = point.losses
        if losses.get("target_episodes", 0.0) >= WINDOW and losses.get("sampled_success", 0.0) >= share:
            return point.step
    return None


def _judge_both(task: TaskSpec, place: Path, pages: int) -> dict[str, Any]:
    return {name: _judge(task, place, pages, sampled=name == "sampled") for name in ("greedy", "sampled")}


def _judge(task: TaskSpec, place: Path, pages: int, *, sampled: bool) -> dict[str, Any]:
    """Success on held-out pages in the full Chromium with trusted input, with its interval, how long it took, and which pages failed."""
    policy: Any = load_policy(place / "policy")
    if sampled:
        policy = SampledPolicy(policy, 0)
    found = evaluate(get_family(FAMILY), task, policy, range(HELD_OUT_SEED, HELD_OUT_SEED + pages))
    low, high = wilson_interval(sum(found.success), pages)
    failed = [seed for seed, success in zip(found.seeds, found.success, strict=True) if not success]
    share, length = sum(found.success) / pages, sum(found.length) / pages
    return {"pages": pages, "success": share, "low": low, "high": high, "length": length, "failed": failed}


class SampledPolicy:
    """A stored policy that draws its actions instead of taking the best."""

    def __init__(self, policy: DomPolicy, seed: int) -> None:
        self._policy, self._rng = policy, np.random.default_rng(seed)

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Observations [n, size] -> drawn actions [n]."""
        from experimenter.trainers.dom_ppo import sample

        return sample(self._policy.scores(observation), self._rng)[0]


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per task: seeds, steps, the pooled greedy and sampled success with their intervals, and the worst seed."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault(run["task"], []).append(run)
    return {task: _summary(items) for task, items in groups.items()}


def _summary(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    reached = [item["steps_to_solved"] for item in items]
    low, high = pool(items, "greedy")
    return {
        "seeds": len(items),
        "steps_to_solved": None if None in reached else sum(reached) / len(reached),
        "most_steps": max(item["steps"] for item in items),
        "cpu_s": sum(item["cpu_s"] for item in items) / len(items),
        "greedy": sum(item["greedy"]["success"] for item in items) / len(items),
        "greedy_low": low,
        "greedy_high": high,
        "worst_greedy": min(item["greedy"]["success"] for item in items),
        "sampled": sum(item["sampled"]["success"] for item in items) / len(items),
    }


def pool(items: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    """Wilson interval of all seeds' pages together."""
    good = sum(round(item[name]["pages"] * item[name]["success"]) for item in items)
    return wilson_interval(good, sum(item[name]["pages"] for item in items))


def table(measured: Mapping[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [
        f"{'task':<22} {'seeds':>5} {'to 95 %':>8} {'steps':>7} {'CPU s':>6} {'greedy':>7} {'interval':>13} {'worst':>6} {'sampled':>8}"
    ]
    for task, row in measured["summary"].items():
        reached = "-" if row["steps_to_solved"] is None else f"{row['steps_to_solved']:.0f}"
        between = f"{row['greedy_low']:.3f}-{row['greedy_high']:.3f}"
        lines.append(
            f"{task:<22} {row['seeds']:>5} {reached:>8} {row['most_steps']:>7} {row['cpu_s']:>6.0f} {row['greedy']:>7.3f} "
            f"{between:>13} {row['worst_greedy']:>6.2f} {row['sampled']:>8.3f}"
        )
    return "\n".join(lines)
