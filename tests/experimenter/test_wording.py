from __future__ import annotations

import pytest

from experimenter.wording import count, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (190, "3m10s"), (3600, "1h00m"), (7500, "2h05m"), (float("inf"), "-")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (12_345, "12.3k"), (2_500_000, "2.50M")])
def test_count(value: float, text: str) -> None:
    assert count(value) == text
