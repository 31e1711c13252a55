"""Tricks below the syntax tree: characters, names, sizes and depths."""

from __future__ import annotations

import pytest
from toy_card import make_card

from experimenter.errors import ProgramRefused
from experimenter.sandbox.screen import screen

GOOD = "def compute_reward(state, action, next_state):\n    return next_state['velocity'], {}\n"


def with_line(line: str) -> str:
    return f"def compute_reward(state, action, next_state):\n    {line}\n    return next_state['velocity'], {{}}\n"


def refusal(source: str) -> str:
    with pytest.raises(ProgramRefused) as caught:
        screen(source, make_card())
    return str(caught.value)


def test_plain_program_passes() -> None:
    screen(GOOD, make_card())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x = ｅｘｅｃ('1')", "'exec'"),  # full-width letters become plain ones in the parser
        ("x = state.__ｃlass__", "'__class__'"),
        ("x = ℯval('1')", "'eval'"),  # script small e
        ("θ = 1", "plain ASCII names"),
        ("x = 1  # \u202e looks like a comment", "U+202E"),
        ("x = 1  # \u200b zero width", "U+200B"),
        ("x = 1 \x0c", "U+000C"),
        ("x = '\x00'", "U+0000"),
        ("x = 'a' 'b' * 2", "formatted or repeated"),
        ("x = 'y' * len(state)", "formatted or repeated"),
        ("x = '%s' % state", "formatted or repeated"),
        ("x **= 1000", "power above"),
        ("x <<= 1000", "shift"),
        ("x = 2 ** -17", "power above"),
        (f"x = {'a' * 65}", "not available"),
        (f"{'a' * 65} = 1", "at most 64 letters"),
        (f"x = '{'a' * 201}'", "more than 200 characters"),
        ("x = (lambda *a: a)", "*args"),
        ("x = np", "can only be used as np."),
        ("x = np.linalg", "only be used as np.linalg.norm"),
        ("x = np.linalg.svd(action)", "only np.linalg.norm"),
        ("x = math.gamma(1)", "math.gamma"),
        ("x = np.normm(1)", "np.normm"),
        ("x = ...", ""),
        ("from math import sqrt", "import from 'math'"),
        ("from . import secrets", "import from"),
        ("print(1)", "'print'"),
    ],
)
def test_line_is_refused(line: str, says: str) -> None:
    if not says:
        screen(with_line(line), make_card())
        return
    message = refusal(with_line(line))
    assert any(part in message for part in says.split("|")), message


def test_refusals_name_the_line() -> None:
    assert refusal(with_line("import os")).startswith("line 2: ")
    assert refusal("def f(:\n").startswith("line 1: not valid Python")


def test_sizes_are_bounded() -> None:
    assert "empty" in refusal("  \n")
    assert "characters" in refusal(GOOD + "#" * 16_001)
    assert "nested" in refusal(with_line("x = " + "(" * 150 + "1" + ")" * 150 + "[0]" * 120))
    assert "nested" in refusal(with_line("x = " + "-" * 500 + "1"))
    assert "too long" in refusal(with_line("x = [" + "1," * 5000 + "]"))


def test_deep_brackets_do_not_crash_the_parser() -> None:
    for opening in ("(" * 5000, "[" * 5000, "-" * 14000, "not " * 3900, "lambda:" * 2000):
        assert refusal(with_line("x = " + opening + "1"))


def test_attribute_chains_are_named_from_the_root() -> None:
    assert "np.random is not available" in refusal(with_line("x = np.random.default_rng(1).normal()"))


def test_hidden_variables_are_not_in_helpers_either() -> None:
    source = "def help(next_state):\n    return next_state['fitness']\n\n\n" + GOOD
    assert "no variable 'fitness'" in refusal(source)
