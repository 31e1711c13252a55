"""What a model can do is found by asking it: a strong server, a weak one, a dead one; and reward code worked out by hand."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_server import Behaviour, Body, FakeServer, decide, refuse, say
from llm_helpers import ASK, GOOD, Waits, Way, make_choice, make_engine, read_calls, store_capabilities
from PIL import Image
from sqlmodel import Session, select

from experimenter.errors import ModelRefused, ModelUnavailable
from experimenter.llm.arithmetic import NotStraight, work_out
from experimenter.llm.gateway import Gateway, open_gateway
from experimenter.llm.probes import draw_shape, is_right_reward
from experimenter.llm.retries import RetryPolicy
from experimenter.records import Budget
from memory.tables import CapabilityRow

RIGHT = '''import numpy as np

def compute_reward(state, action, next_state):
    """Drive at 2 m/s, upright, with little torque."""
    speed = -np.abs(next_state["speed"] - 2.0)
    tilt = -1.5 * np.square(next_state["tilt"])
    effort = -0.1 * np.sum(action ** 2, axis=1)
    terms = {"speed": speed, "tilt": tilt, "effort": effort}
    reward = speed + tilt
    reward += effort
    return reward, terms
'''


def open_fresh(folder: Path, server: FakeServer | str) -> Gateway:
    """A gateway whose model has not been probed."""
    retries = RetryPolicy(sleep=Waits(), tries=2)
    return open_gateway(
        make_engine(folder), session_id="s1", choice=make_choice(server), budget=Budget(), home=folder, retries=retries
    )


def name_colour(url: str) -> str:
    """Look at the middle of the picture, as a model that sees would."""
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    red, green, blue = image.getpixel((48, 48))  # type: ignore[misc]
    return "blue" if blue > red else "red" if red > green else "green"


def answer_strongly(body: Body) -> Behaviour:
    content = body["messages"][-1]["content"]
    if isinstance(content, list):
        return say(f"It is {name_colour(content[1]['image_url']['url'])}.")
    if "compute_reward" in content:
        return say(json.dumps({"code": RIGHT}))
    if "response_format" in body:
        return say('{"colour": "red", "wheels": 2, "owner": "me"}')
    if body.get("logprobs"):
        return say("bad", logprobs={"bad": -0.1, "good": -2.5})
    return say("blue", "red")


def answer_weakly(body: Body) -> Behaviour:
    if isinstance(body["messages"][-1]["content"], list):
        return refuse(400, "this model takes text only")
    for name in ("response_format", "n", "logprobs", "top_logprobs"):
        if name in body:
            return refuse(400, f"unknown parameter '{name}'", param=name)
    return say("I would be glad to help with that!")


def test_a_strong_model_is_found_strong_and_asked_once(tmp_path: Path) -> None:
    with FakeServer(models=({"id": "fake-1", "max_model_len": 32768},)) as server:
        server.default = decide(answer_strongly)
        able = open_fresh(tmp_path, server).capabilities
        calls = server.calls
        again = open_fresh(tmp_path, server).capabilities
        assert server.calls == calls == 7  # code twice, schema, two pictures, n, logprobs
    assert able == again
    assert (
        able.writes_code and able.schema and able.vision and able.n and able.logprobs and able.context_tokens == 32768
    )
    assert {row.role for row in read_calls(tmp_path)} == {"probe"}


def test_a_weak_model_is_found_weak(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.default = decide(answer_weakly)
        able = open_fresh(tmp_path, server).capabilities
    assert not (able.writes_code or able.schema or able.vision or able.n or able.logprobs)
    assert able.images_note == "openai/fake-1 cannot see: images were left out"


def test_a_refusal_by_an_earlier_test_is_not_believed(tmp_path: Path) -> None:
    with FakeServer() as server:
        server.default = decide(answer_strongly)
        engine, choice = make_engine(tmp_path), make_choice(server)
        store_capabilities(engine, choice, code=False)
        assert not open_fresh(tmp_path, server).capabilities.writes_code and server.calls == 0
        with Session(engine) as session:
            row = session.exec(select(CapabilityRow)).one()
            row.payload = {name: value for name, value in row.payload.items() if name != "form"}
            session.add(row)
            session.commit()
        assert open_fresh(tmp_path, server).capabilities.writes_code and server.calls == 7


def test_a_blind_model_that_guesses_is_found_blind(tmp_path: Path) -> None:
    with FakeServer(say("blue")) as server:
        assert not open_fresh(tmp_path, server).capabilities.vision


def test_a_dead_server_or_a_wrong_key_is_not_taken_for_a_weak_model(tmp_path: Path) -> None:
    with FakeServer(refuse(401)) as server:
        with pytest.raises(ModelRefused, match="check EXPERIMENTER_API_KEY"):
            open_fresh(tmp_path, server).ask("goal", ASK, Way, step="1")
        server.plan.append(refuse(500))
        with pytest.raises(ModelUnavailable):
            open_fresh(tmp_path, server).ask("goal", ASK, Way, step="1")
        server.default = decide(
            lambda body: say(GOOD) if "Which way?" in str(body["messages"]) else answer_strongly(body)
        )
        assert open_fresh(tmp_path, server).ask_one("goal", ASK, Way, step="1").value.way == "left"


def test_the_picture_shows_its_colour() -> None:
    for name, colour in (("blue", "#2040d6"), ("red", "#d62020")):
        assert name_colour("x," + base64.b64encode(draw_shape(colour)).decode()) == name


def test_right_code_is_right() -> None:
    assert is_right_reward(RIGHT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('-np.abs(next_state["speed"] - 2.0)', 'np.abs(next_state["speed"] - 2.0)'),  # wrong sign
        ("-1.5 *", "1.5 *"),
        ("-0.1 *", "0.0 *"),  # torque is free
        ("axis=1", "axis=0"),  # wrong axis
        ("reward += effort", "reward = reward.mean()"),  # not batched
        ("reward += effort", "reward += 1.0"),  # terms do not add up
        ('next_state["tilt"]', 'next_state["angle"]'),  # not in the state
        ("(state, action, next_state)", "(obs, action)"),
        ("return reward, terms", "return reward"),
        ("import numpy as np", "import os"),
    ],
)
def test_wrong_code_is_wrong(old: str, new: str) -> None:
    assert is_right_reward(RIGHT)
    assert old in RIGHT
    code = RIGHT.replace(old, new)
    assert is_right_reward(code) == (old == "import numpy as np")  # what stands outside the function is never run


def test_right_code_in_other_words_is_right() -> None:
    """Ways in which strong models really write it: dtypes, `astype`, a sum over the terms, the last axis."""
    assert is_right_reward("""
