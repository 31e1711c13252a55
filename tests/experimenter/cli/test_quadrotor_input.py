"""What a person may get wrong about drones is one clear line and a non-zero exit, before anything is written."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experimenter.cli.main import app
from experimenter.cli.output import explain
from tests.experimenter.conftest import CommandLine

pytestmark = pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra `quadrotor`")
FLY = ("run", "fly", "--env", "quadrotor", "--model", "none", "--budget", "20s")


def refuse(home: Path, *words: str) -> str:
    """Run the command in this process; returns the one line that it ends with."""
    done = CliRunner().invoke(app, [*words, "--home", str(home)])
    assert done.exception is not None and not isinstance(done.exception, SystemExit), done.output
    line, code = explain(done.exception)
    assert code == 2 and "\n" not in line
    assert not list(home.iterdir()), "nothing is written for a task that cannot be"
    return line


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["drones=200"], "quadrotor: drones = 200 is not a whole number from 1 to 128."),
        (
            # 5 x 5 cells, 7 of the inner 9 full, on 3 levels: 54 places
            ["drones=100", "room=5", "density=0.8"],
            "quadrotor: 100 drones do not fit in a room of 5 m at density 0.8, which holds 54; "
            "use fewer drones, a larger room or a lower density.",
        ),
        (["drones=2.5"], "quadrotor: drones = 2.5 is not a whole number from 1 to 128."),
        (["drones=true"], "quadrotor: drones = True is not a whole number from 1 to 128."),
        (["density=1.5"], "quadrotor: density = 1.5 is not a number from 0 to 0.8."),
        (["density=nan"], "quadrotor: density = nan is not a number from 0 to 0.8."),
        (["wind=inf"], "quadrotor: wind = inf is not a number from 0 to 5."),
        (["diameter=wide"], "quadrotor: diameter = 'wide' is not a number from 0.3 to 0.85."),
        (["airframe=9"], "quadrotor: airframe = 9 is not a whole number from 0 to 2."),
        (
            ["airframe=crazyfly-l2f"],
            "quadrotor: unknown airframe 'crazyfly-l2f'. Did you mean 'crazyflie-l2f'? "
            "Known: 0 crazyflie-swarm, 1 crazyflie-l2f, 2 crazyflie-pybullet.",
        ),
        (["action_mode=7"], "quadrotor: action_mode = 7 is not a whole number from 0 to 4."),
        (
            ["action_mode=torque"],
            "quadrotor: unknown action_mode 'torque'. Known: 0 motor thrust, 1 rotor speed, "
            "2 collective thrust and body rates, 3 attitude, 4 velocity.",
        ),
        (["goal=99"], "quadrotor: goal = 99 is not a whole number from 0 to 10."),
    ],
)
def test_a_bad_task_parameter_is_one_clear_line(tmp_path: Path, given: list[str], line: str) -> None:
    assert refuse(tmp_path, *FLY, *(part for item in given for part in ("--param", item))) == line


def test_an_unknown_parameter_names_the_nearest_and_a_goal_its_kinds(tmp_path: Path) -> None:
    assert "no task parameter 'densty'. Did you mean 'density'?" in refuse(tmp_path, *FLY, "--param", "densty=0.2")
    assert "unknown goal 'hoover'. Did you mean 'hover'?" in refuse(tmp_path, *FLY, "--param", "goal=hoover")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("encoder=transformer", "encoder='transformer' of the trainer swarm must be one of mlp, deep_set, attention."),
        (
            "contact_weight=nan",
            "contact_weight=nan of the trainer swarm is out of range: it must lie between 0 and 100.",
        ),
        ("replay=2", "replay=2.0 of the trainer swarm is out of range"),
        ("replays=0", "unknown setting 'replays' of the trainer swarm. Did you mean 'replay'?"),
    ],
)
def test_a_bad_trainer_setting_is_one_clear_line(tmp_path: Path, given: str, part: str) -> None:
    assert part in refuse(tmp_path, *FLY, "--set", given)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('base = "crazyflie-l2f"\nmass_kg = -0.02', "mass_kg = -0.02 is refused: Input should be greater than 0."),
        ('base = "crazyflie-l2f"\nmass_kg = nan', "mass_kg = nan is refused: Input should be greater than 0."),
        (
            "inertia_kg_m2 = [1e-5, 0.0, 1e-5]",
            "inertia_kg_m2 = (1e-05, 0.0, 1e-05) must be positive in all three axes.",
        ),
        ("mass_kg = 0.5", "thrust-to-weight 0.11 cannot fly; it must be above 1."),
        ("wings = 2", "wings = 2 is refused: Extra inputs are not permitted."),
    ],
)
def test_a_bad_airframe_is_one_clear_line(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    done = CliRunner().invoke(app, ["env", "quadrotor", "airframes", "--check", str(file)])
    assert done.exception is not None
    assert explain(done.exception) == (f"mine.toml: airframe: {line}", 2)


def test_an_unknown_base_and_a_file_that_is_no_toml_are_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    for text, part in (('base = "crazyfly"', "unknown airframe 'crazyfly'"), ("mass_kg = ", "is not valid TOML")):
        file.write_text(text)
        done = CliRunner().invoke(app, ["env", "quadrotor", "airframes", "--check", str(file)])
        assert done.exception is not None and part in explain(done.exception)[0]


def test_a_good_airframe_shows_what_follows_from_its_numbers(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "crazyflie-swarm"\nname = "heavy"\nmass_kg = 0.034\nsource = "a kitchen scale"')
    done = CliRunner().invoke(app, ["env", "quadrotor", "airframes", "--check", str(file), "--json"])
    (facts,) = json.loads(done.output)["airframes"]
    # 4 x 0.1305 N over 0.034 x 9.81 N; rotors hover at the root of the inverse
    assert facts["name"] == "heavy" and facts["thrust_to_weight"] == pytest.approx(1.56502, abs=1e-5)
    assert facts["hover_rotor_speed"] == pytest.approx(0.79936, abs=1e-5)
    listed = json.loads(CliRunner().invoke(app, ["env", "quadrotor", "airframes", "--json"]).output)["airframes"]
    assert [one["number"] for one in listed] == [0, 1, 2]
    assert all(one["source"] for one in listed)


def test_names_stand_for_numbers() -> None:
    from envs.catalog import get_family

    task = get_family("quadrotor").resolve_task(
        {"airframe": "Crazyflie-L2F", "goal": "figure-eight", "action_mode": "rotor_speed"}
    )
    assert (task.params["airframe"], task.params["goal"], task.params["action_mode"]) == (1, 6, 1)


def test_the_command_itself_says_one_line_and_fails(command_line: CommandLine) -> None:
    done = command_line.run(*FLY, "--param", "density=1.5")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == ["error: quadrotor: density = 1.5 is not a number from 0 to 0.8."]


def test_words_and_parameters_that_do_not_go_together_are_one_line(command_line: CommandLine) -> None:
    """Each is fine alone; together they ask for more drones than the room holds (3 x 3 cells on 2 levels)."""
    words = ("run", "fly 100 drones", "--env", "quadrotor", "--param", "room=3", "--model", "none", "--budget", "20s")
    done = command_line.run(*words)
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: quadrotor: 100 drones do not fit in a room of 3 m at density 0, which holds 18;")
