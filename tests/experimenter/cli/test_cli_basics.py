"""The command line itself: help for every command, examples, no heavy imports, errors as one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from experimenter.cli.main import app
from tests.experimenter.conftest import CommandLine

HEAVY = ("torch", "langgraph", "litellm", "openai", "gymnasium", "stable_baselines3", "matplotlib")


def _commands() -> Iterator[tuple[str, ...]]:
    def walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield path
            return
        for name, child in below.items():
            yield from walk(child, (*path, name))

    yield from walk(get_command(app), ())


@pytest.mark.parametrize("path", list(_commands()), ids=" ".join)
def test_every_command_has_help_and_an_example(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0
    assert "experimenter " + " ".join(path) in " ".join(done.output.split()) or "list" in path


@pytest.mark.parametrize("words", [["--help"], ["skill", "search", "walk", "--home", "{home}"]])
def test_light_commands_import_nothing_heavy(words: list[str], tmp_path: object) -> None:
    shown = [word.format(home=tmp_path) for word in words]
    code = (
        f"import sys\nsys.argv = ['experimenter', *{shown!r}]\n"
        "from experimenter.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []"), done.stdout[-300:]


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (["run", "walk", "--env", "walkr"], 2, ["walkr", "walker"]),
        (["run", "walk", "--env", "gym:CartPol-v1"], 2, ["CartPole-v1"]),
        (["run", "walk", "--env", "walker", "--param", "stump_height=99"], 2, ["stump_height", "3"]),
        (["run", "walk", "--env", "walker", "--param", "stumps=1"], 2, ["stumps", "stump"]),
        (["run", "   "], 2, ["empty"]),
        (["run", "walk", "--budget", "soon"], 2, ["soon", "20m"]),
        (["run", "walk", "--env", "walker", "--trainer", "pppo"], 2, ["pppo", "ppo"]),
        (["run", "walk", "--param", "a=1"], 2, ["--env"]),
        (["session", "show", "nothing"], 4, ["nothing"]),
        (["session", "resume", "nothing"], 4, ["nothing"]),
        (["skill", "show", "nothing"], 8, ["nothing"]),
        (["env", "show", "walkr"], 2, ["walker"]),
        (["report"], 2, ["no session"]),
    ],
)
def test_bad_input_is_one_clear_line(command_line: CommandLine, words: list[str], code: int, parts: list[str]) -> None:
    done = command_line.run(*words)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert all(part in lines[0] for part in parts), lines[0]
