"""Web worlds in a real Chromium: seeds, oracles, virtual time, task parameters, typed ends."""

from __future__ import annotations

import time

import numpy as np
import pytest

from envs.web.actions import COUNT, DONE
from envs.web.backend import Action, Verb
from envs.web.batch import WebBatch
from envs.web.chromium import Chromium
from envs.web.env import WebEnv
from envs.web.family import WebFamily
from envs.web.miniwob import TASKS
from envs.web.oracles import find_oracle, list_oracles
from envs.web.params import WebParams
from envs.web.sites import Site
from envs.web.survey import solve
from envs.web.tasks import ALL_TASKS
from envs.web.world import World

NAMED = (
    "click-test",
    "click-link",
    "click-button",
    "click-tab-2-hard",
    "click-checkboxes",
    "enter-text",
    "login-user",
    "email-inbox-delete",
    "search-engine",
    "email-inbox",
    "book-flight-nodelay",
    "read-table",
)
"""The tasks that the acceptance of the trainer names."""


def make_params(task: str, **overrides: int) -> WebParams:
    return WebParams(task=TASKS.index(task), **overrides)


@pytest.mark.parametrize("task", NAMED)
def test_the_oracle_solves_the_named_tasks_by_numbered_actions(chromium: Chromium, task: str) -> None:
    world = World(chromium)
    for seed in (11, 12):
        solved, numbered, steps = solve(world, task, seed)
        assert (solved, numbered) == (True, True) and steps <= 15
    world.close()


@pytest.mark.slow
@pytest.mark.parametrize("task", [task for task in list_oracles() if task in TASKS])
def test_every_oracle_solves_its_task(chromium: Chromium, task: str) -> None:
    """Not every game against an opponent can be won; of the others none is lost."""
    world = World(chromium)
    lost = [seed for seed in range(8) if not solve(world, task, seed)[0]]
    assert len(lost) <= (4 if task == "tic-tac-toe" else 0), lost
    world.close()


def test_a_wrong_answer_and_a_declared_end_are_wrong_and_the_horizon_is_a_timeout(chromium: Chromium) -> None:
    family = WebFamily()
    env = WebEnv(family.resolve_task({"task": TASKS.index("login-user")}, horizon=3), chromium)
    _, info = env.reset(seed=1)
    assert info["instruction"].startswith("Enter the username")
    submit = next(e.index for e in env.elements() if "subbtn" in e.attributes)
    number = env.number_of(Action(Verb.CLICK, submit))
    assert number is not None
    _, reward, terminated, truncated, info = env.step(np.int64(number))
    assert (terminated, truncated, info["end"]) == (True, False, "wrong")
    assert reward == pytest.approx(-1.01) and info["outcome"].fitness == 0.0 and not info["outcome"].success
    env.reset()
    _, reward, terminated, _, info = env.step(np.int64(DONE))
    assert reward == pytest.approx(-1.01) and (terminated, info["end"]) == (True, "wrong")
    env.reset()
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step(np.int64(47))  # an empty slot
    assert (terminated, truncated, info["end"]) == (False, True, "timeout")
    assert reward == pytest.approx(-0.01) and env.failures == 0


def test_a_right_answer_pays_one_however_long_it_takes(chromium: Chromium) -> None:
    """No wall-clock decay: the page's own clock moves 100 ms an action and stands still between them."""
    env = WebEnv(WebFamily().resolve_task({"task": TASKS.index("click-test")}), chromium)
    env.reset(seed=5)
    clock = env.page().clock_ms
    time.sleep(0.6)
    env.step(np.int64(COUNT - 2))  # a key that does nothing here
    assert env.page().clock_ms == clock + 100
    _, reward, terminated, _, info = env.step(np.int64(0))
    assert reward == pytest.approx(0.99) and (terminated, info["end"]) == (True, "success")
    assert (info["outcome"].success, info["outcome"].fitness, info["outcome"].length) == (True, 1.0, 2)
    assert info["outcome"].native_return == pytest.approx(0.98)


def test_the_same_seed_gives_the_same_page_afresh_and_after_use(chromium: Chromium) -> None:
    used, afresh = World(chromium), World(chromium)
    for task in ("choose-date-easy", "social-media", "use-autocomplete"):
        for seed in (3, 4, 3):
            one, two = used.begin(seed, make_params(task)), afresh.begin(seed, make_params(task))
            assert one.instruction == two.instruction
            assert [(e.text, e.value, e.attributes) for e in one.elements] == [
                (e.text, e.value, e.attributes) for e in two.elements
            ]
            used.step(Action(Verb.CLICK, 1))
    assert used.begin(5, make_params("social-media")) != used.begin(6, make_params("social-media"))
    used.close()
    afresh.close()


def test_a_page_is_left_now_and_then(chromium: Chromium, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some browsers free a page's nodes only when it is left."""
    monkeypatch.setattr("envs.web.world.PATIENCE", 3)
    world = World(chromium)
    loads: list[str] = []
    load = world._page.open

    def noted(site: Site, path: str) -> None:
        loads.append(path)
        load(site, path)

    monkeypatch.setattr(world._page, "open", noted)
    for seed in range(7):
        world.begin(seed, make_params("login-user"))
    assert loads == ["/miniwob/login-user.html"] * 3
    world.close()


def test_prefilled_steps_are_taken_but_never_the_last(chromium: Chromium) -> None:
    world = World(chromium)
    filled = []
    for prefilled in (0, 1, 2, 8):
        page = world.begin(7, make_params("login-user", prefilled=prefilled))
        filled.append(sum(bool(e.value) for e in page.elements if e.editable))
        assert not page.ended
    assert filled == [0, 1, 2, 2]
    world.close()


def test_prefilled_steps_are_taken_once_where_the_solution_goes_on(
    chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, taken = World(chromium), list[Action]()
    act = world._act
    monkeypatch.setattr(world, "_act", lambda action: (taken.append(action), act(action))[1])  # type: ignore[func-returns-value]  # in passing
    page = world.begin(7, make_params("login-user", prefilled=2))
    assert len(taken) == 2
    again = world.begin(
        7, make_params("login-user", prefilled=8)
    )  # three steps with the one that ends it, then the first two afresh
    assert len(taken) == 2 + 3 + 2 and [e.value for e in again.elements] == [e.value for e in page.elements]
    world.close()


def test_a_larger_page_adds_elements_and_stays_solvable(chromium: Chromium) -> None:
    world = World(chromium)
    plain = world.begin(7, make_params("login-user"))
    large = world.begin(7, make_params("login-user", page_size=9))
    assert len(large.elements) == len(plain.elements) + 9 and large.instruction == plain.instruction
    assert solve(world, "login-user", 7, make_params("login-user", page_size=30))[:2] == (True, True)
    world.close()


def test_worlds_of_a_batch_are_independent_and_pictures_show_the_page(chromium: Chromium) -> None:
    batch = WebBatch(WebFamily().resolve_task({"task": TASKS.index("enter-text")}), 2, browser=chromium)
    batch.reset(3)
    assert batch.page(0).instruction != batch.page(1).instruction
    before = batch.page(1)
    batch.act([Action(Verb.TYPE, 0, "one"), None])
    assert batch.page(0).elements[0].value == "one" and batch.page(1) == before
    assert batch.render(0).shape == (240, 320, 3) and (batch.render(0) != batch.render(1)).any()
    assert batch.action_masks().shape == (2, COUNT) and batch.failures == 0


def test_unknown_tasks_have_no_oracle() -> None:
    assert find_oracle("drag-box") is None and len(list_oracles()) >= 90
    assert set(list_oracles()) <= set(ALL_TASKS)
