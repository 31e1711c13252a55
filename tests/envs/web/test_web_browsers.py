"""Which browser is opened for what, and two browsers as one."""

from __future__ import annotations

import pytest

from envs.web.backend import Action, BrowserMissing, Verb
from envs.web.browsers import list_installed, open_browser
from envs.web.chromium import Chromium
from envs.web.fidelity import compare
from envs.web.lightpanda import Lightpanda
from envs.web.miniwob import TASKS, miniwob_site, page_of, path_of
from envs.web.mixed import Mixed, MixedPage
from envs.web.params import WebParams
from envs.web.survey import can_train, load_support
from envs.web.world import World

needs_both = pytest.mark.skipif(
    set(list_installed()) != {"chromium", "lightpanda"},
    reason="needs chromium and pip install 'rl-experimenter[lightpanda]'",
)


def test_a_wrong_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTER_WEB_BACKEND", "firefox")
    with pytest.raises(
        ValueError, match=r"EXPERIMENTER_WEB_BACKEND.*'firefox'.*auto, chromium or lightpanda"
    ) as refusal:
        open_browser()
    assert "\n" not in str(refusal.value)


@needs_both
def test_what_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXPERIMENTER_WEB_BACKEND", raising=False)
    assert isinstance(open_browser(), Mixed)
    monkeypatch.setenv("EXPERIMENTER_WEB_BACKEND", "lightpanda")
    assert isinstance(open_browser(), Lightpanda)
    monkeypatch.setenv("EXPERIMENTER_WEB_BACKEND", "chromium")
    browser = open_browser()
    assert isinstance(browser, Chromium) and not browser.trusted
    exam = open_browser(mode="certify")
    assert isinstance(exam, Chromium) and exam.trusted


def test_without_the_fast_browser_it_is_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise BrowserMissing("not here")

    monkeypatch.delenv("EXPERIMENTER_WEB_BACKEND", raising=False)
    monkeypatch.setattr("envs.web.browsers.find_lightpanda", missing)
    monkeypatch.setattr("envs.web.browsers.find_chromium", lambda **_: "/usr/bin/chromium")
    assert isinstance(open_browser(), Chromium)


def test_the_file_says_which_tasks_may_be_trained_fast() -> None:
    table = load_support()
    assert can_train(page_of("login-user")) and not can_train(page_of("drag-cube"))
    assert not can_train(path_of(("login-user", "click-test"))), "it has no frames"
    assert set(table["chromium"]) >= set(TASKS) and set(table["lightpanda"]) == set(TASKS)


@needs_both
def test_two_browsers_as_one() -> None:
    """A page in the fast browser gives its picture from the full one, where the same episode is played to the same point."""
    browser = Mixed(
        lambda: Lightpanda([miniwob_site()]), lambda: Chromium([miniwob_site()]), lambda path: "enter-text" in path
    )
    try:
        world = World(browser)
        page = world.begin(3, WebParams(task=TASKS.index("enter-text")))
        inner = world._page
        assert isinstance(inner, MixedPage) and inner.is_fast and not browser.full.group
        empty = world.picture()
        page = world.step(Action(Verb.TYPE, 0, "written"))
        assert page.elements[0].value == "written" and inner.is_fast
        assert empty.shape == (240, 320, 3) and (world.picture() != empty).any()
        world.begin(3, WebParams(task=TASKS.index("click-test")))
        assert not inner.is_fast and len(browser.groups) == 2
    finally:
        browser.close()
    assert browser.groups == []


@needs_both
@pytest.mark.parametrize("task", ["login-user", "click-shape"])
def test_both_browsers_agree(chromium: Chromium, task: str) -> None:
    fast = Lightpanda([miniwob_site()])
    try:
        agreed = compare(fast, chromium, task, (0, 1, 2))
    finally:
        fast.close()
    assert agreed.is_full and agreed.pages == 3 and agreed.clicks > 0
