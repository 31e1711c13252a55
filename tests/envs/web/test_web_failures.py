"""What goes wrong with a real browser, done to a real one: stopped, out of disk, a page that never loads, a trainer killed.

Nothing of it may become an outcome, and nothing may be left running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from envs.web.backend import Action, BrowserError, Verb
from envs.web.batch import WebBatch
from envs.web.chromium import Chromium, find_chromium, is_installed
from envs.web.family import WebFamily
from envs.web.launch import list_group
from envs.web.miniwob import TASKS, miniwob_site
from envs.web.params import WebParams
from envs.web.sites import Site
from envs.web.world import World

pytestmark = pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")
LOGIN = WebParams(task=TASKS.index("login-user"))
ADAPTER = "window.__site = {start() {}, ready() { return true; }, skip: [], state() { return ['x', false, 0]; }};"


def test_a_stopped_browser_is_replaced_and_the_episode_goes_on() -> None:
    """SIGSTOP: it neither dies nor answers."""
    browser = Chromium([miniwob_site()], timeout_s=8.0)
    try:
        world = World(browser)
        page = world.begin(4, LOGIN)
        user = page.instruction.split('"')[1]
        stopped = browser.group
        os.killpg(stopped, signal.SIGSTOP)
        page = world.step(Action(Verb.TYPE, next(e.index for e in page.elements if e.editable), user))
        assert [e.value for e in page.elements if e.editable] == [user, ""]
        assert world.failures >= 1 and (world.abandoned, page.ended) == (0, False)
        assert list_group(stopped) == [] and browser.group != stopped
    finally:
        browser.close()


def make_site(folder: Path, page: str) -> Site:
    (folder / "miniwob").mkdir()
    (folder / "miniwob" / "login-user.html").write_text(page)
    return Site(name="broken", folder=folder, adapter=ADAPTER)


@pytest.mark.slow
def test_pages_that_never_load_are_left_out_and_then_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts an episode, three episodes; then one error, and not one outcome."""
    site = make_site(tmp_path, "<script>while (true) {}</script>")
    monkeypatch.setattr("envs.web.world.miniwob_site", lambda: site)
    browser = Chromium([site], timeout_s=1.5)
    batch = WebBatch(WebFamily().resolve_task(LOGIN.model_dump()), 1, browser=browser)
    try:
        with pytest.raises(BrowserError, match="did not"):
            batch.reset(0)
        assert (batch.skipped, batch.failures, batch.ends) == (2, 9, [])
    finally:
        batch.close()
    assert browser.group == 0


def test_an_episode_that_will_not_start_is_skipped_and_counted(
    chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next seed is taken; what was skipped is in nobody's reward."""
    real = World.begin
    refused: list[int] = []

    def begin(self: World, seed: int, params: WebParams) -> object:
        if not refused:
            refused.append(seed)
            raise BrowserError("it will not")
        return real(self, seed, params)

    monkeypatch.setattr(World, "begin", begin)
    batch = WebBatch(WebFamily().resolve_task({"task": TASKS.index("click-test")}), 1, browser=chromium)
    batch.reset(0)
    assert batch.skipped == 1 and not batch.page().ended
    step = batch.step(np.array([0]))
    assert [o.success for o in step.outcomes] == [True] and batch.skipped == 1


def test_a_full_disk_makes_no_outcome_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of the profile may grow beyond 4 kB. Either the browser copes, or it fails as a browser."""
    wrapper = tmp_path / "full"
    wrapper.write_text(f'#!/bin/bash\ntrap "" XFSZ\nulimit -f 4\nexec {find_chromium()} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("EXPERIMENTER_CHROMIUM", str(wrapper))
    browser = Chromium([miniwob_site()], timeout_s=10.0)
    world = World(browser)
    try:
        try:
            page = world.begin(4, LOGIN)
        except BrowserError:
            assert world.failures == 3
        else:
            page = world.step(Action(Verb.CLICK, next(e.index for e in page.elements if "subbtn" in e.attributes)))
            assert (page.ended, page.raw_reward) == (True, -1.0)
        group = browser.group
    finally:
        browser.close()
    assert not group or list_group(group) == []


TRAINER = """
import numpy as np
from envs.web.batch import WebBatch
from envs.web.chromium import Chromium
from envs.web.family import WebFamily
from envs.web.miniwob import miniwob_site
browser = Chromium([miniwob_site()])
batch = WebBatch(WebFamily().resolve_task({"task": 37}), 2, browser=browser)
batch.reset(0)
print(browser.group, flush=True)
while True:
    batch.step(np.array([0, 0]))
"""


def test_a_killed_trainer_takes_its_browser_with_it() -> None:
    """Kill -9 in the middle of an episode."""
    with subprocess.Popen([sys.executable, "-c", TRAINER], stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None
        group = int(trainer.stdout.readline())
        assert len(list_group(group)) > 3
        time.sleep(0.3)
        trainer.kill()
    deadline = time.monotonic() + 15
    while list_group(group) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list_group(group) == []
