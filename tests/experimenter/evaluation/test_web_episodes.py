"""Episodes on web pages in a real Chromium: labels come from the page, ends are typed, both players see the same page."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from envs.catalog import get_family
from envs.web.actions import encode, shown
from envs.web.chromium import Chromium, is_installed
from envs.web.env import WebEnv
from envs.web.miniwob import miniwob_site
from envs.web.tasks import ALL_TASKS
from envs.web.world import Outcome, World
from experimenter.evaluation.web_episodes import Chooser, Moment, play, world_seed
from experimenter.evaluation.web_grounding import measure_grounding
from experimenter.evaluation.web_traces import oracle_trace, params_of, random_trace, wrong_trace


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    if not is_installed():
        pytest.skip("no Chromium here: apt-get install chromium")
    browser = Chromium([miniwob_site()])
    yield browser
    browser.close()


@pytest.fixture
def world(chromium: Chromium) -> Iterator[World]:
    world = World(chromium)
    yield world
    world.close()


def follow(steps: list[int | None]) -> Chooser:
    return lambda moment: steps[moment.step] if moment.step < len(steps) else None


def test_oracle_traces_are_solved_and_spoilt_ones_mostly_not(world: World) -> None:
    solved = oracle_trace(world, "login-user", 3)
    assert solved is not None and solved.success and len(solved.steps) == 3
    assert oracle_trace(world, "bisect-angle", 3) is None, "a task without an oracle"
    spoilt = [wrong_trace(world, "login-user", seed, np.random.default_rng(seed)) for seed in range(4)]
    assert sum(trace is not None and trace.success for trace in spoilt) <= 1
    assert not random_trace(world, "login-user", 3, np.random.default_rng(0)).success
    with pytest.raises(ValueError, match="unknown web task 'fly'"):
        params_of("fly")


def test_an_episode_ends_as_the_page_says(world: World) -> None:
    seed, task = 3, params_of("enter-text")
    trace = oracle_trace(world, "enter-text", seed)
    assert trace is not None
    numbers = [encode(step.action, step.page, shown(step.page)) for step in trace.steps]
    good = play(world, task, seed, follow([None, *numbers]), kind="test")
    assert (good.end, good.length, good.idle, good.trace.success) == (Outcome.SUCCESS, 3, 1, True)
    wrong = play(world, task, seed, follow([numbers[-1]]), kind="test")
    assert (wrong.end, wrong.length) == (Outcome.WRONG, 1)
    late = play(world, task, seed, follow([numbers[0]]), kind="test", horizon=4)
    assert (late.end, late.length, late.idle) == (Outcome.TIMEOUT, 4, 3)


def test_an_illegal_number_is_an_idle_step(world: World) -> None:
    seen: list[Moment] = []

    def choose(moment: Moment) -> int:
        seen.append(moment)
        return int(np.flatnonzero(~moment.mask)[0])

    episode = play(world, params_of("enter-text"), 1, choose, kind="test", horizon=2)
    assert (episode.end, episode.idle, episode.trace.steps) == (Outcome.TIMEOUT, 2, ())
    assert [moment.left for moment in seen] == [2, 1]


def test_both_players_see_the_page_of_a_seed(chromium: Chromium, world: World) -> None:
    task = get_family("web").resolve_task({"task": ALL_TASKS.index("click-button")})
    env = WebEnv(task, chromium)
    env.reset(seed=2_000_000)
    page = world.begin(world_seed(2_000_000), params_of("click-button"))
    assert page.instruction == env.page().instruction
    assert [e.text for e in page.elements] == [e.text for e in env.page().elements]


def test_what_oracles_act_on_is_described_and_found_again(chromium: Chromium) -> None:
    rows = measure_grounding(chromium, (0,), ("click-checkboxes", "login-user", "choose-list"))
    assert [row.task for row in rows] == ["click-checkboxes", "login-user", "choose-list"]
    assert all(row.right["full"] == row.steps > 0 for row in rows)
