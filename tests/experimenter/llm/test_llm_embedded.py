"""The embedded path with a real, very small model: grammar, seeds, scores, crashes, the parent's death. Its answers are noise; their form is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
import pytest
from llm_helpers import make_engine, read_calls
from pydantic import BaseModel, Field

from experimenter.errors import ModelRefused, ModelUnavailable
from experimenter.llm.choose import resolve_model
from experimenter.llm.embedded import Embedded
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.messages import Answer, Message, Request
from experimenter.llm.models import CATALOG, fetch_model
from experimenter.records import Budget, Spent

NAME = "smollm2-135m"
SYSTEM = Message("system", "You choose reward terms for robots.")
USER = Message("user", "The robot shall walk forward without falling.")
BRIEF = Request(role="test", messages=(USER,), max_tokens=4)


class Term(BaseModel):
    variable: Literal["vel_x", "tilt", "fell"]
    sign: Literal["reward", "penalise"]
    weight: float = Field(gt=0, le=10)


class Terms(BaseModel):
    why: str = Field(max_length=10)
    terms: list[Term] = Field(min_length=1, max_length=2)


class Verdict(BaseModel):
    state: Literal["converged", "stuck"]
    sure: bool
    rounds: int = Field(ge=1, le=40)
    slope: float = Field(ge=-1, le=1)
    next_task: str | None = Field(default=None, max_length=10)


class Parameters(BaseModel):
    settings: dict[Literal["height", "gap"], float] = Field(max_length=2)
    span: tuple[int, int]
    mode: int | Literal["auto"]


@pytest.fixture(scope="module")
def model(model_home: Path) -> Iterator[Embedded]:
    embedded = Embedded(NAME, model_home)
    yield embedded
    embedded.close()


def make_request(
    *, schema: type[BaseModel] = Terms, seed: int = 1, text: str = USER.text, max_tokens: int = 200
) -> Request:
    messages = (SYSTEM, Message("user", text))
    return Request(
        role="test",
        messages=messages,
        schema=schema.model_json_schema(),
        seed=seed,
        temperature=0.9,
        max_tokens=max_tokens,
    )


def is_running(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def wait_for_end(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_running(pid)


@pytest.mark.parametrize("schema", [Terms, Verdict, Parameters])
def test_every_answer_fits_its_schema(model: Embedded, schema: type[BaseModel]) -> None:
    for seed in range(2):
        (reply,) = model.complete(make_request(schema=schema, seed=seed))
        schema.model_validate_json(reply.text)
        assert reply.completion_tokens > 0 and not reply.cut and reply.cost_usd == 0.0


def test_the_same_seed_gives_the_same_text(model: Embedded) -> None:
    texts = [model.complete(make_request(schema=Verdict, seed=seed))[0].text for seed in (7, 8, 7)]
    assert texts[0] == texts[2] != texts[1]


def test_a_prompt_that_does_not_fit_is_refused_before_the_call(model: Embedded) -> None:
    with pytest.raises(
        ModelRefused, match=r"the prompt of test has \d{4} tokens; embedded smollm2-135m takes 4064: shorten it"
    ):
        model.complete(make_request(text="walk " * 4500))


def test_images_are_refused(model: Embedded) -> None:
    with pytest.raises(ModelRefused, match="cannot see images"):
        model.complete(Request(role="judge", messages=(Message("user", "look", (b"PNG",)),)))


def test_the_child_is_passive_and_holds_no_keys(model_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("SERVICE_PASSWORD", "hush")
    child = Embedded(NAME, model_home)
    assert child.pid is None  # nothing starts before the first question
    child.complete(BRIEF)
    assert child.pid is not None
    environment = Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0")
    assert b"OMP_WAIT_POLICY=PASSIVE" in environment and b"GOMP_SPINCOUNT=0" in environment
    assert not [entry for entry in environment if b"sk-very-secret" in entry or b"hush" in entry]
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    pid = child.pid
    child.close()
    assert wait_for_end(pid)


def test_a_child_that_was_killed_is_started_again(model_home: Path) -> None:
    child = Embedded(NAME, model_home)
    before = child.complete(BRIEF)[0].text
    assert child.pid is not None
    first = child.pid
    os.kill(first, signal.SIGKILL)
    assert child.complete(BRIEF)[0].text == before
    assert child.pid not in (None, first)
    child.close()


def test_a_child_that_crashes_twice_on_one_call_is_unavailable(model_home: Path) -> None:
    child, over = Embedded(NAME, model_home), threading.Event()

    def keep_killing() -> None:
        while not over.wait(0.05):
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)

    killer = threading.Thread(target=keep_killing)
    killer.start()
    try:
        with pytest.raises(ModelUnavailable, match=r"smollm2-135m (crashed twice on one call|did not start)"):
            child.complete(Request(role="test", messages=(SYSTEM, USER), max_tokens=2000))
    finally:
        over.set()
        killer.join()
        child.close()


def test_damaged_weights_are_one_clear_line(tmp_path: Path) -> None:
    path = CATALOG[NAME].path(tmp_path)
    path.parent.mkdir()
    with path.open("wb") as handle:
        handle.truncate(CATALOG[NAME].size)
    with pytest.raises(ModelUnavailable, match="embedded smollm2-135m did not start: "):
        Embedded(NAME, tmp_path).complete(make_request())


def test_the_child_dies_with_its_parent(model_home: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from experimenter.llm.embedded import Embedded;"
        "from experimenter.llm.messages import Message, Request;"
        "e = Embedded(sys.argv[1], Path(sys.argv[2]));"
        "e.complete(Request(role='t', messages=(Message('user', 'hi'),), max_tokens=2)); print(e.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, NAME, str(model_home)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.communicate()
    assert wait_for_end(pid)


def open_embedded(folder: Path, home: Path, name: str = NAME, provider: Embedded | None = None) -> Gateway:
    choice = resolve_model(f"embedded/{name}", environment={}, home=home)
    return open_gateway(
        make_engine(folder), session_id="s1", choice=choice, budget=Budget(), home=home, provider=provider
    )


def test_the_gateway_asks_and_scores(tmp_path: Path, model_home: Path, model: Embedded) -> None:
    gateway = open_embedded(tmp_path, model_home, provider=model)
    answers = gateway.ask("judge", (SYSTEM, USER), Verdict, step="1", n=2, max_tokens=120)
    scores = gateway.score(
        "sign", (SYSTEM, Message("user", "fell: reward or penalise?")), ("reward", "penalise"), step="2"
    )
    assert all(isinstance(answer, Answer) for answer in answers)
    assert set(scores) == {"reward", "penalise"} and all(value < 0 for value in scores.values())
    assert [row.state for row in read_calls(tmp_path)] == ["ok", "ok", "ok"]
    assert gateway.spent() == Spent(calls=3, tokens=gateway.spent().tokens) and gateway.spent().tokens > 50


@pytest.mark.slow
def test_the_default_model_reads_signs_and_is_what_its_stored_probe_says(tmp_path: Path) -> None:
    named = os.environ.get("EXPERIMENTER_TEST_MODELS")
    home = Path(named) if named else Path.home() / ".cache" / "experimenter-test-models"
    name = "qwen2.5-coder-1.5b"
    fetch_model(name, home=home)
    gateway = open_embedded(tmp_path, home, name)
    shipped = gateway.capabilities
    try:
        assert gateway.probe() == shipped
        assert gateway.ask_one("reward", (SYSTEM, USER), Terms, step="1").value.terms
        margins = {}
        for variable in ("fell (1 when the robot fell)", "vel_x (forward speed)"):
            text = f"A robot shall walk forward without falling. Variable: {variable}. Answer with reward or penalise."
            scores = gateway.score("sign", (SYSTEM, Message("user", text)), ("reward", "penalise"), step=variable)
            margins[variable[:4]] = scores["reward"] - scores["penalise"]
    finally:
        gateway.close()
    assert margins["vel_"] > margins["fell"]
