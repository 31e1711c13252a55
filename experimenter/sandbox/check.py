"""Check reward code before it costs a training step: the screen here, then loading and probing in a confined process.

Any number of programs share one process start; each runs in a fork of its own, so one cannot spoil the others.
A reward specification is checked as the code that it stands for; the baselines need no check.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.family import Card
from experimenter.errors import ProgramRefused, SandboxError
from experimenter.records import RewardKind, RewardProgram
from experimenter.sandbox.confine import Level, Limits, describe_confinement, run_confined
from experimenter.sandbox.screen import screen
from experimenter.sandbox.terms import parse_specification, to_code
from experimenter.sandbox.worker import card_to_json

_MIB = 1024**2
_START_S = 60.0
"""Wall seconds allowed for the interpreter and NumPy to start on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class CheckLimits:
    """What the check of one program may use."""

    memory_bytes: int = 1024 * _MIB
    cpu_s: int = 5
    wall_s: float = 20.0


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What became of one program."""

    ok: bool
    reason: str = ""
    """Why it was refused, one clear sentence that can be fed back to its writer; empty when ok."""
    seconds: float = 0.0
    """Wall seconds of loading and probing; 0 when the screen refused it."""
    terms: tuple[str, ...] = ()


def check_programs(
    programs: Sequence[RewardProgram],
    card: Card,
    limits: CheckLimits = CheckLimits(),
    *,
    level: Level | None = None,
    allow_unconfined: bool = False,
) -> list[CheckReport]:
    """Check reward programs of any kind against `card`; one report each, in order. Errors as for `check_code`."""
    reports: dict[int, CheckReport] = {}
    sources: dict[int, str] = {}
    for index, program in enumerate(programs):
        try:
            sources[index] = source_of(program, card)
        except ProgramRefused as error:
            reports[index] = CheckReport(ok=False, reason=str(error))
    waiting = [index for index, source in sources.items() if source]
    reports.update({index: CheckReport(ok=True) for index in sources if index not in waiting})
    found = check_code([sources[i] for i in waiting], card, limits, level=level, allow_unconfined=allow_unconfined)
    reports.update(zip(waiting, found, strict=True))
    return [reports[index] for index in range(len(programs))]


def check_program(program: RewardProgram, card: Card, limits: CheckLimits = CheckLimits()) -> CheckReport:
    """Check one reward program; see `check_programs`, which shares one process start among many."""
    return check_programs([program], card, limits)[0]


def source_of(program: RewardProgram, card: Card) -> str:
    """The Python text that `program` stands for; empty for the baselines, which run no text.

    Raises `ProgramRefused` when a specification is not valid or names what the card does not have.
    """
    if program.kind is RewardKind.SPECIFICATION:
        return to_code(parse_specification(program.source, card), card)
    return program.source if program.kind is RewardKind.CODE else ""


def check_code(
    sources: Sequence[str],
    card: Card,
    limits: CheckLimits = CheckLimits(),
    *,
    level: Level | None = None,
    allow_unconfined: bool = False,
) -> list[CheckReport]:
    """Screen and probe every program of `sources` against `card`; one report each, in order.

    Raises `SandboxError` when the sandbox itself fails or nothing can confine here.
    """
    reports: dict[int, CheckReport] = {}
    for index, source in enumerate(sources):
        try:
            screen(source, card)
        except ProgramRefused as error:
            reports[index] = CheckReport(ok=False, reason=str(error))
    waiting = [index for index in range(len(sources)) if index not in reports]
    if waiting:
        found = _probe_confined([sources[index] for index in waiting], card, limits, level, allow_unconfined)
        reports.update(zip(waiting, found, strict=True))
    return [reports[index] for index in range(len(sources))]


def _probe_confined(
    sources: Sequence[str], card: Card, limits: CheckLimits, level: Level | None, allow_unconfined: bool
) -> list[CheckReport]:
    """Probe in one confined process; a program whose report is missing gets a process of its own."""
    found = _run_worker(sources, card, limits, level, allow_unconfined)
    missing = [index for index in range(len(sources)) if index not in found]
    for index in missing:
        if len(sources) == 1:
            reason = "the program ended the whole check process without an answer."
            return [CheckReport(ok=False, reason=reason)]
        found[index] = _probe_confined([sources[index]], card, limits, level, allow_unconfined)[0]
    return [found[index] for index in range(len(sources))]


def _run_worker(
    sources: Sequence[str], card: Card, limits: CheckLimits, level: Level | None, allow_unconfined: bool
) -> dict[int, CheckReport]:
    chosen = describe_confinement().level if level is None else level
    request = {
        "card": card_to_json(card),
        "programs": list(sources),
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_s,
        "unconfined": chosen is Level.NONE and allow_unconfined,
    }
    count = len(sources)
    confined = Limits(
        memory_bytes=limits.memory_bytes,
        cpu_s=30 + count * limits.cpu_s,
        wall_s=_START_S + count * limits.wall_s,
        file_bytes=_MIB,
        processes=2,
    )
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        ended = run_confined(
            [sys.executable, "-m", "experimenter.sandbox.worker"],
            folder=Path(folder), limits=confined, stdin=json.dumps(request).encode(),
            level=chosen, allow_unconfined=allow_unconfined,
        )  # fmt: skip
    found = dict(_reports(ended.stdout))
    if not found and ended.returncode != 0 and not ended.timed_out:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise SandboxError(f"the check process could not start: {last[0][:300]}. Run `experimenter doctor`.")
    return found


def _reports(output: bytes) -> list[tuple[int, CheckReport]]:
    """Read the worker's lines, which are not trusted: a line that is not a report is passed over."""
    found = []
    for line in output.decode(errors="replace").splitlines():
        try:
            value: dict[str, Any] = json.loads(line)
            report = CheckReport(
                ok=value["ok"] is True,
                reason=str(value["reason"]),
                seconds=float(value["seconds"]),
                terms=tuple(str(term) for term in value["terms"]),
            )
            found.append((int(value["index"]), report))
        except (ValueError, KeyError, TypeError):
            continue
    return found
