"""The web family keeps the family contract, in the browser that it trains in. The checks that take minutes are marked slow."""

from __future__ import annotations

import pytest

from envs.testing import CHECKS, Check
from envs.web.browsers import list_installed
from envs.web.chromium import is_installed
from envs.web.family import WebFamily
from envs.web.miniwob import TASKS

LONG = ("check_seeds", "check_named_state", "check_params", "check_hidden_metric")
CASES = [
    pytest.param(check, id=check.__name__, marks=[pytest.mark.slow] if check.__name__ in LONG else [])
    for check in CHECKS
]


@pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("check", CASES)
def test_web_keeps_the_contract(check: Check) -> None:
    family = WebFamily()
    check(family, family.resolve_task({"task": TASKS.index("login-user")}, seed=3))


@pytest.mark.slow
@pytest.mark.skipif(
    "lightpanda" not in list_installed(), reason="no Lightpanda: pip install 'rl-experimenter[lightpanda]'"
)
@pytest.mark.parametrize("check", [check for check in CHECKS if check.__name__ in ("check_seeds", "check_episodes")])
def test_web_keeps_it_in_the_fast_browser_too(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTER_WEB_BACKEND", "lightpanda")
    family = WebFamily()
    check(family, family.resolve_task({"task": TASKS.index("email-inbox")}, seed=3))
