"""New tasks from old ones, for a self-evolving curriculum: which tasks are near, and whether the oracle can solve one.

A proof is a run: the scripted oracle solves the task's page on a few seeds within the default horizon, in the browser that training uses. A task without an
oracle is neither proven nor refuted. Who picks tasks by this is a teacher (`evolve`), not this file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envs.task import ParamValue
from envs.web.actions import encode, shown
from envs.web.backend import BrowserError
from envs.web.browsers import open_browser
from envs.web.card import HORIZON
from envs.web.miniwob import is_success
from envs.web.oracles import OracleLost, find_oracle
from envs.web.params import WebParams
from envs.web.parts import find_oracle_of
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

SEEDS = (11, 12, 13)
"""Seeds of a proof; the same every time, so that it repeats."""
_NEAR = 4
"""Neighbours of a task, at most."""


def neighbours(params: Mapping[str, ParamValue]) -> list[dict[str, ParamValue]]:
    """The same parameters on tasks near in name, `click-tab` and `click-tab-2-hard`, nearest first; only those with an oracle."""
    own = ALL_TASKS[int(params["task"])].split("-")
    scored: list[tuple[int, int, int]] = []
    for number, name in enumerate(ALL_TASKS):
        words = name.split("-")
        shared = next(
            (place for place, (a, b) in enumerate(zip(own, words, strict=False)) if a != b), min(len(own), len(words))
        )
        if shared >= min(2, len(own)) and words != own and find_oracle(name) is not None:
            scored.append((-shared, abs(len(words) - len(own)), number))
    return [{**params, "task": number} for _, _, number in sorted(scored)[:_NEAR]]


def prove(tasks: Sequence[Mapping[str, ParamValue]], seeds: Sequence[int] = SEEDS) -> list[bool | None]:
    """Whether the oracle solves each task on every one of `seeds` with numbered actions; None where there is no oracle, or no browser does it.

    One browser is opened for all of them and closed again. Parameters that make no page at all are refuted.
    """
    browser = open_browser()
    world = World(browser)
    try:
        return [_prove_one(world, task, seeds) for task in tasks]
    finally:
        world.close()
        browser.close()


def _prove_one(world: World, task: Mapping[str, ParamValue], seeds: Sequence[int]) -> bool | None:
    try:
        params = WebParams.model_validate(dict(task))
    except ValueError:
        return False
    if find_oracle_of(params.task_names) is None:
        return None
    try:
        return all(_solves(world, params, seed) for seed in seeds)
    except BrowserError:
        return None


def _solves(world: World, params: WebParams, seed: int) -> bool:
    """Whether the oracle solves one page within the horizon by actions that a policy has too."""
    script = find_oracle_of(params.task_names)
    assert script is not None
    # a page with steps already done is the same page: the oracle starts at its beginning
    page = world.begin(seed, params.model_copy(update={"prefilled": 0, "shaping": 0.0}))
    try:
        running = script(page)
        action = next(running)
        for _ in range(HORIZON):
            if encode(action, page, shown(page)) is None:
                return False
            page = world.step(action)
            if page.ended:
                return is_success(params.task_name, page.raw_reward)
            action = running.send(page)
    except (OracleLost, StopIteration, IndexError):
        return False
    return False
