"""The gateway against a real HTTP server: typed answers, repair, retries, cache, vision, refusals, the key."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, drop, raw, refuse, say, stall
from llm_helpers import (
    ASK,
    GOOD,
    KEY,
    Waits,
    Way,
    make_choice,
    make_engine,
    make_gateway,
    read_calls,
    store_capabilities,
)

from experimenter.errors import AnswerInvalid, ModelRefused, ModelUnavailable, UsageError
from experimenter.llm.choose import ModelChoice, resolve_model
from experimenter.llm.gateway import open_gateway
from experimenter.llm.messages import Answer, Failed, Message
from experimenter.llm.prices import FREE
from experimenter.llm.remote import OpenAICompatible
from experimenter.llm.retries import RetryPolicy
from experimenter.records import Budget


def test_an_answer_is_validated_and_entered(tmp_path: Path) -> None:
    with FakeServer(say(f"Sure!\n```json\n{GOOD}\n```")) as server:
        answer = make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        sent = server.bodies[0]
    assert answer.value == Way(way="left", steps=3)
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cost_usd, answer.cached) == (10, 5, 0.0, False)
    assert sent["messages"] == [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Which way?"},
    ]
    assert sent["response_format"]["json_schema"]["schema"] == Way.model_json_schema()
    (row,) = read_calls(tmp_path)
    assert (row.role, row.state, row.tries, row.attempt, row.model, row.id) == (
        "goal",
        "ok",
        1,
        0,
        "openai/fake-1",
        answer.call_id,
    )
    assert row.messages == [{"role": "system", "text": "You are terse."}, {"role": "user", "text": "Which way?"}]


def test_several_samples_come_in_one_call_where_the_server_can(tmp_path: Path) -> None:
    right = '{"way": "right", "steps": 1}'
    with FakeServer(say(GOOD, right)) as server:
        answers = make_gateway(tmp_path, server).ask("goal", ASK, Way, step="1", n=2)
        assert server.calls == 1
    assert [a.value.way for a in answers if isinstance(a, Answer)] == ["left", "right"]
    assert sum(a.prompt_tokens for a in answers if isinstance(a, Answer)) == 10
    assert len(read_calls(tmp_path)) == 2


def test_several_samples_have_calls_and_seeds_of_their_own_where_it_cannot(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        answers = make_gateway(tmp_path, server, n=False).ask("goal", ASK, Way, step="1", n=3, seed=5)
        seeds = [body["seed"] for body in server.bodies]
    assert len(answers) == 3
    assert sorted(seeds) == [5, 1_000_008, 2_000_011]


def test_a_remote_server_that_knows_no_n_is_asked_side_by_side(tmp_path: Path) -> None:
    together, plain = threading.Barrier(3), say(GOOD)

    def behave(handler: Any, body: Any) -> None:
        together.wait(timeout=20.0)  # nobody is answered before all three have asked
        plain(handler, body)

    with FakeServer(behave) as server:
        answers = make_gateway(tmp_path, server, n=False).ask("goal", ASK, Way, step="1", n=3)
    assert [type(answer) for answer in answers] == [Answer] * 3
    assert [row.state for row in read_calls(tmp_path)] == ["ok"] * 3


def test_a_server_that_ignores_n_is_asked_for_the_rest(tmp_path: Path) -> None:
    one = raw(
        json.dumps(
            {"choices": [{"message": {"content": GOOD}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
        ).encode()
    )
    with FakeServer(one) as server:
        answers = make_gateway(tmp_path, server).ask("goal", ASK, Way, step="1", n=3)
        assert server.calls == 3
    assert [type(a) for a in answers] == [Answer] * 3
    assert [row.state for row in read_calls(tmp_path)] == ["ok"] * 3


def test_without_schema_support_the_schema_is_told_in_words(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        make_gateway(tmp_path, server, schema=False).ask_one("goal", ASK, Way, step="1")
        (sent,) = server.bodies
    assert "response_format" not in sent
    assert '"maximum":5' in sent["messages"][-1]["content"]


def test_a_wrong_answer_is_repaired_once_with_its_faults(tmp_path: Path) -> None:
    with FakeServer(say('{"way": "up", "steps": 9}'), say(GOOD)) as server:
        answer = make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        repair = server.bodies[1]["messages"]
    assert answer.repaired and answer.value.steps == 3
    assert repair[2] == {"role": "assistant", "content": '{"way": "up", "steps": 9}'}
    assert "way: Input should be 'left' or 'right'" in repair[3]["content"]
    assert "steps: Input should be less than or equal to 5" in repair[3]["content"]
    assert [(row.state, row.attempt) for row in read_calls(tmp_path)] == [("invalid", 0), ("ok", 1)]


def test_what_stays_wrong_is_a_typed_failure(tmp_path: Path) -> None:
    with FakeServer(say("I will not.")) as server:
        gateway = make_gateway(tmp_path, server)
        (failed,) = gateway.ask("goal", ASK, Way, step="1")
        with pytest.raises(AnswerInvalid, match="no usable answer to goal: there is no complete JSON object"):
            gateway.ask_one("goal", ASK, Way, step="1")
        assert server.calls == 2  # the second question was answered from the ledger
    assert isinstance(failed, Failed) and failed.text == "I will not."
    assert [row.state for row in read_calls(tmp_path)] == ["invalid", "invalid"]


def test_one_bad_sample_does_not_shift_the_others(tmp_path: Path) -> None:
    with FakeServer(say(GOOD, "oops", '{"way": "right", "steps": 2}'), say("still bad")) as server:
        first, second, third = make_gateway(tmp_path, server).ask("goal", ASK, Way, step="1", n=3)
    assert isinstance(first, Answer) and first.value.way == "left"
    assert isinstance(second, Failed) and second.text == "still bad"
    assert isinstance(third, Answer) and third.value.way == "right"


def test_a_cut_answer_gets_twice_the_room(tmp_path: Path) -> None:
    with FakeServer(say('{"way": "le', finish="length"), say(GOOD)) as server:
        answer = make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1", max_tokens=50)
        assert [body["max_tokens"] for body in server.bodies] == [50, 100]
    assert answer.repaired
    assert read_calls(tmp_path)[0].error.startswith("the answer was cut at its length limit")


@pytest.mark.parametrize(
    "fault",
    [refuse(500), refuse(503), refuse(408), refuse(409), refuse(429), drop(), raw(b'{"choices": ['), raw(b"{}")],
)
def test_what_may_pass_is_tried_again(tmp_path: Path, fault: object) -> None:
    waits = Waits()
    with FakeServer(fault, fault, say(GOOD)) as server:  # type: ignore[arg-type]
        answer = make_gateway(tmp_path, server, waits=waits).ask_one("goal", ASK, Way, step="1")
        assert server.calls == 3
    assert answer.value.way == "left"
    assert 0.25 <= waits.seconds[0] <= 0.5 and 0.5 <= waits.seconds[1] <= 1.0
    (row,) = read_calls(tmp_path)
    assert (row.tries, row.state) == (3, "ok")


def test_retry_after_is_honoured_and_capped(tmp_path: Path) -> None:
    waits = Waits()
    plan = (refuse(429, headers={"Retry-After": "7"}), refuse(429, headers={"Retry-After": "9999"}), say(GOOD))
    with FakeServer(*plan) as server:
        make_gateway(tmp_path, server, waits=waits).ask_one("goal", ASK, Way, step="1")
    assert waits.seconds == [7.0, 30.0]


def test_retries_end_with_one_clear_line(tmp_path: Path) -> None:
    with FakeServer(refuse(500, "overloaded")) as server:
        with pytest.raises(
            ModelUnavailable,
            match=r"^fake-1 at http://127.0.0.1:\d+/v1 answered 500: .*overloaded.* \(tried 4 times in \d+ s\)$",
        ):
            make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        assert server.calls == 4
    (row,) = read_calls(tmp_path)
    assert (row.state, row.tries, row.reserved_tokens) == ("failed", 4, 0)


def test_a_slow_server_is_unavailable(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)
    with FakeServer(stall(1.0)) as server:
        choice = make_choice(server)
        store_capabilities(engine, choice)
        gateway = open_gateway(
            engine,
            session_id="s1",
            choice=choice,
            budget=Budget(),
            home=tmp_path,
            provider=OpenAICompatible(choice, timeout_s=0.2),
            retries=RetryPolicy(tries=2, sleep=Waits()),
        )
        with pytest.raises(ModelUnavailable, match="gave no answer in time"):
            gateway.ask_one("goal", ASK, Way, step="1")
        assert server.calls == 2


def test_a_dead_server_is_one_clear_line(tmp_path: Path) -> None:
    with FakeServer() as server:
        url = server.url
    with pytest.raises(ModelUnavailable, match=r"no connection to http://127.0.0.1:.*is the server running"):
        make_gateway(tmp_path, url).ask_one("goal", ASK, Way, step="1")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "refused the key for fake-1 \\(401\\): check EXPERIMENTER_API_KEY"),
        (403, "check EXPERIMENTER_API_KEY"),
        (404, "knows no model 'fake-1'"),
    ],
)
def test_a_wrong_key_or_model_fails_at_once(tmp_path: Path, status: int, words: str) -> None:
    with FakeServer(refuse(status, f"bad key {KEY}")) as server:
        with pytest.raises(ModelRefused, match=words) as caught:
            make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        assert server.calls == 1
    assert KEY not in str(caught.value)


def test_a_spent_quota_is_not_retried(tmp_path: Path) -> None:
    with FakeServer(refuse(429, "insufficient_quota: pay first")) as server:
        with pytest.raises(ModelRefused, match="no quota left"):
            make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        assert server.calls == 1


def test_a_refused_parameter_is_left_out_from_then_on(tmp_path: Path) -> None:
    plan = (
        refuse(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.", param="max_tokens"),
        refuse(400, "'temperature' does not support 0.7", param="temperature"),
        say(GOOD),
    )
    with FakeServer(*plan) as server:
        gateway = make_gateway(tmp_path, server)
        gateway.ask_one("goal", ASK, Way, step="1", max_tokens=50)
        gateway.ask_one("goal", ASK, Way, step="2", seed=1, max_tokens=50)
        assert server.calls == 4
        last = server.bodies[-1]
    assert "temperature" not in last and "max_tokens" not in last
    assert last["max_completion_tokens"] >= 50


def test_another_bad_request_fails_at_once(tmp_path: Path) -> None:
    with FakeServer(refuse(400, "prompt too long")) as server:
        with pytest.raises(ModelRefused, match="prompt too long"):
            make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        assert server.calls == 1


def test_images_travel_where_the_model_sees(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        answer = make_gateway(tmp_path, server, vision=True).ask_one(
            "judge", [Message("user", "look", (b"PNG",))], Way, step="1"
        )
        content = server.bodies[0]["messages"][0]["content"]
    assert content == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,UE5H"}},
    ]
    assert answer.notes == ()


def test_images_are_left_out_and_the_caller_told_where_it_does_not(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        gateway = make_gateway(tmp_path, server)
        answer = gateway.ask_one("judge", [Message("user", "look", (b"PNG",))], Way, step="1")
        assert server.bodies[0]["messages"] == [{"role": "user", "content": "look"}]
    assert answer.notes == ("fake-1 cannot see",)
    assert not gateway.sees


def test_the_cache_answers_another_session_for_nothing(tmp_path: Path) -> None:
    with FakeServer(say(GOOD)) as server:
        make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        gateway = make_gateway(tmp_path, server, session_id="s2", budget=Budget(calls=1))
        answer = gateway.ask_one("goal", ASK, Way, step="other")
        assert server.calls == 1
        make_gateway(tmp_path, server, session_id="s3", cache=False).ask_one("goal", ASK, Way, step="1")
        make_gateway(tmp_path, server, session_id="s2").ask_one("goal", ASK, Way, step="other", seed=9)
        assert server.calls == 3
    assert answer.cached and answer.value.way == "left" and answer.prompt_tokens == 0
    second = read_calls(tmp_path)[1]
    assert (second.session_id, second.cached, second.state, second.prompt_tokens, second.cost_usd) == (
        "s2",
        True,
        "ok",
        0,
        0.0,
    )
    assert gateway.spent().calls == 1  # of its two answers one was called for


def test_replay_answers_from_the_ledger_only(tmp_path: Path) -> None:
    with FakeServer(say("bad"), say(GOOD)) as server:
        make_gateway(tmp_path, server).ask_one("goal", ASK, Way, step="1")
        calls = server.calls
        engine = make_engine(tmp_path)
        choice = resolve_model("replay/s1", environment={}, home=tmp_path)
        gateway = open_gateway(engine, session_id="s2", choice=choice, budget=Budget(calls=1), home=tmp_path)
        answer = gateway.ask_one("goal", ASK, Way, step="1")
        with pytest.raises(ModelUnavailable, match="session s1 holds no answer to this prompt of goal"):
            gateway.ask_one("goal", [Message("user", "something else")], Way, step="2")
        assert server.calls == calls
    assert answer.repaired and answer.value.steps == 3
    assert gateway.spent().tokens == 0


def test_replay_of_an_unknown_session_says_so(tmp_path: Path) -> None:
    choice = resolve_model("replay/nobody", environment={}, home=tmp_path)
    with pytest.raises(UsageError, match="replay/nobody"):
        open_gateway(make_engine(tmp_path), session_id="s2", choice=choice, budget=Budget(), home=tmp_path)


def test_scores_are_log_probabilities_of_the_choices(tmp_path: Path) -> None:
    top = {"Reward": -0.5, " pen": -1.5, "re": -2.5, "The": -3.0}
    with FakeServer(say("Reward", logprobs=top)) as server:
        gateway = make_gateway(tmp_path, server, logprobs=True)
        scores = gateway.score("sign", ASK, ("reward", "penalise"), step="1")
        assert gateway.score("sign", ASK, ("reward", "penalise"), step="1") == scores
        assert server.calls == 1
    assert scores["reward"] == pytest.approx(-0.3730720)  # log(exp(-0.5) + exp(-2.5))
    assert scores["penalise"] == pytest.approx(-1.5)


def test_scoring_needs_a_model_that_tells_log_probabilities(tmp_path: Path) -> None:
    with FakeServer() as server, pytest.raises(UsageError, match="tells no log-probabilities"):
        make_gateway(tmp_path, server).score("sign", ASK, ("a", "b"), step="1")


def test_no_model_says_so_at_once(tmp_path: Path) -> None:
    choice = ModelChoice(provider="none", model="none", reason="no model: nothing was found", prices=FREE)
    gateway = open_gateway(make_engine(tmp_path), session_id="s1", choice=choice, budget=Budget(), home=tmp_path)
    with pytest.raises(ModelUnavailable, match=r"^no model: nothing was found$"):
        gateway.ask_one("goal", ASK, Way, step="1")
    assert not gateway.capabilities.writes_code and not gateway.sees
    assert read_calls(tmp_path) == []


def test_the_key_is_nowhere_but_in_the_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeServer(refuse(500, f"with {KEY} inside"), say(GOOD)) as server:
        gateway = make_gateway(tmp_path, server)
        gateway.ask_one("goal", ASK, Way, step="1")
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(make_choice("http://127.0.0.1:1/v1")) + repr(vars(gateway))
    assert KEY not in caplog.text
    assert KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
