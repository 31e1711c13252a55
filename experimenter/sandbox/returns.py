"""What reward programs would have paid on recorded episodes: computed in a confined process, one fork a program.

    python -m experimenter.sandbox.returns          (inside the sandbox; reads `rows.npz` and `request.json` in its folder)

Numbers that come back are untrusted like everything else that a program's process says: they are checked for shape and finiteness.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from envs.family import Card, FloatArray
from experimenter.errors import SandboxError
from experimenter.sandbox.confine import Level, Limits, describe_confinement, run_confined
from experimenter.sandbox.guard import RewardFault, call_program
from experimenter.sandbox.load import load_code
from experimenter.sandbox.worker import card_from_json, card_to_json, run_in_fork

_MIB = 1024**2
_CHUNK = 4096
_CPU_S, _WALL_S, _START_S = 20, 60.0, 60.0


class Episode(Protocol):
    """The part of a trajectory that a reward program is called with."""

    @property
    def state(self) -> Mapping[str, FloatArray]: ...
    @property
    def action(self) -> FloatArray: ...
    @property
    def next_state(self) -> Mapping[str, FloatArray]: ...


def episode_returns(
    sources: Sequence[str], card: Card, episodes: Sequence[Episode], *, allow_unconfined: bool = False
) -> list[tuple[float, ...] | str]:
    """Sum each program's reward over each episode: per program the returns [episodes], or why it failed on them.

    Raises `SandboxError` when the sandbox itself fails or nothing can confine here.
    """
    if not sources or not episodes:
        return [() for _ in sources]
    chosen = describe_confinement().level
    with tempfile.TemporaryDirectory(prefix="returns-") as name:
        folder = Path(name)
        lengths = _write_rows(folder / "rows.npz", episodes)
        request = {
            "card": card_to_json(card),
            "programs": list(sources),
            "lengths": lengths,
            "unconfined": chosen is Level.NONE and allow_unconfined,
        }
        limits = Limits(
            memory_bytes=2048 * _MIB,
            cpu_s=30 + len(sources) * _CPU_S,
            wall_s=_START_S + len(sources) * _WALL_S,
            file_bytes=_MIB,
            processes=2,
        )
        ended = run_confined(
            [sys.executable, "-m", "experimenter.sandbox.returns"],
            folder=folder, limits=limits, stdin=json.dumps(request).encode(), level=chosen, allow_unconfined=allow_unconfined,
        )  # fmt: skip
    found = dict(_reports(ended.stdout, len(lengths)))
    if not found and ended.returncode != 0 and not ended.timed_out:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise SandboxError(f"the returns process could not start: {last[0][:300]}. Run `experimenter doctor`.")
    return [found.get(index, "the program ended its process without an answer.") for index in range(len(sources))]


def _write_rows(path: Path, episodes: Sequence[Episode]) -> list[int]:
    arrays: dict[str, Any] = {"action": np.concatenate([one.action for one in episodes])}
    for name in episodes[0].state:
        arrays[f"before:{name}"] = np.concatenate([one.state[name] for one in episodes])
        arrays[f"after:{name}"] = np.concatenate([one.next_state[name] for one in episodes])
    np.savez(path, **arrays)
    return [len(one.action) for one in episodes]


def _reports(output: bytes, count: int) -> list[tuple[int, tuple[float, ...] | str]]:
    found: list[tuple[int, tuple[float, ...] | str]] = []
    for line in output.decode(errors="replace").splitlines():
        try:
            value: dict[str, Any] = json.loads(line)
            index, returns = int(value["index"]), [float(one) for one in value.get("returns", [])]
            if not value.get("ok") or len(returns) != count or not all(map(math.isfinite, returns)):
                found.append((index, str(value.get("reason") or "it gave no finite return for every episode.")[:500]))
            else:
                found.append((index, tuple(returns)))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def main() -> int:
    """Answer the request on standard input."""
    request = json.loads(sys.stdin.buffer.read())
    card = card_from_json(request["card"])
    with np.load("rows.npz", allow_pickle=False) as stored:
        rows = {name: stored[name] for name in stored.files}
    for index, source in enumerate(request["programs"]):
        text = run_in_fork(
            lambda source=source: _sum_up(source, card, rows, request["lengths"], request["unconfined"]),  # type: ignore[misc]
            cpu_s=_CPU_S, wall_s=_WALL_S, unconfined=request["unconfined"],
        )  # fmt: skip
        try:
            report = json.loads(text)
        except ValueError:
            report = {"ok": False, "reason": "it did not finish on the recorded episodes."}
        sys.stdout.write(json.dumps({**report, "index": index}) + "\n")
        sys.stdout.flush()
    return 0


def _sum_up(source: str, card: Card, rows: Mapping[str, FloatArray], lengths: Sequence[int], unconfined: bool) -> str:
    try:
        function = load_code(source, card, allow_unconfined=unconfined)
        rewards = np.concatenate(
            [_call(function, rows, start) for start in range(0, len(rows["action"]), _CHUNK)]  # chunks bound the memory
        )
    except RewardFault as error:
        return json.dumps({"ok": False, "reason": str(error)})
    ends = np.cumsum(lengths)
    returns = [float(part.sum()) for part in np.split(rewards, ends[:-1])]
    return json.dumps({"ok": True, "returns": returns})


def _call(function: Any, rows: Mapping[str, FloatArray], start: int) -> FloatArray:
    part = slice(start, start + _CHUNK)
    before = {name[7:]: array[part] for name, array in rows.items() if name.startswith("before:")}
    after = {name[6:]: array[part] for name, array in rows.items() if name.startswith("after:")}
    return call_program(function, before, rows["action"][part], after)[0]


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
