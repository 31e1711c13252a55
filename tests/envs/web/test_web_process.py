"""Browsers are reaped, and their failures never become outcomes: real processes, really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from envs.web.backend import Action, BrowserError, BrowserMissing, Verb
from envs.web.chromium import Chromium, find_chromium, is_installed
from envs.web.launch import launch, list_group
from envs.web.miniwob import TASKS, miniwob_site
from envs.web.params import WebParams
from envs.web.sites import Site
from envs.web.world import World

needs_browser = pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")
LOGIN = WebParams(task=TASKS.index("login-user"))


def test_a_group_is_killed_as_a_whole_with_its_folder() -> None:
    """A launcher script whose children would outlive it."""
    process = launch(["/bin/sh", "-c", "sleep 60 & sleep 60 & wait"], {}, pipes=False)
    deadline = time.monotonic() + 5
    while len(list_group(process.group)) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list_group(process.group)) == 4  # the guard, the script and its two children
    assert process.folder.is_dir()
    process.close()
    process.close()
    assert list_group(process.group) == [] and not process.folder.exists()


def test_the_group_dies_with_the_process_that_started_it() -> None:
    """Killed with -9, a trainer leaves neither processes nor a profile behind."""
    code = (
        "from envs.web.launch import launch; import time\n"
        "p = launch(['/bin/sh', '-c', 'sleep 60 & sleep 60'], {}, pipes=False)\n"
        "print(p.group, p.folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        group, folder = child.stdout.readline().split()
        assert list_group(int(group))
        child.kill()
    deadline = time.monotonic() + 10
    while (list_group(int(group)) or Path(folder).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list_group(int(group)) == [] and not Path(folder).exists()


def test_a_browser_that_does_not_start_is_a_browser_error() -> None:
    with pytest.raises(BrowserError, match="is gone"):
        process = launch(["/bin/false"], {}, pipes=True)
        try:
            from envs.web.transport import PipeTransport

            PipeTransport(process.read_end, process.write_end).receive(10.0)
        finally:
            process.close()


def test_a_missing_browser_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTER_CHROMIUM", "/no/such/browser")
    with pytest.raises(BrowserMissing, match="apt-get install chromium") as refusal:
        find_chromium()
    assert "\n" not in str(refusal.value)


@needs_browser
def test_recycled_and_closed_browsers_leave_no_process() -> None:
    before = count_browsers()
    browser = Chromium([miniwob_site()], recycle=2)
    world, groups = World(browser), set[int]()
    for seed in range(5):
        if browser.is_tired:
            browser.close()
        world.begin(seed, LOGIN)
        groups.add(browser.group)
    assert browser.starts == len(groups) == 3
    assert [group for group in groups if list_group(group)] == [browser.group]
    browser.close()
    assert [group for group in groups if list_group(group)] == []
    assert world.failures == 0 and count_browsers() - before == set()


def count_browsers() -> set[int]:
    """Chromium processes of this process, alive."""
    found = set()
    for one in psutil.process_iter(["name", "status", "ppid"]):
        if "chrom" in one.info["name"] and one.info["status"] != psutil.STATUS_ZOMBIE and is_ours(one):
            found.add(one.pid)
    return found


def is_ours(process: psutil.Process) -> bool:
    """Whether a browser's profile was made by this process: other tests may run browsers beside us."""
    try:
        groups = os.getpgid(process.pid)
        return os.getpid() in [parent.pid for parent in psutil.Process(groups).parents()]
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


@needs_browser
def test_a_killed_browser_changes_nothing_in_the_episode(chromium: Chromium) -> None:
    """The page, opened again, is where it was: both inputs filled, and the next click logs in."""
    world = World(chromium)
    page = world.begin(4, LOGIN)
    user, password = (word for word in page.instruction.split('"')[1::2])
    world.step(Action(Verb.TYPE, by_name(page, "username"), user))
    os.killpg(chromium.group, signal.SIGKILL)
    page = world.step(Action(Verb.TYPE, by_name(page, "password"), password))
    assert [element.value for element in page.elements if element.editable] == [user, password]
    page = world.step(Action(Verb.CLICK, by_name(page, "subbtn")))
    assert (page.ended, page.raw_reward, world.failures, world.abandoned) == (True, 1.0, 1, 0)


HANGING = """
window.__site = {start() { document.getElementById('b').onclick = () => { while (true) {} }; }, skip: [],
                 ready() { return true; }, state() { return ['hang', false, 0]; }};
"""


@needs_browser
@pytest.mark.slow
def test_an_action_that_hangs_the_page_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three browsers hang on it; then it counts as an action that changed nothing, and the episode goes on."""
    (tmp_path / "miniwob").mkdir()
    (tmp_path / "miniwob" / "login-user.html").write_text("<button id=b>b</button><input id=i>")
    site = Site(name="hang", folder=tmp_path, adapter=HANGING)
    monkeypatch.setattr("envs.web.world.miniwob_site", lambda: site)
    browser = Chromium([site], timeout_s=3.0)
    try:
        world = World(browser)
        world.begin(0, LOGIN)
        page = world.step(Action(Verb.CLICK, 0))
        assert not page.ended and page.raw_reward == 0.0
        assert (world.failures, world.abandoned) == (3, 1)
        page = world.step(Action(Verb.TYPE, 1, "on"))
        assert page.elements[1].value == "on" and world.failures == 3
    finally:
        browser.close()


NEVER = "window.__site = {start() {}, ready() { return false; }, skip: [], state() { return ['x', false, 0]; }};"


@needs_browser
def test_a_page_that_is_never_ready_raises_and_makes_no_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "miniwob").mkdir()
    (tmp_path / "miniwob" / "login-user.html").write_text("<button>b</button>")
    site = Site(name="never", folder=tmp_path, adapter=NEVER)
    monkeypatch.setattr("envs.web.world.miniwob_site", lambda: site)
    browser = Chromium([site], timeout_s=10.0)
    try:
        world = World(browser)
        with pytest.raises(BrowserError, match="was never ready"):
            world.begin(0, LOGIN)
        assert world.failures == 3
    finally:
        browser.close()
    assert browser.group == 0


def by_name(page: object, name: str) -> int:
    from envs.web.backend import Snapshot

    assert isinstance(page, Snapshot)
    return next(element.index for element in page.elements if name in element.attributes.split())
