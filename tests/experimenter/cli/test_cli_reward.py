"""`experimenter reward list|show|diff` over hand-made rows: facts, lineage, differences, errors in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from experimenter.cli.main import app
from experimenter.records import CurvePoint
from experimenter.research.recall import remember_rewards
from tests.experimenter.cli.test_cli_basics import HEAVY
from tests.experimenter.research.search_rows import (
    CART,
    NATIVE,
    add_result,
    add_task,
    make_program,
    make_task,
    open_session,
)

TASK = make_task()
ROOT = make_program("1.0")
CHILD = make_program("2.0", parents=(ROOT.digest,), rationale="scaled up")
LAST = make_program("3.0", parents=(CHILD.digest, ROOT.digest, "0123456789abcdef"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reward")
    curve = [CurvePoint(step=i, terms={"up": 3.0, "calm": -1.0}) for i in range(10)]
    with open_session(folder) as services:
        add_task(services, TASK, [NATIVE, ROOT])
        add_task(services, TASK, [CHILD], generation=1)
        add_task(services, TASK, [LAST], generation=2)
        for program, fitness in ((NATIVE, 0.3), (ROOT, 0.4), (CHILD, 0.6), (LAST, 0.9)):
            add_result(services, TASK, program, [fitness] * 4, curve=curve)
        services.journal.set_fates(TASK.digest, {LAST.digest: ("won", "best of all")})
        remember_rewards(services, TASK.digest)
    return folder


def call(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["reward", *words, "--home", str(home)])


def read(home: Path, *words: str) -> Any:
    done = call(home, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_list_shows_newest_first_with_evidence(home: Path) -> None:
    listed = read(home, "list")["rewards"]
    assert [one["label"] for one in listed] == [LAST.label, CHILD.label, ROOT.label, "native"]
    last = listed[0]
    assert (last["generation"], last["island"], last["operator"], last["fate"], last["author"]) == (
        2,
        1,
        "mutate",
        "won",
        "strong",
    )
    assert last["evidence"]["lift"] == pytest.approx(0.6)
    table = call(home, "list").output.splitlines()
    assert table[0].split()[:3] == ["reward", "family", "task"]
    assert "0.9 [0.9, 0.9]" in table[1]
    assert "+0.6 [+0.6, +0.6]" in table[1]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["--kind", "native"], ["native"]),
        (["--kind", "winner"], [LAST.label]),
        (["--kind", "instructive"], [CHILD.label]),
        (["--limit", "1"], [LAST.label]),
        (["--family", "walker"], []),
        (["--family", CART, "--task", TASK.digest[:5], "--kind", "code", "--limit", "2"], [LAST.label, CHILD.label]),
    ],
)
def test_list_filters(home: Path, words: list[str], labels: list[str]) -> None:
    assert [one["label"] for one in read(home, "list", *words)["rewards"]] == labels


def test_show_tells_text_shares_and_ancestors(home: Path) -> None:
    shown = read(home, "show", LAST.label)
    assert shown["source"] == LAST.source
    assert shown["evidence"]["shares"] == {"up": 0.75, "calm": 0.25}
    tree = shown["lineage"]
    assert [parent["digest"] for parent in tree["parents"]] == [CHILD.digest, ROOT.digest, "0123456789abcdef"]
    assert [parent["digest"] for parent in tree["parents"][0]["parents"]] == [ROOT.digest]
    text = call(home, "show", LAST.digest[:8]).output
    assert "best of all" in text
    assert "up 75%, calm 25%" in text
    assert text.split("lineage:\n")[1].splitlines() == [
        f"{LAST.label}  generation 2, mutate, fitness 0.9 [0.9, 0.9], won",
        f"├─ {CHILD.label}  generation 1, mutate, fitness 0.6 [0.6, 0.6], racing",
        f"│  └─ {ROOT.label}  generation 0, fresh, fitness 0.4 [0.4, 0.4], racing",
        f"├─ {ROOT.label}  generation 0, fresh, fitness 0.4 [0.4, 0.4], racing",
        "└─ 012345 (not in this session)",
    ]


def test_diff_shows_lines_and_numbers(home: Path) -> None:
    text = call(home, "diff", ROOT.label, CHILD.label).output
    assert "-    return 1.0" in text
    assert "+    return 2.0" in text
    (row,) = [line for line in text.splitlines() if line.startswith("fitness_iqm")]
    assert row.split() == ["fitness_iqm", "0.4", "0.6", "+0.2"]
    assert "-    return 1.0" in read(home, "diff", ROOT.label, CHILD.label)["diff"]
    assert "the texts are equal" in call(home, "diff", ROOT.label, ROOT.label).output


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["show", "ffffff"], "no reward program 'ffffff': experimenter reward list shows them."),
        (["show", LAST.digest, "--task", "zz"], "was not in that task or session"),
        (["list", "--kind", "good"], "--kind 'good' is none of code, specification"),
        (["list", "--session", "nobody"], "no session 'nobody'"),
    ],
)
def test_errors_are_one_clear_line(home: Path, words: list[str], part: str) -> None:
    done = call(home, *words)
    assert done.exit_code != 0
    assert part in str(done.exception)
    assert "\n" not in str(done.exception)


def test_an_empty_home_says_so(tmp_path: Path) -> None:
    assert "no reward program fits" in call(tmp_path, "list").output
    assert "there is none yet" in str(call(tmp_path, "show", "abc").exception)


@pytest.mark.parametrize("words", [["list"], ["show", LAST.digest]])
def test_it_starts_without_anything_heavy(home: Path, words: list[str]) -> None:
    code = (
        f"import sys\nsys.argv = ['experimenter', 'reward', *{words!r}, '--home', {str(home)!r}]\n"
        "from experimenter.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []"), done.stdout[-300:]
