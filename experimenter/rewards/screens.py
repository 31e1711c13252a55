"""Cheap screens before training, beyond the static one: does a reward program prefer the better episodes? Pure functions.

The preference screen is CARD's trajectory preference evaluation: on a fixed set of whole episodes of known fitness, the program must
pay the fitter ones more. A screen that throws away later winners costs more than it saves, so its floor is low, and every decision is
kept with its cost: `losses` says how often a screen would have thrown a winner away.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from experimenter.records import Record

STATIC, PREFERENCE, PROBE = "static", "preference", "probe"
PREFERENCE_FLOOR = 0.4
"""Share of informative pairs that must be ranked rightly. One half is chance; less means that it pays for the opposite."""
MIN_PAIRS = 15
"""Fewer informative pairs say too little to refuse anybody."""
_MARGIN = 0.1
"""Two episodes differ when their fitness is apart by this share of the set's range."""


class ScreenReport(Record):
    """What one screen said of one program."""

    screen: str
    digest: str
    passed: bool
    value: float | None = None
    """Preference: share of pairs ranked rightly. Probe: fitness IQM after the first rung."""
    cost_s: float = 0.0
    """Wall seconds (static and preference) or CPU seconds of training (probe)."""
    reason: str = ""


class ScreenLoss(Record):
    """How a screen did over many searches."""

    screen: str
    decisions: int
    refused: int
    winners: int
    """Searches whose winning program this screen had an opinion on."""
    lost: int
    """Of those, how often it would have thrown the winner away."""
    cost_s: float
    """Mean cost of a decision."""


def preference(returns: Sequence[float], fitness: Sequence[float]) -> tuple[float | None, int]:
    """Share of informative pairs of episodes in which the fitter one is paid more (ties count half), and how many pairs there were.

    None without a pair: all episodes are about equally fit.
    """
    spread = max(fitness, default=0.0) - min(fitness, default=0.0)
    if spread <= 0.0:
        return None, 0
    right, count = 0.0, 0
    for i, j in combinations(range(len(fitness)), 2):
        if abs(fitness[i] - fitness[j]) < _MARGIN * spread:
            continue
        better, worse = (i, j) if fitness[i] > fitness[j] else (j, i)
        count += 1
        right += 1.0 if returns[better] > returns[worse] else 0.5 if returns[better] == returns[worse] else 0.0
    return (right / count if count else None), count


def judge_preference(
    digest: str, returns: Sequence[float] | str, fitness: Sequence[float], cost_s: float
) -> ScreenReport:
    """Decide on one program; `returns` is the reason when it failed on the recorded episodes, which refuses it."""
    if isinstance(returns, str):
        return ScreenReport(
            screen=PREFERENCE, digest=digest, passed=False, cost_s=cost_s, reason=f"on recorded episodes: {returns}"
        )
    share, pairs = preference(returns, fitness) if returns else (None, 0)
    if share is None or pairs < MIN_PAIRS:
        return ScreenReport(screen=PREFERENCE, digest=digest, passed=True, value=share, cost_s=cost_s)
    passed = share >= PREFERENCE_FLOOR
    reason = (
        ""
        if passed
        else (
            f"it pays the fitter of two recorded episodes more in only {100 * share:.0f}% of {pairs} pairs "
            "(chance is 50%): summed over an episode it rewards the opposite of the task"
        )
    )
    return ScreenReport(screen=PREFERENCE, digest=digest, passed=passed, value=share, cost_s=cost_s, reason=reason)


def losses(reports: Sequence[ScreenReport], winners: Sequence[str]) -> list[ScreenLoss]:
    """Per screen: decisions, refusals, cost, and how often it refused a program that won its search (`winners`: digests)."""
    won = set(winners)
    found = []
    for screen in dict.fromkeys(report.screen for report in reports):
        mine = [report for report in reports if report.screen == screen]
        about = [report for report in mine if report.digest in won]
        found.append(
            ScreenLoss(
                screen=screen,
                decisions=len(mine),
                refused=sum(not report.passed for report in mine),
                winners=len(about),
                lost=sum(not report.passed for report in about),
                cost_s=sum(report.cost_s for report in mine) / len(mine),
            )
        )
    return found
