"""The check of whole reward programs, of every kind, and its isolation."""

from __future__ import annotations

import pytest
from toy_card import make_card

from experimenter.errors import SandboxError
from experimenter.records import RewardKind, RewardProgram
from experimenter.sandbox import check as check_module
from experimenter.sandbox.check import CheckReport, check_code, check_program, check_programs
from experimenter.sandbox.confine import Level, describe_confinement
from experimenter.sandbox.load import load_code

CODE = (
    "def compute_reward(state, action, next_state):\n    return next_state['velocity'], {'v': next_state['velocity']}\n"
)
SPECIFICATION = '{"terms":[{"variable":"velocity","direction":"reward","weight":1.0}]}'


def make_program(kind: RewardKind = RewardKind.CODE, source: str = CODE) -> RewardProgram:
    return RewardProgram(kind=kind, source=source)


def test_all_kinds_in_one_call() -> None:
    programs = [
        make_program(RewardKind.NATIVE, ""),
        make_program(RewardKind.SPECIFICATION, SPECIFICATION),
        make_program(),
        make_program(RewardKind.SPECIFICATION, SPECIFICATION.replace("velocity", "veloity")),
        make_program(source="import os\n" + CODE),
        make_program(RewardKind.FITNESS, ""),
    ]
    reports = check_programs(programs, make_card())
    assert [report.ok for report in reports] == [True, True, True, False, False, True]
    assert reports[1].terms == ("velocity_linear",)
    assert reports[2].terms == ("v",)
    assert "Did you mean 'velocity'?" in reports[3].reason
    assert "import of 'os'" in reports[4].reason
    assert reports[2].seconds > 0


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{", "not a valid reward specification"),
        ('{"terms":[]}', "terms"),
        (SPECIFICATION.replace("1.0", "-1.0"), "terms.0.weight"),
        (SPECIFICATION.replace('"weight"', '"index":0,"weight"'), "has no component 0"),
        (SPECIFICATION.replace('"velocity"', '"joints","index":3'), "0 to 2"),
        (SPECIFICATION.replace('"velocity"', '"action","shape":"progress"'), "progress needs a state variable"),
        (SPECIFICATION.replace('"velocity"', '"landed","shape":"indicator","target":5'), "must depend on the state"),
        (SPECIFICATION.replace('"weight"', '"gate":{"variable":"x","side":"above","threshold":0},"weight"'), "gate"),
    ],
)
def test_bad_specifications_are_refused(source: str, says: str) -> None:
    report = check_program(make_program(RewardKind.SPECIFICATION, source), make_card())
    assert not report.ok
    assert says in report.reason


def test_no_programs_start_no_process() -> None:
    assert check_programs([], make_card()) == []


def test_a_program_without_a_report_gets_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's answer is cut after the first line, as if the second program had killed the whole process."""
    calls: list[int] = []
    honest = check_module._run_worker

    def cut(sources: list[str], *rest: object) -> dict[int, CheckReport]:
        calls.append(len(sources))
        found = honest(sources, *rest)  # type: ignore[arg-type]  # passed through unchanged
        return {0: found[0]} if len(sources) > 1 else found

    monkeypatch.setattr(check_module, "_run_worker", cut)
    reports = check_code([CODE, CODE.replace("'v'", "'w'")], make_card())
    assert [report.terms for report in reports] == [("v",), ("w",)]
    assert calls == [2, 1]


def test_the_check_works_at_the_weaker_level_too() -> None:
    bomb = "def compute_reward(state, action, next_state):\n    n = 10**9\n    x = [0.0] * n\n    return x, {}\n"
    reports = check_code([bomb, CODE], make_card(), level=Level.LANDLOCK)
    assert [report.ok for report in reports] == [False, True]
    assert "memory" in reports[0].reason


def test_code_does_not_run_outside_a_confined_process() -> None:
    with pytest.raises(SandboxError, match="confined process"):
        load_code(CODE, make_card())
    assert callable(load_code(CODE, make_card(), allow_unconfined=True))


def test_without_confinement_it_refuses() -> None:
    assert describe_confinement().level is not Level.NONE
    with pytest.raises(SandboxError, match="cannot confine"):
        check_code([CODE], make_card(), level=Level.NONE)
    assert check_code([CODE], make_card(), level=Level.NONE, allow_unconfined=True)[0].ok
