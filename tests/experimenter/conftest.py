"""Helpers of the end-to-end tests: the real command line in a real process, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "EXPERIMENTER_MODEL",
    "EXPERIMENTER_BASE_URL",
    "EXPERIMENTER_DATABASE",
)


@dataclass(frozen=True)
class CommandLine:
    """Runs `experimenter ...` with one home and an environment without keys."""

    home: Path
    extra: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if name not in KEYS}
        return {**plain, "EXPERIMENTER_HOME": str(self.home), "OMP_NUM_THREADS": "1", **self.extra}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "experimenter.cli.main", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, timeout_s: float = 180.0) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def json(self, *words: str, code: int = 0) -> Any:
        """Run with --json, expect `code`, and parse what was printed."""
        done = self.run(*words, "--json")
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home", {})


@pytest.fixture(scope="session")
def make_command_line(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., CommandLine]:
    return lambda **extra: CommandLine(tmp_path_factory.mktemp("cli") / "home", extra)
