"""An empty bubblewrap sandbox that a forked process can step into: the namespaces and the view of files that `confine` gives.

bubblewrap can only confine what it executes, and an exec forgets every import. So bubblewrap starts a program that merely
waits (`cat`, under the same seccomp filter as a confined child), and a process that has its imports done joins the namespaces
which that program holds open. The room is bubblewrap's own, made by the same command line as for a cold start; it ends with the
thread that opened it, and the kernel kills whoever is inside. What a child applies to itself besides is `lockdown`'s.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experimenter.errors import SandboxError
from experimenter.sandbox import kernel, view

_KINDS = {
    "user": 0x10000000, "mnt": 0x00020000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000,
    "cgroup": 0x02000000,
}  # fmt: skip
"""Namespace name under /proc/<pid>/ns -> its CLONE_NEW flag."""
_ALWAYS = ("mnt", "pid", "net", "ipc", "uts")
"""Namespaces that bubblewrap always makes anew; `user` and `cgroup` only where it may."""
_READY_S = 20.0


@dataclass(kw_only=True)
class Room:
    """An open room: close it to kill everything inside."""

    process: subprocess.Popen[bytes]
    """bubblewrap, leader of its own process group."""
    holder: int
    """Process id of the waiting program, which is process 1 inside."""
    handle: int
    """Pidfd of the holder; -1 when closed."""

    def close(self) -> None:
        """Kill bubblewrap and with it the whole process namespace. Harmless the second time."""
        kill_and_reap(self.process)
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def can_join() -> bool:
    """Say whether this machine has what a room needs: pidfds (Linux 5.8 for joining by one), a seccomp filter and `cat`."""
    return (
        sys.platform == "linux" and hasattr(os, "pidfd_open") and kernel.can_filter_calls() and _waiting_program() != ""
    )


def open_room(paths: Sequence[str], folder: Path, environment: Mapping[str, str], *, temporary_bytes: int) -> Room:
    """Open a room with read-only `paths` and the writable `folder`. Raises `SandboxError` when bubblewrap cannot."""
    told, tell = os.pipe()
    rules, rule = os.pipe()
    os.write(rule, kernel.filter_program())
    os.close(rule)
    bubblewrap, *arguments = view.bubblewrap_arguments(paths, folder, temporary_bytes=temporary_bytes)
    extra = ["--as-pid-1", "--info-fd", str(tell), "--seccomp", str(rules)]
    try:
        process = subprocess.Popen(
            [bubblewrap, *extra, *arguments, "--", _waiting_program()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(environment), cwd=folder, start_new_session=True, pass_fds=(tell, rules),
        )  # fmt: skip
    finally:
        os.close(tell)
        os.close(rules)
    return _await_room(process, told)


def namespaces(process: int | str) -> dict[str, str]:
    """The namespaces of a process as the kernel names them; `self` for this one."""
    return {kind: str(Path(f"/proc/{process}/ns/{kind}").readlink()) for kind in _KINDS}


def join(handle: int, wanted: Mapping[str, str]) -> None:
    """Move this process (its children, for `pid`) into the namespaces `wanted` of the pidfd's process. Single-threaded only.

    Raises `OSError` when the kernel refuses, `SandboxError` when a namespace that must be new is the one we are in.
    """
    own = namespaces("self")
    for kind in _ALWAYS:
        if own[kind] == wanted[kind]:
            raise SandboxError(f"the room shares our {kind} namespace")
    flags = sum(flag for kind, flag in _KINDS.items() if own[kind] != wanted[kind])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(ctypes.c_int(handle), ctypes.c_int(flags)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def kill_and_reap(process: subprocess.Popen[bytes]) -> None:
    """Kill a process group by its leader, reap the leader and close its pipes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, 9)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _waiting_program() -> str:
    return shutil.which("cat", path="/usr/bin:/bin") or ""


def _await_room(process: subprocess.Popen[bytes], told: int) -> Room:
    """Wait until the holder answers: it runs only when bubblewrap has finished everything."""
    handle = -1
    try:
        with os.fdopen(told, "rb") as news:
            holder = int(json.loads(news.read())["child-pid"])
        handle = os.pidfd_open(holder)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], _READY_S)[0] or os.read(process.stdout.fileno(), 1) != b"\n":
            raise ValueError("bubblewrap started nothing")
        return Room(process=process, holder=holder, handle=handle)
    except (OSError, ValueError, KeyError) as error:
        words = _last_words(process)
        kill_and_reap(process)
        if handle >= 0:
            os.close(handle)
        raise SandboxError(f"no room to train in: {words or error}") from error


def _last_words(process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 0.2
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if process.poll() is None or process.stderr is None:
        return ""
    lines = process.stderr.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
