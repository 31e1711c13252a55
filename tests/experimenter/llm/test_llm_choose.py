"""Which model is chosen, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_server import FakeServer

from experimenter.errors import EnvironmentNotReady, UsageError
from experimenter.llm import choose
from experimenter.llm.choose import is_local, resolve_model
from experimenter.llm.models import CATALOG
from experimenter.llm.prices import FREE, Prices, find_context, find_prices, parse_prices

NO_PORTS: tuple[int, ...] = ()


def put_weights(home: Path, *names: str) -> None:
    """Sparse files of the right size: enough for a choice, which does not load them."""
    for name in names:
        path = CATALOG[name].path(home)
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as handle:
            handle.truncate(CATALOG[name].size)


def test_what_is_asked_for_comes_first(tmp_path: Path) -> None:
    environment = {"EXPERIMENTER_MODEL": "none", "OPENAI_API_KEY": "sk-1"}
    choice = resolve_model("openai/gpt-x", environment=environment, home=tmp_path)
    assert (choice.provider, choice.name, choice.base_url) == ("openai", "gpt-x", "https://api.openai.com/v1")
    assert choice.reason == "--model openai/gpt-x"
    assert choice.key_name == "OPENAI_API_KEY"


def test_then_the_environment(tmp_path: Path) -> None:
    environment = {
        "EXPERIMENTER_MODEL": "my-model",
        "EXPERIMENTER_BASE_URL": "http://10.0.0.7:9000/v1/",
        "EXPERIMENTER_API_KEY": "k",
        "OPENAI_API_KEY": "sk-1",
    }
    choice = resolve_model(None, environment=environment, home=tmp_path)
    assert (choice.model, choice.base_url, choice.prices) == ("openai/my-model", "http://10.0.0.7:9000/v1", FREE)
    assert choice.api_key is not None and choice.api_key.get_secret_value() == "k"
    assert choice.reason == "EXPERIMENTER_MODEL=my-model"


def test_the_vendors_key_never_goes_to_another_url(tmp_path: Path) -> None:
    choice = resolve_model(
        "m", base_url="https://elsewhere.example/v1", environment={"OPENAI_API_KEY": "sk-1"}, home=tmp_path
    )
    assert choice.api_key is None and choice.key_name == "EXPERIMENTER_API_KEY"
    assert choice.prices is None


def test_then_a_vendors_key(tmp_path: Path) -> None:
    choice = resolve_model(None, environment={"OPENAI_API_KEY": "sk-1"}, home=tmp_path, probe_ports=NO_PORTS)
    assert choice.provider == "openai" and choice.reason == "OPENAI_API_KEY is set"
    assert "sk-1" not in repr(choice) and choice.api_key is not None


def test_other_vendors_go_through_litellm(tmp_path: Path) -> None:
    choice = resolve_model(None, environment={"ANTHROPIC_API_KEY": "sk-2"}, home=tmp_path, probe_ports=NO_PORTS)
    assert choice.provider == "litellm" and choice.name.startswith("anthropic/")
    assert choice.reason == "ANTHROPIC_API_KEY is set" and choice.key_name == "ANTHROPIC_API_KEY"


def test_a_vendors_key_without_litellm_is_passed_over_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    choice = resolve_model(None, environment={"ANTHROPIC_API_KEY": "sk-2"}, home=tmp_path, probe_ports=NO_PORTS)
    assert choice.provider == "none"
    assert "ANTHROPIC_API_KEY is set, but the extra `litellm` is not installed" in choice.reason


def test_then_a_server_on_this_machine(tmp_path: Path) -> None:
    put_weights(tmp_path, "qwen2.5-coder-1.5b")
    with FakeServer(models=({"id": "nomic-embed-text"}, {"id": "llama-9"})) as server:
        choice = resolve_model(None, environment={}, home=tmp_path, probe_ports=(server.port,))
        assert (choice.model, choice.base_url, choice.prices) == ("openai/llama-9", server.url, FREE)
        assert choice.reason == f"a server on this machine answers at {server.url}"


def test_then_the_weights_that_are_here_the_best_first(tmp_path: Path) -> None:
    put_weights(tmp_path, "qwen2.5-coder-0.5b", "smollm2-135m")
    choice = resolve_model(None, environment={}, home=tmp_path, probe_ports=NO_PORTS)
    assert choice.model == "embedded/qwen2.5-coder-0.5b" and "qwen2.5-coder-1.5b is better" in choice.reason
    put_weights(tmp_path, "qwen2.5-coder-1.5b")
    assert (
        resolve_model(None, environment={}, home=tmp_path, probe_ports=NO_PORTS).model == "embedded/qwen2.5-coder-1.5b"
    )


def test_the_smallest_weights_only_when_named(tmp_path: Path) -> None:
    put_weights(tmp_path, "smollm2-135m")
    assert resolve_model(None, environment={}, home=tmp_path, probe_ports=NO_PORTS).provider == "none"
    assert resolve_model("embedded/smollm2-135m", environment={}, home=tmp_path).provider == "embedded"


def test_else_no_model(tmp_path: Path) -> None:
    choice = resolve_model(None, environment={}, home=tmp_path, probe_ports=NO_PORTS)
    assert choice.provider == "none" and choice.reason.startswith(
        "no model: no key, no local server, no fetched weights"
    )
    assert resolve_model("none", environment={"OPENAI_API_KEY": "sk"}, home=tmp_path).provider == "none"


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("gpt-5", UsageError, "unknown model 'gpt-5': write openai/NAME"),
        ("openai/gpt-5", EnvironmentNotReady, "set OPENAI_API_KEY"),
        ("embedded/qwen2.5-coder-1.5b", EnvironmentNotReady, "run `experimenter model fetch qwen2.5-coder-1.5b`"),
        ("embedded/huge", UsageError, "unknown embedded model 'huge'; known: qwen2.5-coder-1.5b"),
    ],
)
def test_what_cannot_be_had_is_said(tmp_path: Path, model: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        resolve_model(model, environment={}, home=tmp_path)


def test_a_base_url_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the base URL 'localhost:9' is not one"):
        resolve_model("m", base_url="localhost:9", environment={}, home=tmp_path)


def test_a_base_url_alone_takes_the_servers_first_model(tmp_path: Path) -> None:
    with FakeServer() as server:
        assert resolve_model(None, base_url=server.url, environment={}, home=tmp_path).model == "openai/fake-1"
    with pytest.raises(EnvironmentNotReady, match="does not list its models"):
        resolve_model(None, base_url=server.url, environment={}, home=tmp_path)


@pytest.mark.parametrize(
    ("url", "local"), [("http://127.0.0.1:1/v1", True), ("http://localhost/v1", True), ("http://[::1]/v1", True)]
)
def test_local_urls(url: str, local: bool) -> None:
    assert is_local(url) is local
    assert not is_local("https://api.openai.com/v1")


def test_prices_are_the_users_or_listed_or_unknown(tmp_path: Path) -> None:
    choice = resolve_model(
        "openai/x", environment={"OPENAI_API_KEY": "k", "EXPERIMENTER_PRICES": "0.25, 2"}, home=tmp_path
    )
    assert choice.prices == Prices(0.25, 2.0)
    assert find_prices("no-such-model") is None and find_context("no-such-model") is None
    with pytest.raises(UsageError, match="expected two numbers"):
        parse_prices("cheap")
    with pytest.raises(UsageError, match="not negative"):
        parse_prices("-1,2")
