"""Pages that worlds share: what is loaded once is not loaded again, and shows what a page of one's own would. In a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from envs.task import ParamValue
from envs.web.backend import Action, BrowserError, Verb
from envs.web.batch import WebBatch
from envs.web.browsers import list_installed, open_browser
from envs.web.chromium import Chromium
from envs.web.family import WebFamily
from envs.web.miniwob import TASKS
from envs.web.params import WebParams
from envs.web.pool import Pool
from envs.web.world import World


def make_params(task: str) -> WebParams:
    return WebParams(task=TASKS.index(task))


def test_a_page_that_is_loaded_already_is_taken_and_shows_the_same(chromium: Chromium) -> None:
    pool = Pool(chromium, 3)
    one, other, own = World(pool), World(pool), World(chromium)
    link, button = make_params("click-link"), make_params("click-button")
    one.begin(1, link)
    other.begin(1, button)
    assert (pool.made, pool.loads) == (2, 2)
    one.begin(2, button)  # the other is in use: a third page
    assert (pool.made, pool.loads) == (3, 3)
    seen = other.begin(3, link)  # the one that the first world left
    assert (pool.made, pool.loads) == (3, 3) and seen == own.begin(3, link)
    one.begin(4, make_params("enter-text"))  # no more than three: the page idle for longest is loaded anew
    assert (pool.made, pool.loads) == (3, 4)
    for world in (one, other, own):
        world.close()


def test_a_page_that_carries_something_over_is_loaded_for_every_episode(chromium: Chromium) -> None:
    pool = Pool(chromium, 2)
    world = World(pool)
    for loads, seed in enumerate((1, 2), start=1):
        world.begin(seed, make_params("click-pie"))
        assert pool.loads == loads
    world.close()


def test_after_a_failure_nothing_counts_as_loaded(chromium: Chromium) -> None:
    pool = Pool(chromium, 2)
    one, other = World(pool), World(pool)
    one.begin(1, make_params("click-link"))
    other.begin(1, make_params("click-button"))
    chromium.close()
    with pytest.raises(BrowserError):
        pool._pages[0].observe()
    page = one.begin(5, make_params("click-button"))
    assert not page.ended and one.failures == 0
    for world in (one, other):
        world.close()


@pytest.fixture
def batches() -> Iterator[tuple[WebBatch, list[WebBatch]]]:
    """Three worlds side by side, and each of them alone."""
    if "lightpanda" not in list_installed():
        pytest.skip("no Lightpanda here: pip install 'rl-experimenter[lightpanda]'")
    task = WebFamily().resolve_task({"task": TASKS.index("enter-text")})
    names = ["enter-text", "click-button", "click-test-2", "enter-text"]

    def source() -> dict[str, ParamValue]:
        names.append(names.pop(0))
        return {"task": TASKS.index(names[-1])}

    together = WebBatch(task, 3, source, browser=open_browser("auto"))
    alone = [WebBatch(task, 1, browser=open_browser("auto")) for _ in range(2)]
    yield together, alone
    for batch in (together, *alone):
        batch.close()


def test_worlds_act_side_by_side_as_they_would_one_by_one(batches: tuple[WebBatch, list[WebBatch]]) -> None:
    together, (one, other) = batches
    together.reset(5)
    assert [together.page(slot).instruction.split()[0] for slot in range(3)] == ["Enter", "Click", "Click"]
    # the first world of the batch and a world alone differ in their streams: the same seed makes them equal
    for batch, seed in ((one, 21), (other, 22)):
        batch._pages[0] = batch._worlds[0].begin(seed, make_params("enter-text"))
    for slot, seed in ((0, 21), (1, 22)):
        together._pages[slot] = together._worlds[slot].begin(seed, make_params("enter-text"))
    actions = [Action(Verb.TYPE, 0, "one"), Action(Verb.TYPE, 0, "two"), None]
    together.act(actions)
    for slot, (batch, action) in enumerate(zip((one, other), actions, strict=False)):
        batch.act([action])
        assert together.page(slot).elements == batch.page(0).elements
        assert together.page(slot).elements[0].value == ("one", "two")[slot]
    assert together.failures == 0


def test_a_failure_side_by_side_is_heard_by_its_world_alone(batches: tuple[WebBatch, list[WebBatch]]) -> None:
    together, _ = batches
    together.reset(6)
    pool = together._pool
    assert pool is not None and pool.made == 3
    actions = {slot: Action(Verb.TYPE, 0, "x") for slot in range(2)}

    def fail(action: Action) -> None:
        raise BrowserError("made up")

    held = pool._pages[0]._held
    assert held is not None
    held.page.act = fail  # type: ignore[method-assign,assignment]  # the browser fails on this one
    pool.act_ahead(actions)
    with pytest.raises(BrowserError, match="made up"):
        pool._pages[0].act(actions[0])
    assert pool._pages[1].act(actions[1]).elements  # what was carried out ahead


def test_only_finished_episodes_are_encoded_again(batches: tuple[WebBatch, list[WebBatch]]) -> None:
    together, _ = batches
    first = together.reset(7)
    step = together.step(np.zeros(3, np.int64))
    done = step.terminated | step.truncated
    assert np.array_equal(step.observation[~done], step.final_observation[~done])
    assert not np.array_equal(step.observation[done], step.final_observation[done]) or not done.any()
    assert step.observation.shape == first.shape
