"""Warm starts: children forked from a process that has its imports done, confined exactly like cold ones.

`Nursery` owns that process (`keeper.py`), which starts at the first request and ends with its owner. `start_warm` gives a child
what `confine.start_confined` gives a command: at level `namespaces` a room of its own made by bubblewrap (`room.py`), at level
`landlock` the same Landlock rules, and at both the same environment made from nothing, limits, dropped capabilities and filter.
One child runs one errand and is gone: no two programs ever share a process.

What a warm start does not renew: the layout of the address space, which all children of one nursery have in common.
Where a warm start cannot be had, `NotWarm` says why, and the caller starts cold.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from experimenter.errors import SandboxError
from experimenter.sandbox import confine, keeper, room, view
from experimenter.sandbox.confine import Level, Limits

_LOG = logging.getLogger(__name__)
_START_S = 120.0
"""Seconds for imports, preparation and fork on a busy machine."""
_END_S = 30.0
_FAILURES = 3
_MIB = 1024**2
_PASSED_ON = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "PYTHONPATH")
"""Variables of ours that the stem process is given besides the minimal ones: where packages and caches lie, never a key."""


class NotWarm(SandboxError):
    """A warm start cannot be had; nothing of the errand has run."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a child is to do: call `target` with `arguments`; an int that it returns is the exit code."""

    target: str
    """`module:function`."""
    arguments: tuple[str, ...] = ()
    prepare: str = ""
    """`module:function` of trusted code that the stem process runs once before it forks; its effects are inherited."""
    prepare_arguments: tuple[str, ...] = ()

    @property
    def wish(self) -> dict[str, Any]:
        """What the stem process is told of it."""
        return {"prepare": self.prepare, "arguments": self.prepare_arguments}


@dataclass(kw_only=True)
class WarmChild:
    """A running child; like a `Popen` as far as supervisors need it."""

    pid: int
    link: socket.socket
    room: room.Room | None
    returncode: int | None = None
    cpu_s: float = 0.0
    """CPU seconds of the child and what it reaped, known when it has ended."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has_ended(self) -> bool:
        return self.wait(0.0)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for its end; True when it has ended."""
        with self._lock:
            if self.returncode is None and select.select([self.link], [], [], seconds)[0]:
                self._hear()
        return self.returncode is not None

    def kill(self) -> None:
        """Kill the child, its group and its room for good, and wait for that. Harmless when it has already ended."""
        if self.returncode is None:
            with contextlib.suppress(OSError):
                self.link.send(keeper.KILL)
        if self.room is not None:
            self.room.close()
        if not self.wait(_END_S):
            _LOG.error("process %d did not end within %.0f s of its kill", self.pid, _END_S)
            self.returncode = -9
        self.link.close()

    def measure(self) -> float:
        """CPU seconds so far, as the kernel counts them; 0 when that cannot be read."""
        return self.cpu_s if self.returncode is not None else measure_tree(self.pid)

    def _hear(self) -> None:
        try:
            message = json.loads(self.link.recv(keeper.MESSAGE_BYTES) or b"{}")
        except OSError:
            message = {}
        # no word: the keeper is gone, and the child with it
        self.returncode = int(message.get("ended", -9))
        self.cpu_s = float(message.get("cpu_s", 0.0))


