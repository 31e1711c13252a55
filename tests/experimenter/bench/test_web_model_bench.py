"""The bench of web models in a real Chromium: figures are counted from real episodes, and recorded answers repeat them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from envs.web.chromium import is_installed
from envs.web.demonstrations import read_demonstrations
from experimenter.bench.web_model import Options, measure, table
from experimenter.cli.bench_web_model import web_model
from experimenter.errors import UsageError

needs_browser = pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")


def write_script(path: Path, *answers: tuple[str, Any]) -> str:
    path.write_text("".join(json.dumps({"role": role, "answer": answer}) + "\n" for role, answer in answers))
    return f"scripted/{path}"


def act(verb: str, element: int, text: str = "") -> tuple[str, dict[str, Any]]:
    return "web_agent", {"reason": "", "verb": verb, "element": element, "text": text}


@needs_browser
def test_a_scripted_model_is_measured_recorded_and_repeated(tmp_path: Path) -> None:
    """Page 1: solved at once. Page 2: an illegal answer, corrected. Page 3: nothing readable twice, then solved."""
    model = write_script(
        tmp_path / "script.jsonl",
        act("click", 0),
        act("type", 0, "x"),  # the schema offers no such verb where nothing can be typed: repaired by the gateway
        act("click", 0),
        ("web_agent", "no"),
        ("web_agent", "no again"),
        act("click", 0),
    )
    demos, answers = tmp_path / "demos.jsonl", tmp_path / "answers.jsonl"
    options = Options(
        tasks=("click-test",), episodes=3, ways=("agent",), model=model, demonstrations=demos, record=answers
    )
    measured = measure(options, tmp_path / "home")
    (row,) = measured["ways"]["agent"]
    assert (row["successes"], row["episodes"], row["steps"], row["idle"]) == (3, 3, 4, 1)
    assert (row["calls"], row["unparsable"], row["illegal"]) == (6, 1, 0)
    assert row["tokens"] > 0 and row["low"] == pytest.approx(0.4385, abs=1e-3) and row["high"] == 1.0
    assert measured["demonstrations"]["written"] == 3
    assert [len(one.actions) for one in read_demonstrations(demos)] == [1, 1, 1]
    assert "click-test" in table(measured)

    again = measure(Options(tasks=("click-test",), episodes=3, ways=("agent",), answers=answers), tmp_path / "home2")
    (repeated,) = again["ways"]["agent"]
    assert {name: value for name, value in repeated.items() if name not in ("seconds",)} == {
        name: value for name, value in row.items() if name not in ("seconds",)
    }


@needs_browser
def test_plans_rules_and_judgements_are_measured(tmp_path: Path) -> None:
    plans = [
        ("web_planner", {"lines": ["click('the purple elephant')"]}),
        ("web_planner", {"lines": ["click('the button')"]}),
    ]
    judged = [("web_outcome", {"reason": "", "done": "YES"})] * 4
    model = write_script(tmp_path / "script.jsonl", *plans, *judged)
    options = Options(tasks=("click-test",), episodes=1, ways=("plan", "rule", "judge"), model=model)
    measured = measure(options, tmp_path / "home")
    (row,) = measured["ways"]["plan"]
    assert (row["successes"], row["ungrounded"], row["idle"], row["calls"]) == (1, 1, 1, 2)
    assert measured["ways"]["rule"][0]["calls"] == 0
    said = measured["judge"]["judges"]["model"]
    assert said["yes_solved"] == measured["judge"]["solved"] and said["no_solved"] == said["no_failed"] == 0
    assert said["yes_failed"] == measured["judge"]["traces"] - measured["judge"]["solved"]


@needs_browser
def test_a_spent_budget_ends_the_run_with_what_there_is(tmp_path: Path) -> None:
    model = write_script(tmp_path / "script.jsonl", *[act("click", 0)] * 9)
    options = Options(tasks=("click-test",), episodes=5, ways=("agent",), model=model, tokens=1500)
    (row,) = measure(options, tmp_path / "home")["ways"]["agent"]
    assert 0 < row["episodes"] < 5 and row["successes"] == row["episodes"] and row["tokens"] <= 1500


def test_what_cannot_be_measured_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown web task 'fly'"):
        Options(tasks=("fly",))
    with pytest.raises(UsageError, match="unknown way 'guess': choose among agent"):
        Options(ways=("guess",))
    with pytest.raises(UsageError, match="unknown browser 'lynx': choose among chromium"):
        Options(browser="lynx")
    with pytest.raises(UsageError, match="1 to 1000"):
        Options(episodes=0)
    with pytest.raises(UsageError, match="need a model"):
        measure(Options(model="none"), tmp_path)


@needs_browser
def test_the_command_prints_one_object(tmp_path: Path) -> None:
    app = Typer()
    app.command()(web_model)
    told = CliRunner().invoke(
        app, ["--ways", "rule", "--tasks", "click-test", "--episodes", "1", "--home", str(tmp_path), "--json"]
    )
    assert told.exit_code == 0, told.output
    object_ = json.loads(told.stdout)
    assert object_["bench"] == "web-model" and object_["ways"]["rule"][0]["successes"] == 1
