"""The check worker: inside a confined process, load and probe each program in a fork of its own.

Reads one request (JSON) from standard input, writes one JSON line a program. A program that hangs, crashes or exhausts its
limits ends its own fork; the next one starts from a clean copy. What a fork reports is as untrusted as the program in it.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from envs.family import Card, Variable
from experimenter.errors import ProgramRefused
from experimenter.sandbox import kernel
from experimenter.sandbox.guard import RewardFault
from experimenter.sandbox.load import load_code
from experimenter.sandbox.probes import probe

MAX_REPORT = 64 * 1024


def main() -> int:
    """Answer the request on standard input."""
    request = json.loads(sys.stdin.buffer.read())
    card = card_from_json(request["card"])
    for index, source in enumerate(request["programs"]):
        report = check_in_fork(source, card, request["cpu_s"], request["wall_s"], unconfined=request["unconfined"])
        sys.stdout.write(json.dumps({"index": index, **report}) + "\n")
        sys.stdout.flush()
    return 0


def card_to_json(card: Card) -> dict[str, Any]:
    """The part of a card that a check needs, JSON-plain (infinities as Python's JSON writes them)."""

    def plain(variable: Variable) -> dict[str, Any]:
        return {
            "name": variable.name,
            "shape": list(variable.shape),
            "unit": variable.unit,
            "low": variable.low,
            "high": variable.high,
        }

    return {"family": card.family, "state": [plain(v) for v in card.state], "actions": [plain(v) for v in card.actions]}


def card_from_json(values: dict[str, Any]) -> Card:
    """Build a card again from `card_to_json`; its words are empty."""

    def variable(value: dict[str, Any]) -> Variable:
        shape = tuple(int(size) for size in value["shape"])
        return Variable(name=value["name"], shape=shape, unit=value["unit"], low=value["low"], high=value["high"])

    return Card(
        family=values["family"], title="", text="", params=(), fitness="", success="", horizon=1,
        state=tuple(variable(value) for value in values["state"]),
        actions=tuple(variable(value) for value in values["actions"]),
    )  # fmt: skip


def check_in_fork(source: str, card: Card, cpu_s: int, wall_s: float, *, unconfined: bool) -> dict[str, Any]:
    """Check one program in a child; return {"ok", "reason", "seconds", "terms"}."""
    started = time.monotonic()
    said: dict[str, str] = {}
    text = run_in_fork(
        lambda: json.dumps(_check(source, card, unconfined)),
        cpu_s=cpu_s, wall_s=wall_s, unconfined=unconfined, on_silence=lambda reason: said.update(reason=reason),
    )  # fmt: skip
    report = _parse(text) or {"ok": False, "reason": said.get("reason", "the program gave no answer."), "terms": []}
    return {**report, "seconds": time.monotonic() - started}


def run_in_fork(
    work: Callable[[], str],
    *,
    cpu_s: int,
    wall_s: float,
    unconfined: bool,
    on_silence: Callable[[str], None] = lambda reason: None,
) -> bytes:
    """Run `work` in a child with its last doors shut and return what it said; `on_silence` hears how it ended."""
    started = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run_child(writer, work, cpu_s, unconfined)
    os.close(writer)
    text, in_time = _read_until(reader, started + wall_s)
    os.close(reader)
    _kill(child)
    _, status = os.waitpid(child, 0)
    on_silence(_how_it_ended(status, in_time, cpu_s, wall_s))
    return text


def _run_child(writer: int, work: Callable[[], str], cpu_s: int, unconfined: bool) -> None:
    """Shut the last doors, work, report, end. Never returns."""
    try:
        _tighten(cpu_s, unconfined)
        text = work().encode()[:MAX_REPORT]
        while text:
            text = text[os.write(writer, text) :]
    finally:
        os._exit(0)


def _tighten(cpu_s: int, unconfined: bool) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if not unconfined and kernel.can_filter_calls():
        kernel.filter_calls(allow_processes=False, extra=(*kernel.PROGRAM_CALLS, *kernel.METADATA_CALLS))


def _check(source: str, card: Card, unconfined: bool) -> dict[str, Any]:
    try:
        terms = probe(load_code(source, card, allow_unconfined=unconfined), card)
    except (ProgramRefused, RewardFault) as error:
        return {"ok": False, "reason": str(error), "terms": []}
    except MemoryError:
        return {"ok": False, "reason": "the program ran out of memory.", "terms": []}
    return {"ok": True, "reason": "", "terms": list(terms)}


def _read_until(reader: int, deadline: float) -> tuple[bytes, bool]:
    """Read the report to its end; the second value is False when the deadline came first."""
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0 and sum(map(len, parts)) < MAX_REPORT:
        if not select.select([reader], [], [], left)[0]:
            return b"", False
        part = os.read(reader, MAX_REPORT)
        if not part:
            return b"".join(parts), True
        parts.append(part)
    return b"".join(parts), bool(parts)


def _kill(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        return


def _parse(text: bytes) -> dict[str, Any] | None:
    """Take over a fork's report field by field, or None when there is none."""
    try:
        value = json.loads(text)
        terms = [str(term)[:64] for term in value["terms"]][:32]
        return {"ok": value["ok"] is True, "reason": str(value["reason"])[:1000], "terms": terms}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _how_it_ended(status: int, in_time: bool, cpu_s: int, wall_s: float) -> str:
    if not in_time:
        return f"the program did not finish within {wall_s:g} s: an endless or very long loop."
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return f"the program used more than {cpu_s} s CPU: an endless or very long computation."
    how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
    return f"the program ended its process ({how}) without an answer: too much memory, or an attempt to leave."


if __name__ == "__main__":
    sys.exit(main())
