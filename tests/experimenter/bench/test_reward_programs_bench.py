"""The bench of given reward programs: its file, a real short run, its table."""

from pathlib import Path

import pytest

from envs.catalog import get_family
from experimenter.bench.reward_programs import FORMS, measure, read_entries, table
from experimenter.bench.rewards.tasks import find_tasks
from experimenter.errors import UsageError
from experimenter.sandbox.check import check_programs

ONE = """
[[program]]
name = "cost"
tasks = ["pendulum"]
code = '''
def compute_reward(state, action, next_state):
    cost = {weight} * np.square(next_state["angle"])
    return cost, {"cost": cost}
'''
numbers = { pendulum = { weight = -0.1 } }
"""


def test_the_shipped_forms_pass_the_static_screen_on_their_tasks() -> None:
    entries = read_entries(FORMS)
    assert len(entries) >= 10
    for name in sorted({name for entry in entries for name in entry.tasks}):
        (task,) = find_tasks([name])
        programs = [entry.program(name) for entry in entries if name in entry.tasks]
        found = check_programs(programs, get_family(task.family).card())
        assert [one.reason for one in found if not one.ok] == []


def test_a_program_is_trained_beside_the_baselines_and_found_again(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(ONE)
    said: list[str] = []
    first = measure(file, tmp_path / "run", seeds=2, steps_scale=0.06, workers=2, say=said.append)
    (row,) = first["tasks"]
    assert [program["name"] for program in row["programs"]] == ["native", "sparse", "cost"]
    assert all(len(program["by_seed"]) == 2 and not row["failures"] for program in row["programs"])
    assert row["steps"] == 2100 and said == ["pendulum: 3 rewards on 2 seeds, 2,100 env steps each"]
    jobs = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/home/jobs").glob("*/result.json")}
    assert measure(file, tmp_path / "run", seeds=2, steps_scale=0.06, workers=2) == first
    assert jobs == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/home/jobs").glob("*/result.json")}
    text = table(first)
    assert "| pendulum | 2k | cost |" in text and text.count("\n") == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[program", "is no TOML"),
        ("title = 1", "every program is a table"),
        ("[[program]]\nname = 'a'", "every program is a table"),
        (ONE.replace('"pendulum"]', '"pendulun"]'), "Did you mean 'pendulum'"),
        (ONE.replace('"cost"\ntasks', '"native"\ntasks'), "that of a baseline"),
        (ONE + ONE, "2 programs are called 'cost'"),
    ],
)
def test_a_bad_file_gets_one_clear_line(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=told) as caught:
        read_entries(file)
    assert "\n" not in str(caught.value)


def test_a_file_or_task_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_entries(tmp_path / "none.toml")
    file = tmp_path / "mine.toml"
    file.write_text(ONE)
    with pytest.raises(UsageError, match=r"no program of .* is meant for acrobot"):
        measure(file, tmp_path / "run", tasks=["acrobot"])
