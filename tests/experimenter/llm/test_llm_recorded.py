"""Recorded answers: what a session was told can be said again by anyone, without a key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llm_helpers import ASK, Way, make_engine

from experimenter.errors import ModelUnavailable, UsageError
from experimenter.llm.choose import resolve_model
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.messages import Capabilities, Failed, Message
from experimenter.llm.recorded import FORMAT, AnswerLog, Recorded, RecordedAnswer, read_answers
from experimenter.llm.scripted import Scripted, scripted_choice
from experimenter.records import Budget

ABLE = Capabilities(code=True, schema=True, n=True, context_tokens=50_000)


def way(name: str, steps: int) -> str:
    return json.dumps({"way": name, "steps": steps})


def open_scripted(folder: Path, *script: str, session_id: str = "s1") -> Gateway:
    return open_gateway(
        make_engine(folder),
        session_id=session_id,
        choice=scripted_choice(),
        budget=Budget(),
        home=folder,
        provider=Scripted(script, capabilities=ABLE),
    )


def open_recorded(folder: Path, name: str, session_id: str = "s1") -> Gateway:
    choice = resolve_model(f"answers/{name}", environment={}, home=folder)
    return open_gateway(make_engine(folder), session_id=session_id, choice=choice, budget=Budget(), home=folder)


def record(folder: Path, *script: str, scope: str = "") -> Path:
    """Record a question of three samples at step `a`, the second of them repaired, and one at step `b`."""
    path = folder / "answers.jsonl"
    gateway = open_scripted(folder, *script, session_id=f"recorded-{scope}")
    gateway.record(AnswerLog(path, scope))
    gateway.ask("writer", ASK, Way, step="a", n=3)
    gateway.ask("writer", ASK, Way, step="b")
    return path


SCRIPT = (way("left", 1), "broken", way("left", 3), way("right", 2), way("right", 4))


def steps_of(answers: object) -> list[int]:
    return [answer.value.steps for answer in answers]  # type: ignore[attr-defined]  # every answer is usable here


def test_a_recording_says_the_same_again_repairs_included(tmp_path: Path) -> None:
    path = record(tmp_path, *SCRIPT)
    (tmp_path / "new").mkdir()
    gateway = open_recorded(tmp_path / "new", str(path))
    answers = gateway.ask("writer", ASK, Way, step="a", n=3)
    assert steps_of(answers) == [1, 2, 3]  # the repair of the second sample came fourth
    assert not isinstance(answers[1], Failed) and answers[1].repaired
    assert steps_of(gateway.ask("writer", ASK, Way, step="b")) == [4]
    assert gateway.capabilities.context_tokens == 50_000
    assert gateway.spent().tokens > 0 and gateway.spent().money_usd == 0.0


def test_a_prompt_that_quotes_other_numbers_is_answered_by_its_step(tmp_path: Path) -> None:
    path = record(tmp_path, *SCRIPT)
    (tmp_path / "new").mkdir()
    gateway = open_recorded(tmp_path / "new", str(path))
    other = (Message("user", "Fitness was 0.73 here. Which way?"),)
    assert steps_of(gateway.ask("writer", other, Way, step="b")) == [4]


def test_a_step_of_another_name_is_answered_in_turn_until_the_recording_ends(tmp_path: Path) -> None:
    path = tmp_path / "turns.jsonl"
    log = AnswerLog(path)
    for number in (1, 2):
        log.write(
            RecordedAnswer(role="writer", step=f"s{number}", answer=way("left", number)), model="m", capabilities=ABLE
        )
    (tmp_path / "new").mkdir()
    gateway = open_recorded(tmp_path / "new", str(path))
    other = [(Message("user", f"question {number}"),) for number in range(3)]
    assert steps_of(gateway.ask("writer", other[0], Way, step="x")) == [1]
    assert steps_of(open_recorded(tmp_path / "new", str(path)).ask("writer", other[1], Way, step="y")) == [2]
    with pytest.raises(ModelUnavailable, match=r"holds 2 answer\(s\) of writer; number 3"):
        gateway.ask("writer", other[2], Way, step="z")


def test_scopes_are_kept_apart_in_one_file(tmp_path: Path) -> None:
    record(tmp_path, *SCRIPT, scope="first")
    path = record(tmp_path, way("right", 5), way("right", 5), way("right", 5), way("left", 2), scope="second")
    (tmp_path / "new").mkdir()
    assert steps_of(open_recorded(tmp_path / "new", f"{path}#second").ask("writer", ASK, Way, step="b")) == [2]
    with pytest.raises(UsageError, match="no answers for 'third'; it has: first, second"):
        Recorded.from_file(f"{path}#third")


def test_what_the_ledger_answers_after_a_kill_is_recorded_once(tmp_path: Path) -> None:
    path = record(tmp_path, *SCRIPT)
    before = path.read_text()
    again = open_scripted(tmp_path, session_id="recorded-")  # no script left: the ledger must answer
    again.record(AnswerLog(path))
    assert steps_of(again.ask("writer", ASK, Way, step="a", n=3)) == [1, 2, 3]
    assert path.read_text() == before
    path.unlink()  # lost with the process that was killed: resuming writes it anew
    again.record(AnswerLog(path))
    again.ask("writer", ASK, Way, step="a", n=3)
    assert len(read_answers(path)[2]) == 4


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "is empty"),
        (['{"format": "other", "model": "m", "capabilities": {}}'], "line 1: expected"),
        ([json.dumps({"format": FORMAT, "model": "m", "capabilities": {"flies": True}})], "line 1: expected"),
        ([json.dumps({"format": FORMAT, "model": "m", "capabilities": {}}), '{"role": "goal"}'], "line 2: step"),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, lines: list[str], told: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(UsageError, match=told):
        Recorded.from_file(str(path))
    with pytest.raises(UsageError, match="cannot read the recorded answers"):
        Recorded.from_file(str(tmp_path / "none.jsonl"))
