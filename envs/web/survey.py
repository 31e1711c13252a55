"""Which task can do what in which browser: measured by `survey_task`, kept in support.json, read by `list_support`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.resources import files

import numpy as np

from envs.web.actions import decode, encode, mask_of, shown
from envs.web.backend import Action, Browser, BrowserError, Snapshot
from envs.web.encoding import encode_page
from envs.web.fidelity import Fidelity
from envs.web.miniwob import frames_of, is_success, page_of
from envs.web.oracles import OracleLost, find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

_FILE = "support.json"
_RANDOM_STEPS = 6
_MOST_ORACLE_STEPS = 80


@dataclass(frozen=True, kw_only=True)
class Support:
    """What one browser can do with one task."""

    runs: bool
    """Made, reset on every seed and stepped with random actions, without a failure of the browser."""
    same_page: bool = False
    """The same seed gave the same elements and observation afresh and after use."""
    elements: int = 0
    """Elements of the first page."""
    oracle: float | None = None
    """Share of the seeds that the oracle solves; None without an oracle."""
    in_actions: float | None = None
    """Share of the seeds that it solves with numbered actions alone."""
    oracle_steps: int = 0
    """Most steps of a solution."""
    trusted: float | None = None
    """Share of the seeds that it solves with trusted mouse and keyboard; None where that was not measured."""
    same_instruction: float | None = None
    """Share of the first pages with the same instruction as in Chromium, None for Chromium itself; see `Fidelity`."""
    same_elements: float | None = None
    same_outcomes: float | None = None
    trains: bool = True
    """Whether a policy may learn in this browser what it has to do in Chromium."""


def survey_task(browser: Browser, task: str, seeds: Sequence[int]) -> Support:
    """Measure one task in one browser: runs, same page, oracle."""
    params = WebParams(task=ALL_TASKS.index(task))
    used, afresh = World(browser), World(browser)
    try:
        first = [used.begin(seed, params) for seed in seeds]
        same = True
        for seed, page in zip(seeds, first, strict=True):
            afresh.reload()
            same = same and _equal(page, afresh.begin(seed, params))
        rng = np.random.default_rng(0)
        for seed in seeds:
            _play(used, used.begin(seed, params), rng)
        same = same and all(_equal(page, used.begin(seed, params)) for seed, page in zip(seeds, first, strict=True))
        solved = [solve(used, task, seed) for seed in seeds] if find_oracle(task) else []
    except BrowserError:
        return Support(runs=False, trains=False)
    finally:
        used.close()
        afresh.close()
    return Support(
        runs=used.failures + afresh.failures == 0,
        same_page=same,
        elements=len(first[0].elements),
        oracle=sum(ok for ok, _, _ in solved) / len(solved) if solved else None,
        in_actions=sum(ok and said for ok, said, _ in solved) / len(solved) if solved else None,
        oracle_steps=max((steps for _, _, steps in solved), default=0),
    )


def survey_fidelity(support: Support, agreed: Fidelity, real: Support) -> Support:
    """The measurement of a fast browser together with how it agrees with Chromium, and so whether one may train in it."""
    solves = real.oracle is None or (support.oracle is not None and support.oracle >= real.oracle)
    return replace(
        support,
        same_instruction=agreed.same_instruction,
        same_elements=agreed.same_elements,
        same_outcomes=agreed.same_outcomes,
        trains=support.runs and support.same_page and agreed.is_full and solves,
    )


def survey_trusted(browser: Browser, task: str, seeds: Sequence[int]) -> float | None:
    """Share of the seeds that the oracle solves in `browser`; None without an oracle."""
    if find_oracle(task) is None:
        return None
    world = World(browser)
    try:
        return sum(solve(world, task, seed)[0] for seed in seeds) / len(seeds)
    finally:
        world.close()


def solve(world: World, task: str, seed: int, params: WebParams | None = None) -> tuple[bool, bool, int]:
    """Let the oracle of `task` solve `seed`: whether it did, whether numbered actions sufficed, in how many steps."""
    script = find_oracle(task)
    if script is None:
        raise ValueError(f"the task {task!r} has no oracle.")
    page = world.begin(seed, params or WebParams(task=ALL_TASKS.index(task)))
    said, steps = True, 0
    try:
        running = script(page)
        action = next(running)
        while not page.ended and steps < _MOST_ORACLE_STEPS:
            said = said and encode(action, page, shown(page)) is not None
            page, steps = world.step(action), steps + 1
            if not page.ended:
                action = running.send(page)
    except (OracleLost, StopIteration, IndexError):
        return False, said, steps
    return page.ended and is_success(task, page.raw_reward), said, steps


def _play(world: World, page: Snapshot, rng: np.random.Generator) -> None:
    """A few random actions that make sense."""
    for _ in range(_RANDOM_STEPS):
        mask = mask_of(page, shown(page), may_declare=False)
        action: Action | None = decode(int(rng.choice(np.flatnonzero(mask))), page, shown(page))
        if page.ended or action is None:
            return
        page = world.step(action)


def _equal(one: Snapshot, two: Snapshot) -> bool:
    """Whether two pages agree in instruction, in every element but for places on the page, and in the observation."""
    told = [
        (page.instruction, *((e.tag, e.text, e.value, e.attributes, e.around, e.checked) for e in page.elements))
        for page in (one, two)
    ]
    return told[0] == told[1] and np.array_equal(encode_page(one, shown(one), 0.0), encode_page(two, shown(two), 0.0))


@lru_cache(maxsize=1)
def load_support() -> dict[str, dict[str, dict[str, object]]]:
    """Browser -> task -> what was measured; see `Support`."""
    told: dict[str, dict[str, dict[str, object]]] = json.loads(files("envs.web").joinpath(_FILE).read_text())
    return told


def list_support() -> list[dict[str, object]]:
    """One row a task, for the command line: number, name, whether it has an oracle, and what each browser can do."""
    measured = load_support()
    return [
        {
            "number": place,
            "task": task,
            "oracle": find_oracle(task) is not None,
            **{name: table.get(task, {}) for name, table in sorted(measured.items())},
        }
        for place, task in enumerate(ALL_TASKS)
    ]


@lru_cache(maxsize=1)
def _trainable() -> frozenset[str]:
    return frozenset(page_of(task) for task, row in load_support().get("lightpanda", {}).items() if row.get("trains"))


def solution_steps(tasks: Sequence[str]) -> int:
    """Steps that the oracles of `tasks` took together when they were surveyed (some episodes take more); 0 where one of them has none."""
    rows = [load_support()["chromium"].get(task, {}) for task in tasks]
    told = [row["oracle_steps"] for row in rows if row.get("oracle")]
    return sum(int(str(steps)) for steps in told) if len(told) == len(tasks) else 0


def can_train(path: str) -> bool:
    """Whether Lightpanda does the page at `path` as Chromium does it, so that a policy may learn there. It has no frames."""
    return path in _trainable() and not frames_of(path)


def plain(support: Support) -> dict[str, object]:
    """A measurement as JSON-plain values."""
    return asdict(support)
