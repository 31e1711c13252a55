"""The web family keeps the family contract, in a real Chromium."""

from __future__ import annotations

import pytest

from envs.testing import CHECKS, Check
from envs.web.chromium import is_installed
from envs.web.family import WebFamily
from envs.web.miniwob import TASKS

needs_browser = pytest.mark.skipif(not is_installed(), reason="no Chromium here: apt-get install chromium")


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_web_keeps_the_contract(check: Check) -> None:
    family = WebFamily()
    check(family, family.resolve_task({"task": TASKS.index("login-user")}, seed=3))
