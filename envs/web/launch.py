"""Start a browser in a process group of its own, and always reap it. Knows nothing of what the browser is told.

The distribution's launcher is a shell script, so killing the child that we started would leak the browser: we kill the group.
A small shell stands guard in the group: when this process dies, however it dies, the shell's standard input closes, and it
removes the profile and kills the group.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from envs.web.backend import BrowserError

_GUARD = (
    'trap : TERM; folder="$1"; shift; "$@" & child=$!; exec 3<&- 4>&-; read _; kill -KILL $child; kill -TERM 0; '
    'sleep 0.5; rm -rf "$folder"; sleep 0.5; rm -rf "$folder"; kill -KILL 0; exit 0'
)
_PATIENCE_S = 5.0


@dataclass
class Process:
    """A running browser: its group, its profile, and the ends of its pipes that are ours."""

    group: int
    folder: Path
    read_end: int = -1
    write_end: int = -1
    guard: int = -1
    _done: bool = field(default=False, repr=False)

    def close(self) -> None:
        """Kill the group, wait until nothing of it is left, remove the profile. May be called twice."""
        if self._done:
            return
        self._done = True
        for end in (self.read_end, self.write_end):
            _shut(end)
        _kill(self.group)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.group, 0)
        _shut(self.guard)
        if not _gone(self.group):
            raise BrowserError(f"process group {self.group} of the browser is still there after being killed")
        shutil.rmtree(self.folder, ignore_errors=True)


def launch(command: Sequence[str], environment: Mapping[str, str], *, pipes: bool) -> Process:
    """Start `command` (with `{folder}` replaced by a fresh profile folder) as the leader's child of a new group.

    With `pipes` the browser gets its messages on descriptor 3 and answers on 4.
    """
    folder = Path(tempfile.mkdtemp(prefix="experimenter-web-"))
    filled = [part.replace("{folder}", str(folder)) for part in command]
    guard_out, guard_in = _pipe()
    down_out, down_in = _pipe() if pipes else (-1, -1)
    up_out, up_in = _pipe() if pipes else (-1, -1)
    log = os.open(folder / "browser.log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, guard_out, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    if pipes:
        actions += [(os.POSIX_SPAWN_DUP2, down_out, 3), (os.POSIX_SPAWN_DUP2, up_in, 4)]
    home = {"HOME": str(folder), "TMPDIR": str(folder), "TZ": "UTC", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    try:
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _GUARD, "guard", str(folder), *filled],
            {**home, **environment},
            file_actions=actions,
            setsid=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BrowserError(f"the browser could not be started: {error}") from error
    finally:
        for end in (guard_out, down_out, up_in, log):
            _shut(end)
    return Process(group=pid, folder=folder, read_end=up_out, write_end=down_in, guard=guard_in)


@lru_cache(maxsize=1)
def offline_prefix() -> tuple[str, ...]:
    """Command that runs another without any network, not even loopback; empty where the system does not let us."""
    found = shutil.which("unshare")
    if found is None:
        return ()
    prefix = (found, "--map-current-user", "--net", "--")
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return prefix if tried.returncode == 0 else ()


def list_group(group: int) -> list[int]:
    """Process ids of a group that are still running (zombies left out)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def _pipe() -> tuple[int, int]:
    """A pipe whose ends lie above 63, so that they never collide with descriptors 0 to 4 of the child."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 64) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _shut(end: int) -> None:
    if end >= 0:
        with contextlib.suppress(OSError):
            os.close(end)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _gone(group: int) -> bool:
    """Wait until no process of the group runs any more."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if not list_group(group):
            return True
        time.sleep(0.01)
    return False
