"""A Chromium for the tests of this folder, shared within a module; tests that need one skip where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envs.web.chromium import Chromium, is_installed
from envs.web.miniwob import miniwob_site


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    if not is_installed():
        pytest.skip("no Chromium here: apt-get install chromium")
    browser = Chromium([miniwob_site()])
    yield browser
    browser.close()