def compute_reward(state, action, next_state):
    speed = np.asarray(next_state["speed"], dtype=float)
    tilt = next_state["tilt"].astype(np.float64)
    leaning = (np.abs(tilt) > 0.5).astype(float)
    terms = {
        "speed": np.exp(-np.square(speed - 2.0)) * (1.0 - leaning),
        "upright": -0.5 * np.abs(tilt),
        "torque": -0.05 * np.sum(np.square(np.asarray(action, dtype=np.float32)), axis=-1),
    }
    reward = sum(terms.values())
    return reward, terms
""")


@pytest.mark.parametrize(
    "body",
    [
        "    while True: pass",
        "    return __import__('os').system('true')",
        "    return a.__class__",
        "    return np.load('x')",
        "    return [0] * 10**9",
        "    return 9 ** 9 ** 9 ** 9",
        "    return 'x' * 99999999",
        "    return (lambda: 1)()",
        "    return [b for b in a]",
        "    exec('1')",
        "    a.fill(3)\n    return a",
        "    return np.fromfile('x')",
        "    return f'{a}'",
        "    return b",
        "    pass",
        "    return a.astype('O').sum(",
        "    return float.__subclasses__()",
        "    return float + 1",
        "    return int('9' * 5)",
    ],
)
def test_nothing_but_arithmetic_is_worked_out(body: str) -> None:
    with pytest.raises(NotStraight):
        work_out(f"def f(a):\n{body}\n", "f", {"a": np.zeros(2)})


def test_arithmetic_by_hand() -> None:
    source = """
def f(a, b):
    x, y = a[:, 0], a[..., 1] if False else a[:, 1]
    return x
"""
    with pytest.raises(NotStraight):
        work_out(source, "f", {"a": np.ones((2, 2)), "b": 1})
    simple = "def f(a):\n    x: float = a['p'][:, 1]\n    return np.where((x > 2) & (x < 5), -x, np.clip(x, 0, 1)).sum(), x.shape\n"
    result: Any = work_out(simple, "f", {"a": {"p": np.array([[0.0, 3.0], [0.0, 7.0]])}})
    assert result == (-2.0, (2,))  # -3 + clip(7) = -3 + 1
