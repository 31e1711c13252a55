"""Served sites in the fast browser: the same pages as in Chromium, and pictures that play nothing twice. Skipped without Lightpanda."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envs.web.backend import BrowserMissing, Snapshot
from envs.web.browsers import open_browser
from envs.web.chromium import Chromium
from envs.web.lightpanda import Lightpanda, find_lightpanda
from envs.web.miniwob import miniwob_site
from envs.web.mixed import Mixed, MixedPage
from envs.web.oracle_tools import click, named, quoted, text_is, write
from envs.web.oracles import find_oracle
from envs.web.params import WebParams
from envs.web.tasks import ALL_TASKS, check_site
from envs.web.world import World

try:
    find_lightpanda()
except BrowserMissing as missing:
    pytest.skip(str(missing), allow_module_level=True)


@pytest.fixture(scope="module")
def mixed(chromium: Chromium) -> Iterator[Mixed]:
    made = open_browser("auto")
    assert isinstance(made, Mixed)
    yield made
    made.close()


def make_params(task: str, **overrides: int) -> WebParams:
    try:
        check_site(ALL_TASKS.index(task))
    except ValueError as missing:
        pytest.skip(str(missing))
    return WebParams(task=ALL_TASKS.index(task), **overrides)


def play(world: World, seed: int, params: WebParams) -> list[Snapshot]:
    script = find_oracle(params.task_name)
    assert script is not None
    pages = [world.begin(seed, params)]
    running = script(pages[0])
    action = next(running)
    while not pages[-1].ended:
        pages.append(world.step(action))
        if not pages[-1].ended:
            action = running.send(pages[-1])
    return pages


@pytest.mark.parametrize("task", ["shop-buy", "tracker-milestone", "tracker-close"])
def test_the_fast_browser_shows_what_chromium_shows(chromium: Chromium, mixed: Mixed, task: str) -> None:
    fast, full = World(mixed), World(chromium)
    told = []
    for world in (fast, full):
        pages = play(world, 7, make_params(task))
        assert pages[-1].raw_reward == 1.0 and world.failures == 0
        told.append(
            [
                [(e.tag, e.text, e.value, e.attributes, e.around, e.checked, e.interactive) for e in p.elements]
                for p in pages[:-1]
            ]
        )
    assert isinstance(fast._page, MixedPage) and fast._page.is_fast
    assert told[0] == told[1]
    fast.close()
    full.close()


@pytest.mark.parametrize("out", ["Edgewall Software", "Comma-delimited Text", "SQL Query"])
def test_a_way_that_leads_nowhere_stops_no_page_after_it(out: str) -> None:
    """A way out of the site, a download, and a page that Trac itself fails on. Lightpanda once never ended a load after the first."""
    params = make_params("tracker-close")
    browser = Lightpanda([miniwob_site()], timeout_s=10.0)
    world = World(browser)
    page = world.begin(1, params)
    for text in (out, "About Trac", "View Tickets"):
        page = world.step(click(text_is(page, text)))
    assert any(e.text == "Available Reports" for e in page.elements) and not page.ended
    assert (world.failures, world.abandoned) == (0, 0)
    world.close()
    browser.close()


def test_a_picture_shows_the_page_as_it_stands_and_buys_nothing_twice(mixed: Mixed) -> None:
    world = World(mixed)
    page = world.begin(7, make_params("shop-buy", catalogue=100))
    empty = world.picture()
    page = world.step(write(named(page, "q"), quoted(page)[0]))
    typed = world.picture()
    assert typed.shape == (240, 320, 3) and (typed != empty).any() and not (typed == 255).all()
    page = world.begin(7, make_params("shop-buy", catalogue=100, prefilled=4))
    page = world.step(click(named(page, "add")))
    world.picture()
    assert sum(e.text == "Remove" for e in page.elements) == 1
    page = world.step(click(named(page, "checkout")))
    assert sum(e.tag == "li" for e in page.elements) == 1
    world.close()
