"""The scripted model: a fake that is product code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from llm_helpers import ASK, GOOD, Way, make_engine

from experimenter.errors import ModelUnavailable, UsageError
from experimenter.llm.choose import resolve_model
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.messages import Answer, Failed
from experimenter.llm.scripted import Scripted, scripted_choice
from experimenter.records import Budget


def make_scripted(folder: Path, model: Scripted, session_id: str = "s1") -> Gateway:
    return open_gateway(
        make_engine(folder),
        session_id=session_id,
        choice=scripted_choice(),
        budget=Budget(),
        home=folder,
        provider=model,
    )


def write_script(folder: Path, *lines: object) -> Path:
    path = folder / "script.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def test_a_list_is_taken_in_order(tmp_path: Path) -> None:
    model = Scripted([GOOD, {"way": "right", "steps": 1}, Way(way="left", steps=5), "bad", "worse"])
    gateway = make_scripted(tmp_path, model)
    answers = gateway.ask("goal", ASK, Way, step="1", n=3)
    assert [a.value.steps for a in answers if isinstance(a, Answer)] == [3, 1, 5]
    (failed,) = gateway.ask("goal", ASK, Way, step="2")
    assert isinstance(failed, Failed) and failed.text == "worse"
    with pytest.raises(ModelUnavailable, match="the script has 5 answer"):
        gateway.ask("goal", ASK, Way, step="3")
    assert gateway.model == "scripted/script"
    assert [request.n for request in model.requests] == [3, 1, 1, 1]


def test_a_function_sees_the_request(tmp_path: Path) -> None:
    gateway = make_scripted(tmp_path, Scripted(lambda request: {"way": "left", "steps": len(request.messages)}))
    assert gateway.ask_one("goal", ASK, Way, step="1").value.steps == 2


def test_a_file_goes_on_where_the_session_was(tmp_path: Path) -> None:
    first, second = {"way": "left", "steps": 1}, {"way": "right", "steps": 2}
    path = write_script(
        tmp_path,
        {"role": "goal", "answer": first},
        {"role": "judge", "answer": "x"},
        {"role": "goal", "answer": second},
    )
    choice = resolve_model(f"scripted/{path}", environment={}, home=tmp_path)

    def open_it() -> Gateway:
        return open_gateway(make_engine(tmp_path), session_id="s1", choice=choice, budget=Budget(), home=tmp_path)

    assert open_it().ask_one("goal", ASK, Way, step="1").value.steps == 1
    assert open_it().ask_one("goal", ASK, Way, step="1").value.steps == 1  # from the ledger
    assert open_it().ask_one("goal", ASK, Way, step="2").value.steps == 2
    assert "scripted" in open_it().model


def test_a_file_may_say_what_the_model_can_do(tmp_path: Path) -> None:
    path = write_script(tmp_path, {"capabilities": {"code": False, "vision": False}})
    assert not Scripted.from_file(path).capabilities.writes_code
    assert Scripted.from_file(path).capabilities.schema


def test_a_broken_file_names_its_line(tmp_path: Path) -> None:
    path = write_script(tmp_path, {"role": "goal", "answer": "x"}, {"role": "goal"})
    with pytest.raises(UsageError, match="line 2: expected"):
        Scripted.from_file(path)
    with pytest.raises(UsageError, match="cannot read the script"):
        Scripted.from_file(tmp_path / "none.jsonl")
