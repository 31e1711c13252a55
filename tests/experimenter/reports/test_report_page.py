"""The report in a real headless Chromium: its parts are there, nothing is fetched, and text from outside stays text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from envs.catalog import get_family
from experimenter.config import SessionConfig
from experimenter.journal import Journal, start_session
from experimenter.records import Goal, RewardKind, RewardProgram
from experimenter.reports.facts import repeat_command
from experimenter.reports.page import write_report
from memory.store import open_store

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
EVIL = "<script>document.title='hacked'</script>"


def make_report(tmp_path: Path) -> Path:
    store = open_store(tmp_path / "experimenter.db")
    journal = Journal(store, start_session(store, f"walk {EVIL}", SessionConfig(family="gym:CartPole-v1"), "1"))
    task = get_family("gym:CartPole-v1").resolve_task()
    journal.write_goal(Goal(text="walk", family="gym:CartPole-v1", horizon=500, reading=f"read {EVIL}"))
    journal.add_task(task, text=f"balance {EVIL}")
    code = "def compute_reward(state, action, next_state):\n    return next_state['pole_angle'], {}  # </pre>" + EVIL
    program = RewardProgram(kind=RewardKind.CODE, source=code, rationale=EVIL, model="openai/strong")
    journal.add_rewards(task.digest, [RewardProgram(kind=RewardKind.NATIVE), program], 0, "racing")
    journal.event("model", "model", "model: none/none (asked for)")
    path = write_report(store, tmp_path, journal.session_id)
    store.close()
    return path


def test_text_from_models_and_people_is_escaped_and_nothing_is_fetched(tmp_path: Path) -> None:
    page = make_report(tmp_path).read_text()
    assert EVIL not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; .ci/run installs it")
def test_chromium_shows_the_parts_of_the_page(tmp_path: Path) -> None:
    page = make_report(tmp_path)
    assert CHROMIUM is not None
    shown = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    for part in ('id="goal"', 'id="outcome"', 'id="tree"', 'id="costs"', 'id="calls"', 'id="repeat"', "code-"):
        assert part in shown, part
    assert "<title>hacked</title>" not in shown


def test_the_command_repeats_the_session() -> None:
    config = SessionConfig.resolve(
        {"family": "walker", "params": {"stump_height": 1.0}, "budget": "5m", "candidates": 0}
    )
    command = repeat_command("cross 'stumps'", config)
    assert command == (
        "experimenter run 'cross '\"'\"'stumps'\"'\"'' --env walker --param stump_height=1.0 --budget 300s --candidates 0"
    )
