"""The tracker: what differs is read by SQL from Trac's own database, its process is always reaped. No browser; skipped without Trac."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envs.web.backend import BrowserError, BrowserMissing
from envs.web.family import WebFamily
from envs.web.launch import list_group
from envs.web.served import Verdict, Wanted
from envs.web.sites import Reply, Request
from envs.web.tasks import ALL_TASKS, TRACKER_TASKS
from envs.web.tracker import base, process
from envs.web.tracker.contents import make_tickets
from envs.web.tracker.jobs import draw_job
from envs.web.tracker.process import Tracd
from envs.web.tracker.venue import Tracker


def has_trac() -> bool:
    try:
        base.trac_version()
    except BrowserMissing:
        return False
    return True


needs_trac = pytest.mark.skipif(not has_trac(), reason="no Trac here: pip install 'rl-experimenter[trac]'")


def wanted(task: str, seed: int = 0, **overrides: int) -> Wanted:
    return Wanted(task=task, seed=seed, **{"catalogue": 1000, "asked": 2, "page_size": 0, **overrides})


@pytest.fixture(scope="module")
def server() -> Iterator[Tracd]:
    started = Tracd("tracker.test")
    started.enter()  # keeps it running between the tests
    yield started
    started.close()


@pytest.fixture
def tracker(server: Tracd) -> Iterator[Tracker]:
    made = Tracker(server)
    yield made
    made.close()


def test_a_missing_trac_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    with pytest.raises(BrowserMissing, match=r"pip install 'rl-experimenter\[trac\]'") as refusal:
        base.trac_version()
    assert "\n" not in str(refusal.value)
    task = ALL_TASKS.index("tracker-login")
    with pytest.raises(ValueError, match=r"tracker-login\) cannot be made here: .*rl-experimenter\[trac\]"):
        WebFamily().resolve_task({"task": task})
    drawn = {WebFamily().sample_params(np.random.default_rng(seed))["task"] for seed in range(60)}
    assert max(int(number) for number in drawn) <= ALL_TASKS.index("shop-buy")


def test_tickets_are_seeded_and_told_apart_by_their_summaries() -> None:
    tickets = make_tickets(100, np.random.default_rng(1))
    assert tickets == make_tickets(100, np.random.default_rng(1)) != make_tickets(100, np.random.default_rng(2))
    assert len({ticket.summary for ticket in tickets}) == 100 and [ticket.id for ticket in tickets] == list(
        range(1, 101)
    )


@pytest.mark.parametrize("task", TRACKER_TASKS)
def test_every_job_changes_something_and_says_its_values(task: str) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        tickets = make_tickets(10, rng)
        job = draw_job(task, tickets, 1 + seed % 4, rng)
        by_number = {str(ticket.id): ticket for ticket in tickets}
        assert job.wanted
        for number, field, value in job.wanted:
            if number in by_number and field in ("priority", "owner", "milestone"):
                assert getattr(by_number[number], field) != value and f'"{value}"' in job.instruction


def form_of(page: str) -> dict[str, str]:
    """Hidden fields of a ticket's page."""
    import re

    found = dict(re.findall(r'<input type="hidden" name="(\w+)"\s+value="([^"]*)"', page))
    return {name: value for name, value in found.items() if name in ("__FORM_TOKEN", "start_time", "view_time")}


