"""The tracker in a real Chromium: an oracle for every task through the action space, its failures, and the browser's own way compared."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from envs.web.actions import encode, shown
from envs.web.backend import BrowserMissing, Snapshot
from envs.web.cdp_page import CdpPage
from envs.web.chromium import Chromium
from envs.web.miniwob import miniwob_site
from envs.web.oracle_tools import click, find, named, text_is
from envs.web.oracles import find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS, TRACKER_TASKS
from envs.web.tracker.base import trac_version
from envs.web.tracker.process import SHARED
from envs.web.world import World

try:
    trac_version()
except BrowserMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.fixture(scope="module")
def world(chromium: Chromium) -> Iterator[World]:
    made = World(chromium)
    yield made
    made.close()
    assert SHARED.group == 0


def make_params(task: str, **overrides: int) -> WebParams:
    return WebParams(task=ALL_TASKS.index(task), **overrides)


def play(world: World, seed: int, params: WebParams) -> tuple[Snapshot, list[Snapshot]]:
    """Let the oracle work, by numbered actions only; the last page and those before it."""
    script = find_oracle(params.task_name)
    assert script is not None
    page = world.begin(seed, params)
    running, pages = script(page), []
    action = next(running)
    while not page.ended:
        assert encode(action, page, shown(page)) is not None, f"{action} cannot be said"
        pages.append(page)
        page = world.step(action)
        if not page.ended:
            action = running.send(page)
    return page, pages


@pytest.mark.parametrize("task", TRACKER_TASKS)
def test_the_oracle_does_every_task(world: World, task: str) -> None:
    page, pages = play(world, 1, make_params(task, asked=3))
    assert (page.ended, page.raw_reward, world.failures) == (True, 1.0, 0) and len(pages) <= 8
    assert isinstance(world._page, CdpPage) and world._page.gate.refused == []


@pytest.mark.slow
@pytest.mark.parametrize("task", TRACKER_TASKS)
def test_the_oracle_does_every_task_on_many_seeds_and_sizes(world: World, task: str) -> None:
    for seed in range(10, 22):
        params = make_params(task, asked=1 + seed % 4, catalogue=(300, 1000, 10_000)[seed % 3], page_size=seed)
        assert play(world, seed, params)[0].raw_reward == 1.0, seed


@pytest.mark.slow
def test_pages_written_into_the_window_are_those_that_the_browser_would_load(chromium: Chromium, world: World) -> None:
    """The fast way of training against trusted input and the browser's own navigation, element by element."""
    hands = Chromium([miniwob_site()], trusted=True)
    certified = World(hands)
    try:
        for task in ("shop-buy", "tracker-milestone"):
            told = []
            for played in (world, certified):
                _, pages = play(played, 7, make_params(task))
                told.append(
                    [
                        [(e.tag, e.text, e.value, e.attributes, e.checked, e.interactive) for e in p.elements]
                        for p in pages
                    ]
                )
            assert told[0] == told[1], task
    finally:
        certified.close()
        hands.close()


def test_links_to_elsewhere_and_downloads_lead_nowhere(world: World) -> None:
    page = world.begin(1, make_params("tracker-priority"))
    for text in ("Comma-delimited Text", "Edgewall Software"):
        before = [e.text for e in page.elements]
        page = world.step(click(text_is(page, text)))
        assert [e.text for e in page.elements] == before and not page.ended
    assert isinstance(world._page, CdpPage)
    assert world._page.gate.refused == [] and world.failures == 0  # not even asked for


def test_a_killed_server_changes_nothing_in_the_episode(world: World) -> None:
    page = world.begin(3, make_params("tracker-close-newest"))
    page = world.step(click(find(page, lambda e: e.text == "#10", "ticket")))
    os.killpg(SHARED.group, signal.SIGKILL)
    page = world.step(click(text_is(page, "Modify Ticket")))  # asks the server for nothing
    page = world.step(click(named(page, "action_resolve")))
    assert not page.ended
    failed = world.failures
    page = world.step(click(named(page, "trac-disable-on-submit")))
    assert (page.ended, page.raw_reward) == (True, 1.0) and world.failures == failed + 1 and world.abandoned == 0