def measure_tree(pid: int) -> float:
    """CPU seconds of a process and its children, living and reaped; 0 when it is gone."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))
    return 0.0


class Nursery:
    """Owns one stem process. Threads may share it."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Name what the stem process imports and the variables that it is given: no key may be among them."""
        self._modules = tuple(modules)
        self._environment = dict(environment)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False
        self._failures = 0
        self._refused = ""

    def close(self) -> None:
        """End the stem process. Children go on; whoever started them ends them."""
        with self._lock:
            self._closed = True
            self._drop()

    def _count_failure(self, reason: str) -> None:
        """Give up after a few failures: what keeps failing here costs time at every start."""
        with self._lock:
            self._failures += 1
            if self._failures == _FAILURES:
                _LOG.info("no more warm starts: %s", reason)
                self._refused = reason

    def warm_up(self, errand: Errand) -> None:
        """Have imports and preparation done in the background, ahead of the first child. Raises `NotWarm`."""
        with self._lock:
            keeper.tell(self._open(), errand.wish)

    def request(self, errand: Errand, message: Mapping[str, Any], handles: Sequence[int]) -> tuple[socket.socket, int]:
        """Have a child forked and confined; returns its link and process id. Raises `NotWarm`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                with self._lock:
                    keeper.tell(self._open(), errand.wish, [theirs.fileno()])
                whole = {**message, "target": errand.target, "arguments": errand.arguments}
                keeper.tell(ours, whole, handles)
            if not select.select([ours], [], [], _START_S)[0]:
                raise NotWarm(f"no child was started within {_START_S:.0f} s")
            answer = json.loads(ours.recv(keeper.MESSAGE_BYTES) or b"{}")
            if "pid" not in answer:
                raise NotWarm(str(answer.get("error", "the warm process ended")))
            return ours, int(answer["pid"])
        except (OSError, NotWarm) as error:
            ours.close()
            self._count_failure(str(error))
            raise NotWarm(str(error)) from error

    def _open(self) -> socket.socket:
        if self._closed or self._refused:
            raise NotWarm(self._refused or "the nursery is closed")
        if self._process is not None and self._process.poll() is not None:
            self._drop()
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "experimenter.sandbox.keeper", str(theirs.fileno()), *self._modules],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env=_stem_environment(self._environment), cwd="/", start_new_session=True,
                    pass_fds=(theirs.fileno(),),
                )  # fmt: skip
        return self._control

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            room.kill_and_reap(self._process)
        self._control = self._process = None


def start_warm(
    nursery: Nursery,
    errand: Errand,
    *,
    folder: Path,
    limits: Limits,
    readable: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    level: Level | None = None,
    allow_unconfined: bool = False,
    keep: Sequence[int] = (),
) -> WarmChild:
    """Start `errand` confined, like `confine.start_confined` a command; raises `NotWarm` when only a cold start can do.

    `keep` are handles that stay open, outside the child, until it has ended.
    """
    folder, chosen = folder.resolve(), confine.choose_level(level, allow_unconfined)
    paths = view.visible_paths(readable)
    plan = confine.make_plan(paths, folder=folder, limits=limits, level=chosen)
    variables = confine.make_environment(folder, chosen, environment)
    place = _open_room(paths, folder, variables, limits) if chosen is Level.NAMESPACES else None
    message = {
        "environment": variables,
        "plan": plan.to_json(),
        "namespaces": room.namespaces(place.holder) if place is not None else {},
    }
    try:
        with (folder / confine.STDOUT_NAME).open("wb") as out, (folder / confine.STDERR_NAME).open("wb") as err:
            rooms = [place.handle] if place is not None else []
            standard = (None, out.fileno(), err.fileno())
            return _start(nursery, errand, message, standard, [*rooms, *keep], place)
    except BaseException:
        if place is not None:
            place.close()
        raise


def start_warm_trusted(
    nursery: Nursery,
    errand: Errand,
    *,
    environment: Mapping[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    keep: Sequence[int] = (),
) -> WarmChild:
    """Start `errand` unconfined, for trusted code only, with this environment; None stands for nothing. Raises `NotWarm`."""
    message = {"environment": dict(environment), "plan": None, "namespaces": {}}
    return _start(nursery, errand, message, (stdin, stdout, stderr), keep, None)


def _start(
    nursery: Nursery,
    errand: Errand,
    message: Mapping[str, Any],
    standard: tuple[int | None, int | None, int | None],
    further: Sequence[int],
    place: room.Room | None,
) -> WarmChild:
    with Path(os.devnull).open("r+b") as nothing:
        handles = [nothing.fileno() if handle is None else handle for handle in standard]
        link, pid = nursery.request(errand, message, [*handles, *further])
    return WarmChild(pid=pid, link=link, room=place)


def _open_room(paths: Sequence[str], folder: Path, variables: Mapping[str, str], limits: Limits) -> room.Room:
    if not room.can_join():
        raise NotWarm("this machine cannot join a namespace by pidfd")
    try:
        return room.open_room(paths, folder, variables, temporary_bytes=limits.file_bytes or 16 * _MIB)
    except SandboxError as error:
        raise NotWarm(str(error)) from error


def _stem_environment(given: Mapping[str, str]) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**confine.minimal_environment(), **passed, **given}
