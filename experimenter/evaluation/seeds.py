"""Which worlds are seen by whom: training, race and admission seeds never meet.

Training seeds are small integers; the race ranks arms on worlds from 10**6; a certificate is earned on worlds from 2 * 10**6,
a fresh block at every attempt, so that neither choosing the winner nor trying again can flatter the certificate.
"""

from __future__ import annotations

RACE_FIRST = 1_000_000
ADMISSION_FIRST = 2_000_000
_BLOCK = 10_000
_ATTEMPTS = 100_000


def race_seeds(count: int) -> tuple[int, ...]:
    """World seeds on which the arms of a race are ranked and the winner's policy is selected; the same for every arm."""
    _check(count)
    return tuple(range(RACE_FIRST, RACE_FIRST + count))


def admission_seeds(count: int, attempt: int = 0) -> tuple[int, ...]:
    """World seeds of a certificate; each `attempt` at certifying the same task gets worlds that no earlier one saw."""
    _check(count)
    if not 0 <= attempt < _ATTEMPTS:
        raise ValueError(f"attempt {attempt} cannot be: expected 0 to {_ATTEMPTS - 1}")
    first = ADMISSION_FIRST + attempt * _BLOCK
    return tuple(range(first, first + count))


def _check(count: int) -> None:
    if not 1 <= count <= _BLOCK:
        raise ValueError(f"{count} held-out episodes cannot be: expected 1 to {_BLOCK}")
