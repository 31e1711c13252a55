"""Retries with exponential back-off and jitter, honouring Retry-After, under a cap on the total time."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from experimenter.errors import ModelRefused, ModelUnavailable

log = logging.getLogger(__name__)

R = TypeVar("R")
_RETRIED = frozenset({408, 409, 429})
_SPENT_QUOTA = ("insufficient_quota", "billing_hard_limit")


class Transient(Exception):
    """The call failed in a way that may pass."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    tries: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    """Also caps what a server asks for in Retry-After."""
    total_s: float = 300.0
    """No wait begins that would end later than this after the first try."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: random.Random = field(default_factory=random.Random)


def call_with_retries(
    call: Callable[[], R], policy: RetryPolicy, on_try: Callable[[int], None] = lambda number: None
) -> R:
    """Call until it succeeds; raises `ModelUnavailable` with the last reason when the tries or the time are used up."""
    started = policy.clock()
    for number in range(1, policy.tries + 1):
        on_try(number)
        try:
            return call()
        except Transient as error:
            wait = _wait_s(policy, number, error.retry_after_s)
            late = policy.clock() - started + wait > policy.total_s
            if number == policy.tries or late:
                raise ModelUnavailable(f"{error} (tried {number} times in {policy.clock() - started:.0f} s)") from error
            log.info("%s; trying again in %.1f s", error, wait)
            policy.sleep(wait)
    raise AssertionError("a retry policy has at least one try")


def _wait_s(policy: RetryPolicy, number: int, asked_s: float | None) -> float:
    if asked_s is not None:
        return min(max(asked_s, 0.0), policy.longest_wait_s)
    return min(policy.first_wait_s * 2.0 ** (number - 1), policy.longest_wait_s) * policy.jitter.uniform(0.5, 1.0)


def read_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as an HTTP date; None without a usable one."""
    value = headers.get("retry-after") or headers.get("Retry-After")
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((when - (now or datetime.now(UTC))).total_seconds(), 0.0)


def raise_for_status(
    status: int, message: str, headers: Mapping[str, str], *, model: str, where: str, key_name: str
) -> None:
    """Raise what an HTTP status means: `Transient` for what may pass, `ModelRefused` with what to check for the rest."""
    message = " ".join(message.split())[:300]
    if any(word in message for word in _SPENT_QUOTA):
        raise ModelRefused(f"the account behind {key_name} has no quota left for {model} at {where}: {message}")
    if status in _RETRIED or status >= 500:
        raise Transient(f"{model} at {where} answered {status}: {message}", read_retry_after(headers))
    if status in (401, 403):
        raise ModelRefused(f"{where} refused the key for {model} ({status}): check {key_name}")
    if status == 404:
        raise ModelRefused(
            f"{where} knows no model {model!r} (404): check the model's name and the base URL ({message})"
        )
    raise ModelRefused(f"{where} refused the request for {model} ({status}): {message}")
