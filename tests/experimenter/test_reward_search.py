"""The reward search through the command line: two generations of a scripted model, on real training of a few thousand steps."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.experimenter.conftest import CommandLine

UPRIGHT = """def compute_reward(state, action, next_state):
    upright = np.exp(-np.square(next_state["pole_angle"] / {width}))
    centred = -0.05 * np.abs(next_state["cart_position"])
    return upright + centred, {{"upright": upright, "centred": centred}}
"""
OPPOSITE = """def compute_reward(state, action, next_state):
    fallen = np.square(next_state["pole_angle"]) - 1.0
    return fallen, {"fallen": fallen}
"""


def program(code: str) -> dict[str, str]:
    return {"rationale": "It pays for an upright pole.", "code": code}


def write_script(path: Path) -> None:
    answers = [UPRIGHT.format(width=0.2), OPPOSITE, UPRIGHT.format(width=0.1), UPRIGHT.format(width=0.05)]
    lines = [("reward_writer", program(code)) for code in answers]
    lines.append(("goal", {"reading": "Keep the pole up.", "kind": "target", "params": [], "success_rate": 0.9}))
    lines.append(("decomposer", {"subgoals": [{"text": "balance", "params": [], "skill": ""}]}))
    lines += [("judge", {"reasons": ["It still climbs."], "state": "improving"})] * 2
    lines.append(("reflector", {"advice": "Narrow the upright term.", "lessons": ["A wide bell tells little."]}))
    path.write_text("".join(json.dumps({"role": role, "answer": answer}) + "\n" for role, answer in lines))


@pytest.fixture(scope="module")
def searched(make_command_line: Callable[..., CommandLine], tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    command_line = make_command_line()
    script = tmp_path_factory.mktemp("script") / "script.jsonl"
    write_script(script)
    done = command_line.run(
        "run", "balance the pole", "--env", "gym:CartPole-v1", "--model", f"scripted/{script}", "--candidates", "2",
        "--generations", "2", "--exhaust", "--islands", "2", "--seeds", "1", "--steps", "16000", "--budget", "10m",
        "--feedback", "move the cart little",
    )  # fmt: skip
    assert done.returncode in (0, 10), done.stderr
    return command_line


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home / "experimenter.db") as database:
        return list(database.execute(query))


def test_programs_know_where_they_were_born(searched: CommandLine) -> None:
    born = rows(searched.home, "SELECT operator, generation, island, fate, payload FROM reward ORDER BY id")
    operators = [(operator, generation) for operator, generation, *_ in born]
    assert operators[:3] == [("baseline", 0)] * 3
    assert operators[3:5] == [("fresh", 0)] * 2
    assert {island for operator, generation, island, *_ in born[3:5]} == {0, 1}
    assert operators[5][1] == 1 and operators[5][0] == "mutate"
    digests = {json.loads(payload)["source"]: payload for *_, payload in born}
    parents = json.loads(digests[UPRIGHT.format(width=0.1)])["parents"]
    first = rows(searched.home, "SELECT reward_digest FROM reward WHERE operator = 'fresh' AND fate != 'refused'")
    assert parents == [first[0][0]], "slot 0 mutates the best program so far: the only one that was trained"


def test_the_opposite_of_the_task_is_never_trained(searched: CommandLine) -> None:
    ((digest, reason),) = rows(searched.home, "SELECT reward_digest, reason FROM reward WHERE fate = 'refused'")
    assert "fitter of two recorded episodes" in reason
    assert rows(searched.home, f"SELECT COUNT(*) FROM job WHERE reward_digest = '{digest}'") == [(0,)]
    screens = [json.loads(data) for (data,) in rows(searched.home, "SELECT data FROM event WHERE kind = 'screen'")]
    assert {screen["screen"] for screen in screens} == {"static", "preference", "probe"}
    assert all(screen["cost_s"] >= 0 for screen in screens)


def test_what_the_writer_was_told(searched: CommandLine) -> None:
    calls = rows(searched.home, "SELECT messages FROM call WHERE role = 'reward_writer' ORDER BY id")
    texts = ["\n".join(str(message) for message in json.loads(messages)) for (messages,) in calls]
    assert all("move the cart little" in text for text in texts)
    mutation = next(text for text in texts if "write a better program than the one above" in text)
    assert "/ 0.2))" in mutation, "the parent's program is shown"
    assert "term upright" in mutation and "Narrow the upright term." in mutation
    assert "(tentative) A wide bell tells little." in mutation
    assert "fitter of two recorded episodes" in mutation, "what a screen refused is fed back"
    rule = json.loads(rows(searched.home, "SELECT payload FROM reward WHERE operator = 'baseline'")[2][0])["source"]
    for text in texts:
        assert rule not in text and rule.replace('"', '\\"') not in text, "a baseline's program is never shown"


def test_the_next_generation_was_begun_before_the_race_had_ended(searched: CommandLine) -> None:
    order = dict(rows(searched.home, "SELECT key, id FROM event WHERE kind IN ('births', 'standing')"))
    last_standing = max(place for key, place in order.items() if key.startswith("standing:") and ":0:" in key)
    begun = next(place for key, place in order.items() if key.startswith("births:") and key.endswith(":1"))
    assert begun < last_standing


def test_a_lesson_is_graded_by_the_children_that_were_told_it(searched: CommandLine) -> None:
    ((text, support, against, grade),) = rows(searched.home, "SELECT text, support, against, grade FROM lesson")
    assert text == "A wide bell tells little." and grade in ("tentative", "likely", "withdrawn")
    trained = rows(
        searched.home, "SELECT COUNT(DISTINCT reward_digest) FROM job WHERE generation = 1 AND state = 'done'"
    )
    assert trained[0][0] >= 1
    assert support + against <= 2


def test_the_report_shows_the_lineage(searched: CommandLine, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert searched.run("report", "--out", str(page)).returncode == 0
    text = page.read_text()
    assert "How the rewards were bred" in text and "<td>mutate</td>" in text
    assert "would have refused the winner" in text and "move the cart little" in text
