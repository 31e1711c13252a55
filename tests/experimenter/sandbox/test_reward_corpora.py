"""Two corpora of reward programs: every hostile one is refused or contained, every benign one is accepted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from toy_card import make_card

from experimenter.errors import ProgramRefused
from experimenter.sandbox.check import CheckLimits, CheckReport, check_code
from experimenter.sandbox.screen import screen

DATA = Path(__file__).parents[2] / "data"
HOSTILE = sorted((DATA / "hostile").glob("*.py"))
BENIGN = sorted((DATA / "benign").glob("*.py"))
LIMITS = CheckLimits(memory_bytes=384 * 1024**2, cpu_s=1, wall_s=15.0)


def read_note(path: Path, note: str) -> str:
    """The value of a `# note: value` line at the top of a corpus file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"# {note}:"))


REFUSED = [path for path in HOSTILE if read_note(path, "expect") == "refused"]
CONTAINED = [path for path in HOSTILE if read_note(path, "expect") == "contained"]


@pytest.fixture(scope="module")
def contained_reports() -> dict[str, CheckReport]:
    """Check all contained programs in one process start, a benign one after each."""
    good = (DATA / "benign" / "plain.py").read_text(encoding="utf-8")
    sources = [text for path in CONTAINED for text in (path.read_text(encoding="utf-8"), good)]
    reports = check_code(sources, make_card(), LIMITS)
    names = [name for path in CONTAINED for name in (path.stem, f"after {path.stem}")]
    return dict(zip(names, reports, strict=True))


def test_the_corpora_are_as_large_as_promised() -> None:
    assert len(HOSTILE) >= 60
    assert len(BENIGN) >= 15
    assert len(REFUSED) + len(CONTAINED) == len(HOSTILE)


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_screen_refuses(path: Path) -> None:
    with pytest.raises(ProgramRefused) as refusal:
        screen(path.read_text(encoding="utf-8"), make_card())
    assert any(says in str(refusal.value) for says in read_note(path, "says").split("|"))


@pytest.mark.parametrize("path", CONTAINED, ids=lambda path: path.stem)
def test_confined_check_contains(path: Path, contained_reports: dict[str, CheckReport]) -> None:
    screen(path.read_text(encoding="utf-8"), make_card())
    report = contained_reports[path.stem]
    assert not report.ok
    assert any(says in report.reason for says in read_note(path, "says").split("|")), report.reason
    assert contained_reports[f"after {path.stem}"].ok


def test_screen_accepts_what_models_write() -> None:
    for path in BENIGN:
        screen(path.read_text(encoding="utf-8"), make_card())


def test_check_accepts_what_models_write() -> None:
    reports = check_code([path.read_text(encoding="utf-8") for path in BENIGN], make_card())
    assert [report.reason for report in reports] == [""] * len(BENIGN)
    by_name = dict(zip([path.stem for path in BENIGN], reports, strict=True))
    assert by_name["plain"].terms == ("speed", "effort")
    assert by_name["loop_over_components"].terms == ("joint_0", "joint_1", "joint_2", "velocity", "position")


def test_screen_names_the_nearest_variable() -> None:
    source = "def compute_reward(state, action, next_state):\n    return next_state['velocty'], {}\n"
    with pytest.raises(
        ProgramRefused, match=r"line 2: next_state has no variable 'velocty'. Did you mean 'velocity'\?"
    ):
        screen(source, make_card())
    renamed = dataclasses.replace(make_card(), state=())
    with pytest.raises(ProgramRefused, match="no variable"):
        screen(source.replace("velocty", "velocity"), renamed)
