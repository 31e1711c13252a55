"""The configuration: budgets in words, merging, clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from experimenter.config import SessionConfig, parse_budget, resolve_database, resolve_home
from experimenter.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20m", {"wall_s": 1200.0}),
        ("1h30m", {"wall_s": 5400.0}),
        ("2d", {"wall_s": 172_800.0}),
        ("90s", {"wall_s": 90.0}),
        ("2M steps", {"env_steps": 2_000_000}),
        ("500 calls, 100k tokens", {"calls": 500, "tokens": 100_000}),
        ("20m, $2.50", {"wall_s": 1200.0, "money_usd": 2.5}),
    ],
)
def test_budget_in_words(text: str, expected: dict[str, float]) -> None:
    assert parse_budget(text).model_dump(exclude_none=True) == expected


@pytest.mark.parametrize("text", ["", "soon", "20", "-5m", "3 apples", "$", "1s", "0 steps", "20m 5"])
def test_unreadable_or_tiny_budgets_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_budget(text)
    assert "\n" not in str(error.value)
    assert "20m" in str(error.value)


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    file.write_text('budget = "5m"\ncandidates = 4\n[params]\nstump_height = 0.5\n')
    config = SessionConfig.resolve({"candidates": 2, "seed": None}, file)
    assert (config.candidates, config.seed, config.budget.wall_s) == (2, 0, 300.0)
    assert config.params == {"stump_height": 0.5}


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ({"candidates": -1}, "candidates"),
        ({"min_success_rate": 1.5}, "min_success_rate"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_values_name_the_setting(flags: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        SessionConfig.resolve(flags)


def test_a_broken_file_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    file.write_text("budget = [")
    with pytest.raises(UsageError, match="not valid TOML"):
        SessionConfig.resolve({}, file)
    with pytest.raises(UsageError, match="cannot read"):
        SessionConfig.resolve({}, tmp_path / "missing.toml")


def test_home_and_database_come_from_the_environment(tmp_path: Path) -> None:
    assert resolve_home(None, {"EXPERIMENTER_HOME": str(tmp_path)}) == tmp_path
    assert resolve_home(tmp_path / "a", {"EXPERIMENTER_HOME": "/elsewhere"}) == tmp_path / "a"
    assert resolve_database(tmp_path, {}) == str(tmp_path / "experimenter.db")
    assert resolve_database(tmp_path, {"EXPERIMENTER_DATABASE": "postgresql://u@h/d"}) == "postgresql://u@h/d"
