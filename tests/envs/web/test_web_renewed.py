"""Pages whose widgets miniwob.js renews between episodes: each episode is the same as on a page that was loaded afresh."""

from __future__ import annotations

import numpy as np
import pytest

from envs.web.backend import Action, Browser, Verb
from envs.web.browsers import list_installed
from envs.web.chromium import Chromium
from envs.web.lightpanda import Lightpanda
from envs.web.miniwob import FRESH, miniwob_site
from envs.web.oracles import OracleLost
from envs.web.params import WebParams
from envs.web.parts import find_oracle_of
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

RENEWED = (
    "book-flight", "book-flight-nodelay", "choose-date", "choose-date-easy", "choose-date-medium", "choose-date-nodelay",
    "click-pie-nodelay", "focus-text", "focus-text-2", "stock-market", "use-autocomplete", "use-autocomplete-nodelay",
    "use-slider", "use-slider-2",
)  # fmt: skip


@pytest.mark.parametrize("task", RENEWED)
def test_a_renewed_page_is_a_fresh_one_in_chromium(chromium: Chromium, task: str) -> None:
    compare(chromium, task, seeds=5)


@pytest.mark.slow
@pytest.mark.skipif("lightpanda" not in list_installed(), reason="needs pip install 'rl-experimenter[lightpanda]'")
@pytest.mark.parametrize("task", RENEWED)
def test_a_renewed_page_is_a_fresh_one_in_lightpanda(task: str) -> None:
    browser = Lightpanda([miniwob_site()])
    try:
        compare(browser, task, seeds=12)
    finally:
        browser.close()


def compare(browser: Browser, task: str, seeds: int) -> None:
    """Play the same actions, some of them astray, on a page that is kept and on one that is loaded for every episode."""
    assert task not in FRESH
    params, rng = WebParams(task=ALL_TASKS.index(task)), np.random.default_rng(0)
    kept, loaded = World(browser), World(browser)
    for seed in range(seeds):
        loaded.reload()
        pages = [kept.begin(seed, params), loaded.begin(seed, params)]
        script = find_oracle_of(params.task_names)
        steps = script(pages[1]) if script else None
        action = next(steps) if steps else None
        astray = int(rng.integers(1, 10)) if seed % 2 else 99  # leaves calendars and lists open for the next episode
        for step in range(12):
            assert pages[0].elements == pages[1].elements, (seed, step)
            assert (pages[0].instruction, pages[0].ended, pages[0].raw_reward) == (
                pages[1].instruction,
                pages[1].ended,
                pages[1].raw_reward,
            )
            if pages[1].ended:
                break
            if action is None or step >= astray:
                action, steps = Action(Verb.CLICK, int(rng.integers(len(pages[1].elements)))), None
            pages = [world.step(action) for world in (kept, loaded)]
            try:
                action = steps.send(pages[1]) if steps and not pages[1].ended else None
            except (StopIteration, OracleLost):
                action, steps = None, None
    kept.close()
    loaded.close()
