"""The litellm way, in a process of its own: it asks no network but the given URL, keeps its price list local, and leaves retries to us."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_server import FakeServer, refuse, say
from llm_helpers import GOOD

from experimenter.errors import EnvironmentNotReady
from experimenter.llm import litellm_bridge

CODE = """
import json, socket, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
asked = []
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: (asked.append(str(host)), look_up(host, *rest, **more))[1]
from pydantic import SecretStr
from llm_helpers import ASK, KEY, Waits, Way, make_engine, store_capabilities
from experimenter.errors import ModelRefused
from experimenter.llm.choose import ModelChoice
from experimenter.llm.gateway import open_gateway
from experimenter.llm.retries import RetryPolicy
from experimenter.records import Budget
engine, folder = make_engine(Path(sys.argv[1])), Path(sys.argv[1])
out = {}
for name, key in (("openai/fake-1", SecretStr(KEY)), ("anthropic/claude-none", None)):
    choice = ModelChoice(provider="litellm", model=f"litellm/{name}", base_url=sys.argv[2] if key else None, api_key=key, reason="test")
    store_capabilities(engine, choice, n=False)
    try:
        gateway = open_gateway(engine, session_id=name, choice=choice, budget=Budget(), home=folder, retries=RetryPolicy(sleep=Waits()))
        answer = gateway.ask_one("goal", ASK, Way, step="1")
        out[name] = [answer.value.way, answer.cost_usd, answer.prompt_tokens]
        gateway.ask_one("goal", ASK, Way, step="2", seed=1)
    except ModelRefused as error:
        out.setdefault("refused", []).append(str(error))
print(json.dumps({**out, "asked": sorted(set(asked)), "key": KEY in json.dumps(out)}))
"""


@pytest.mark.skipif(litellm_bridge.importlib.util.find_spec("litellm") is None, reason="litellm is an extra")  # type: ignore[attr-defined]
def test_litellm_answers_with_our_retries_and_no_network(tmp_path: Path) -> None:
    with FakeServer(refuse(429), refuse(500), say(GOOD), refuse(401, "bad key")) as server:
        command = [sys.executable, "-W", "ignore", "-c", CODE, str(tmp_path), server.url, str(Path(__file__).parent)]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
        calls = server.calls
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["openai/fake-1"] == ["left", None, 10]  # an unknown model's price is unknown
    assert calls == 4
    assert "check EXPERIMENTER_API_KEY" in found["refused"][0]
    assert found["refused"][1] == "anthropic/claude-none needs a key: set ANTHROPIC_API_KEY"
    assert found["asked"] == ["127.0.0.1"] and found["key"] is False


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm_bridge.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(EnvironmentNotReady, match="install the extra `litellm`"):
        litellm_bridge.load_litellm()