def post(tracker: Tracker, path: str, **fields: str) -> Reply:
    from urllib.parse import urlencode

    page = tracker.reply(Request(path=path)).body.decode()
    body = urlencode({**form_of(page), **fields}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return tracker.reply(Request(method="POST", path=path, headers=headers, body=body))


def differences(tracker: Tracker) -> set[tuple[str, str, str]]:
    assert tracker._state is not None
    return set(tracker._state.differences())


@needs_trac
def test_the_work_that_is_asked_for_and_nothing_else_is_done_work(tracker: Tracker) -> None:
    told = tracker.begin(wanted("tracker-close-newest")).instruction
    opening = tracker.begin(wanted("tracker-close-newest", guidance=0))
    assert (
        told.startswith(opening.instruction + " Modify") and opening.instruction == "Close the newest ticket as fixed."
    )
    assert tracker.judge() == Verdict()
    assert "#10" in tracker.reply(Request(path=opening.path)).body.decode()
    assert tracker.judge() == Verdict()  # looking changes nothing
    reply = post(
        tracker, "/ticket/10", action="resolve", action_resolve_resolve_resolution="fixed", submit="Submit changes"
    )
    assert reply.status in (302, 303) and tracker.judge() == Verdict(ended=True, reward=1.0)
    assert differences(tracker) == {("10", "status", "closed"), ("10", "resolution", "fixed")}


@needs_trac
@pytest.mark.parametrize(
    ("path", "fields", "found"),
    [
        ("/ticket/3", {"action": "resolve", "action_resolve_resolve_resolution": "fixed"}, {("3", "status", "closed"), ("3", "resolution", "fixed")}),
        ("/ticket/10", {"action": "resolve", "action_resolve_resolve_resolution": "invalid"}, {("10", "status", "closed"), ("10", "resolution", "invalid")}),
        ("/ticket/10", {"action": "leave", "comment": "hm"}, {("10", "comment", "hm")}),
    ],
)  # fmt: skip
def test_any_other_change_is_wrong_at_once(
    tracker: Tracker, path: str, fields: dict[str, str], found: set[tuple[str, str, str]]
) -> None:
    tracker.begin(wanted("tracker-close-newest"))
    post(tracker, path, submit="Submit changes", **fields)
    assert tracker.judge() == Verdict(ended=True, reward=-1.0) and differences(tracker) == found
    tracker.begin(wanted("tracker-close-newest"))
    assert tracker.judge() == Verdict() and differences(tracker) == set()


@needs_trac
def test_half_of_the_work_goes_on(tracker: Tracker) -> None:
    """Two differences are wanted; one of them alone ends nothing. Written by hand, as Trac writes both at once."""
    tracker.begin(wanted("tracker-close-newest"))
    database = tracker._server.database(tracker._place)
    with sqlite3.connect(database) as db:
        db.execute("UPDATE ticket SET status = 'closed' WHERE id = 10")
    assert tracker.judge() == Verdict()
    with sqlite3.connect(database) as db:
        db.execute("UPDATE ticket SET resolution = 'fixed' WHERE id = 10")
    db.close()
    assert tracker.judge() == Verdict(ended=True, reward=1.0)


@needs_trac
def test_logging_in_is_seen_in_the_sessions_and_strangers_may_change_nothing(tracker: Tracker) -> None:
    opening = tracker.begin(wanted("tracker-login"))
    page = tracker.reply(Request(path=opening.path)).body.decode()
    assert "Login" in page and "logged in as" not in page
    assert tracker.reply(Request(path="/newticket")).status == 403 and tracker.judge() == Verdict()
    assert tracker.reply(Request(path="/login")).status in (302, 303)
    assert tracker.judge() == Verdict(ended=True, reward=1.0) and differences(tracker) == {("session", "login", "sam")}
    assert "logged in as" in tracker.reply(Request(path=opening.path)).body.decode()
    tracker.begin(wanted("tracker-login"))
    assert "logged in as" not in tracker.reply(Request(path=opening.path)).body.decode()


@needs_trac
def test_worlds_share_a_server_but_no_state_and_a_reset_takes_milliseconds(server: Tracd, tracker: Tracker) -> None:
    other = Tracker(server)
    for one in (tracker, other):
        one.begin(wanted("tracker-create", seed=3, asked=1))
    post(tracker, "/newticket", field_summary="mine", field_type="defect", submit="Create ticket")
    assert ("new", "summary", "mine") in differences(tracker) and differences(other) == set()
    assert tracker.group == other.group != 0
    spent = time.process_time()
    for seed in range(20):
        other.begin(wanted("tracker-create", seed=seed))
    assert (time.process_time() - spent) / 20 < 0.05
    other.close()
    assert list_group(server.group)


@needs_trac
def test_the_same_seed_gives_the_same_page(tracker: Tracker) -> None:
    pages = []
    for seed in (5, 6, 5):
        opening = tracker.begin(wanted("tracker-close", seed=seed))
        pages.append(
            (opening, tracker.reply(Request(path=opening.path)).body.partition(b"<table")[2].partition(b"</table>")[0])
        )
    assert pages[0] == pages[2] != pages[1] and b"/ticket/" in pages[0][1]


@needs_trac
def test_files_that_never_change_come_from_trac_s_package_and_nothing_beside_them(tracker: Tracker) -> None:
    tracker.begin(wanted("tracker-login"))
    assert b"jQuery" in tracker.reply(Request(path="/chrome/common/js/jquery.js?version=1")).body
    for path in ("/chrome/common/../web/main.py", "/chrome/common/js/../../../env.py"):
        assert tracker.reply(Request(path=path)).status == 404


@needs_trac
def test_a_killed_server_is_a_failure_and_never_an_outcome() -> None:
    server = Tracd("tracker.test")
    tracker = Tracker(server)
    first = tracker.begin(wanted("tracker-close", seed=2))
    folder = server.database(tracker._place)
    os.killpg(server.group, signal.SIGKILL)
    with pytest.raises(BrowserError, match="the tracker failed on GET"):
        tracker.reply(Request(path=first.path))
    assert not folder.exists() and server.group == 0
    assert tracker.begin(wanted("tracker-close", seed=2)) == first
    assert tracker.reply(Request(path=first.path)).status == 200 and tracker.judge() == Verdict()
    group = server.group
    tracker.close()
    tracker.close()
    assert server.group == 0 and list_group(group) == []


@needs_trac
def test_the_server_dies_with_the_process_that_started_it() -> None:
    code = (
        "import time; from envs.web.tracker.process import Tracd\n"
        "s = Tracd('tracker.test'); d = s.database(s.enter())\n"
        "print(s.group, d, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        group, database = child.stdout.readline().split()
        assert list_group(int(group)) and Path(database).exists()
        child.kill()
    deadline = time.monotonic() + 20
    while (list_group(int(group)) or Path(database).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list_group(int(group)) == [] and not Path(database).exists()


@needs_trac
def test_an_error_of_the_ground_under_trac_is_a_failure_that_says_what_it_was(tracker: Tracker) -> None:
    opening = tracker.begin(wanted("tracker-close"))
    with sqlite3.connect(tracker._server.database(tracker._place)) as db:
        db.execute("DROP TABLE report")
    db.close()
    with pytest.raises(
        BrowserError, match=r"^the tracker failed on GET /report/1\?max=10: OperationalError: no such table: report$"
    ):
        tracker.reply(Request(path=opening.path))
    assert tracker.group != 0  # other worlds go on
    again = tracker.begin(wanted("tracker-close"))
    assert again == opening and tracker.reply(Request(path=opening.path)).status == 200


@needs_trac
def test_an_error_of_trac_itself_is_the_page_that_it_shows(tracker: Tracker) -> None:
    """Trac 1.6 cannot show the SQL of a report. Its own bug is part of the application, as it would be for a person."""
    tracker.begin(wanted("tracker-close"))
    reply = tracker.reply(Request(path="/report?format=sql&id=1"))
    assert reply.status in (200, 500) and ("Content-Type", "text/html;charset=utf-8") in reply.headers
    assert tracker.judge() == Verdict()


@needs_trac
def test_an_episode_does_not_go_on_in_a_server_that_was_started_after_it_began() -> None:
    server = Tracd("tracker.test")
    first, second = Tracker(server), Tracker(server)
    for one in (first, second):
        opening = one.begin(wanted("tracker-close", seed=2))
    os.killpg(server.group, signal.SIGKILL)
    with pytest.raises(BrowserError, match="the tracker failed on GET"):
        first.reply(Request(path=opening.path))
    first.begin(wanted("tracker-close", seed=2))
    for ask in (lambda: second.reply(Request(path=opening.path)), second.judge):
        with pytest.raises(BrowserError, match="started afresh since this episode began"):
            ask()
    assert second.begin(wanted("tracker-close", seed=2)) == opening and second.judge() == Verdict()
    first.close()
    second.close()


def test_a_server_that_cannot_start_says_why_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named trac.web' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(process, "templates_folder", lambda: tmp_path)
    monkeypatch.setattr(sys, "executable", str(broken))
    server, began = Tracd("tracker.test"), time.monotonic()
    with pytest.raises(
        BrowserError, match=r"^the tracker did not start: .* \(ModuleNotFoundError: No module named trac.web\)$"
    ):
        server.database(server.enter())
    assert server.group == 0 and time.monotonic() - began < 20


@needs_trac
def test_a_fork_talks_to_no_server_of_the_process_that_it_came_from() -> None:
    """Warm workers are forks, and every handle is closed in them: what had its number would get the request."""
    code = (
        "import os; from envs.web.tracker.process import SHARED\n"
        "SHARED.database(SHARED.enter()); pid = os.fork()\n"
        "if not pid: os._exit(40 + (SHARED.group == 0 and SHARED.enter() == 'world0'))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), SHARED.group > 0); SHARED.close()"
    )
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["41", "True"]
