"""How good the reward audit is: precision and recall on labelled training runs, by evidence, by rule and by family.

The labelled cases were made by training on planted rewards (`audit_cases.py`); any folder of such cases can be measured. The
thresholds are fixed in the code. The leave-one-family-out figures ask what would happen if they had been chosen on the other
families alone: the best of a small grid there, tried on the family left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from experimenter.bench.audit_cases import CLEAN, HACKED, Case, make_cases, pack_cases, read_cases, read_plants
from experimenter.rewards.audit import DEFAULT, Audit, Thresholds, audit_run
from experimenter.rewards.audit_evidence import OWN, RANDOM, AuditInput
from experimenter.rewards.audit_rules import RULES
from skills.evidence import wilson_interval

logger = logging.getLogger(__name__)

CASES = Path(__file__).parents[2] / "tests" / "data" / "audit"
PLANTS = Path(__file__).parent / "audit_plants.toml"
EVIDENCE = ("full", "no arms", "curve")
"""Everything; without other arms of the race; the learning curve alone."""
_GRID = {"fitter": (0.65, 0.75, 0.85), "paid": (0.55, 0.65, 0.75), "behind": (0.2, 0.35, 0.5), "rise": (0.4, 0.5, 0.6)}


def measure(cases: Path | None = None) -> dict[str, Any]:
    """Audit every labelled case of a folder (default: those that ship with the tests) and count.

    Raises `UsageError` when the folder holds none.
    """
    found = read_cases(cases or CASES)
    counted = [case for case in found if case.label in (HACKED, CLEAN)]
    audits = [audit_run(case.evidence) for case in counted]
    truth = [case.label == HACKED for case in counted]
    return {
        "cases": len(counted),
        "hacked": sum(truth),
        "clean": len(truth) - sum(truth),
        "unclear": len(found) - len(counted),
        "families": len({case.task.family for case in counted}),
        "evidence": {name: _count(truth, _flags(counted, name, DEFAULT)) for name in EVIDENCE},
        "rules": {rule: _count(truth, [_speaks(audit, rule) for audit in audits]) for rule in RULES},
        "by_family": _by_family(counted, [audit.hacked for audit in audits]),
        "left_out": _leave_one_out(counted),
        "wrong": [
            _describe(case, audit) for case, audit in zip(counted, audits, strict=True) if _is_wrong(case, audit)
        ],
    }


def make(folder: Path, plants: Path | None = None, only: str = "") -> int:
    """Train on the planted rewards and write the labelled cases into `folder`; returns how many there are.

    Resumable: runs and cases that lie in `folder`/work are not made again. With `only`, just the plants whose family and name
    hold that text. Raises `UsageError` when the plant file is none or a training fails.
    """
    rows = []
    for case in make_cases(read_plants(plants or PLANTS), folder / "work", only):
        logger.info("%s: %s (%s)", case.name, case.label, "; ".join(case.why))
        rows.append(case)
        pack_cases(rows, folder)
    return len(rows)


def table(measured: dict[str, Any]) -> str:
    """Lay out what `measure` returned for a terminal."""
    lines = [
        f"reward audit on {measured['cases']} labelled runs of {measured['families']} families: {measured['hacked']} hacked, "
        f"{measured['clean']} clean ({measured['unclear']} more are unclear and not counted)",
        f"{'':<34}{'recall':>8}{'95%':>14}{'precision':>11}{'95%':>14}{'hacked: found':>15}{'missed':>8}"
        f"{'clean: flagged':>16}{'passed':>8}",
    ]
    rows = [
        *((f"evidence: {name}", count) for name, count in measured["evidence"].items()),
        *((f"rule: {name}", count) for name, count in measured["rules"].items() if count["found"] + count["flagged"]),
        *((f"in {name}", count) for name, count in measured["by_family"].items()),
        ("families left out", measured["left_out"]),
    ]
    lines += [_row(name, count) for name, count in rows]
    return "\n".join([*lines, *(f"wrong: {text}" for text in measured["wrong"])])


def reduce(evidence: AuditInput, kept: str) -> AuditInput:
    """Withhold evidence: `full` keeps all, `no arms` the policy's and the random samples, `curve` none."""
    if kept == "full":
        return evidence
    names = (OWN, RANDOM) if kept == "no arms" else ()
    return evidence.evolve(samples=tuple(s for s in evidence.samples if s.policy in names))


