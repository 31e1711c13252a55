"""Waiting times, worked out by hand."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from llm_helpers import Waits

from experimenter.errors import ModelRefused, ModelUnavailable
from experimenter.llm.retries import RetryPolicy, Transient, call_with_retries, raise_for_status, read_retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        ("Sun, 22 Nov 2026 12:00:20 GMT", 20.0),
        ("Sun, 22 Nov 2026 11:59:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str, seconds: float | None) -> None:
    assert read_retry_after({"retry-after": value}, NOW) == seconds


def test_waits_double_with_jitter_between_half_and_whole() -> None:
    waits = Waits()

    def fail() -> None:
        raise Transient("no")

    with pytest.raises(ModelUnavailable, match="tried 5 times"):
        call_with_retries(fail, RetryPolicy(tries=5, sleep=waits, jitter=random.Random(0)))
    assert len(waits.seconds) == 4
    for wait, whole in zip(waits.seconds, (0.5, 1.0, 2.0, 4.0), strict=True):
        assert whole / 2 <= wait <= whole


def test_the_total_time_is_capped() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def fail() -> None:
        now[0] += 10.0
        raise Transient("no", retry_after_s=20.0)

    with pytest.raises(ModelUnavailable, match="tried 2 times in 40 s"):
        call_with_retries(fail, RetryPolicy(tries=9, total_s=45.0, sleep=sleep, clock=lambda: now[0]))


def test_other_errors_pass_through_at_once() -> None:
    tries: list[int] = []

    def fail() -> None:
        raise ModelRefused("no")

    with pytest.raises(ModelRefused):
        call_with_retries(fail, RetryPolicy(), tries.append)
    assert tries == [1]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_statuses_that_may_pass(status: int) -> None:
    with pytest.raises(Transient):
        raise_for_status(status, "busy", {}, model="m", where="here", key_name="KEY")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_statuses_that_will_not(status: int) -> None:
    with pytest.raises(ModelRefused, match="here"):
        raise_for_status(status, "no", {}, model="m", where="here", key_name="KEY")