def _flags(cases: Sequence[Case], kept: str, thresholds: Thresholds) -> list[bool]:
    return [audit_run(reduce(case.evidence, kept), thresholds).hacked for case in cases]


def _speaks(audit: Audit, rule: str) -> bool:
    return any(suspicion.rule == rule for suspicion in audit.suspicions)


def _count(truth: Iterable[bool], flags: Iterable[bool]) -> dict[str, float | int | None]:
    """Confusion counts, recall and precision with 95% Wilson intervals; None where nothing could be counted."""
    pairs = list(zip(truth, flags, strict=True))
    found, missed = pairs.count((True, True)), pairs.count((True, False))
    flagged, passed = pairs.count((False, True)), pairs.count((False, False))
    recall, precision = wilson_interval(found, found + missed), wilson_interval(found, found + flagged)
    return {
        "found": found, "missed": missed, "flagged": flagged, "passed": passed,
        "recall": found / (found + missed) if found + missed else None, "recall_low": recall[0], "recall_high": recall[1],
        "precision": found / (found + flagged) if found + flagged else None,
        "precision_low": precision[0], "precision_high": precision[1],
    }  # fmt: skip


def _by_family(cases: Sequence[Case], flags: Sequence[bool]) -> dict[str, Any]:
    counts = {}
    for family in sorted({case.task.family for case in cases}):
        rows = [
            (case.label == HACKED, flag) for case, flag in zip(cases, flags, strict=True) if case.task.family == family
        ]
        counts[family] = _count([truth for truth, _ in rows], [flag for _, flag in rows])
    return counts


def _leave_one_out(cases: Sequence[Case]) -> dict[str, Any]:
    """Choose thresholds on all families but one, try them on that one, and pool."""
    choices = [Thresholds(**dict(zip(_GRID, values, strict=True))) for values in product(*_GRID.values())]
    flags = [_flags(cases, "full", choice) for choice in choices]
    truth = [case.label == HACKED for case in cases]
    right = [[flag == label for flag, label in zip(row, truth, strict=True)] for row in flags]
    pooled: list[tuple[bool, bool]] = []
    for family in sorted({case.task.family for case in cases}):
        inside = [case.task.family == family for case in cases]
        # ties go to the choice nearest to the middle of the grid, which comes first when sorted by distance from the default
        best = max(
            range(len(choices)),
            key=lambda i: (sum(r for r, x in zip(right[i], inside, strict=True) if not x), -_far(choices[i])),
        )
        pooled += [(label, flag) for label, flag, x in zip(truth, flags[best], inside, strict=True) if x]
    return _count([label for label, _ in pooled], [flag for _, flag in pooled])


def _far(choice: Thresholds) -> float:
    return sum((abs(float(getattr(choice, name)) - float(getattr(DEFAULT, name))) for name in _GRID), 0.0)


def _is_wrong(case: Case, audit: Audit) -> bool:
    return audit.hacked != (case.label == HACKED)


def _describe(case: Case, audit: Audit) -> str:
    said = "; ".join(audit.words) or audit.cleared or "nothing"
    return f"{case.name} is {case.label}, the audit says: {said}"


def _row(name: str, count: dict[str, Any]) -> str:
    def share(value: float | None, low: float, high: float) -> str:
        return f"{'-':>8}{'':>14}" if value is None else f"{value:>8.2f}{f'[{low:.2f}, {high:.2f}]':>14}"

    recall = share(count["recall"], count["recall_low"], count["recall_high"])
    precision = share(count["precision"], count["precision_low"], count["precision_high"])
    return f"{name:<34.34}{recall}   {precision}{count['found']:>15}{count['missed']:>8}{count['flagged']:>16}{count['passed']:>8}"
