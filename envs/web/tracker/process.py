"""Trac's process as we see it: started in a group of its own without any network, asked over pipes, always reaped.

The worlds of a process share one server, for it answers one request at a time anyway; each has an environment directory of its own in it.
The server ends with the last world that uses it, and with our process however that ends.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from envs.web.backend import BrowserError
from envs.web.launch import Process, launch, offline_prefix
from envs.web.sites import Reply, Request
from envs.web.tracker.base import USER, base_environment


class Tracd:
    """One Trac process over a folder of environments, which is removed with it. Starts when it is first needed."""

    def __init__(self, host: str, timeout_s: float = 60.0) -> None:
        self._host, self._timeout_s = host, timeout_s
        self._process: Process | None = None
        self._kept = b""
        self._used: set[str] = set()
        self._free: list[str] = []
        self.starts = 0
        """How often the process was started; environments are new ones when this has moved on."""

    @property
    def group(self) -> int:
        """Process group, 0 when none runs."""
        return self._process.group if self._process else 0

    def enter(self) -> str:
        """Take the name of an environment that nobody else uses."""
        name = self._free.pop() if self._free else f"world{len(self._used)}"
        self._used.add(name)
        return name

    def leave(self, name: str) -> None:
        """Give an environment back; with the last one the process ends. May be called twice."""
        if name in self._used:
            self._used.remove(name)
            self._free.append(name)
        if not self._used:
            self.close()

    def database(self, name: str) -> Path:
        """The SQLite file of an environment; starts the process and copies the environment where they are not there."""
        folder = self._started().folder / "environments" / name
        try:
            if not folder.exists():
                shutil.copytree(base_environment(), folder)
        except OSError as error:
            self.close()
            raise BrowserError(f"the tracker could not be set up: {error}") from error
        return folder / "db" / "trac.db"

    def _started(self) -> Process:
        if self._process is None:
            base_environment()
            self.starts += 1
            self._kept = b""
            python = [sys.executable, "-m", "envs.web.tracker.server", "{folder}/environments", USER]
            paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
            told = {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONDONTWRITEBYTECODE": "1"}
            self._process = launch([*offline_prefix(), *python], told, pipes=True)
        return self._process

    def ask(self, name: str, request: Request) -> Reply:
        """Let Trac answer for one environment; raises `BrowserError` when it is gone or too slow, and it is then started afresh."""
        process = self._process
        if process is None:
            raise BrowserError("the tracker has ended")
        head = {"method": request.method, "path": request.path, "headers": dict(request.headers), "host": self._host}
        told = json.dumps({**head, "environment": name, "length": len(request.body)})
        try:
            self._send(process, told.encode() + b"\n" + request.body)
            return self._receive(process)
        except (OSError, BrowserError, ValueError) as error:
            self.close()
            raise BrowserError(f"the tracker failed: {error}") from error

    def _send(self, process: Process, data: bytes) -> None:
        while data:
            _, free, _ = select.select([], [process.write_end], [], self._timeout_s)
            if not free:
                raise BrowserError("it takes no requests any more")
            data = data[os.write(process.write_end, data) :]

    def _receive(self, process: Process) -> Reply:
        deadline = time.monotonic() + self._timeout_s
        while b"\n" not in self._kept:
            self._take(process, deadline)
        line, _, self._kept = self._kept.partition(b"\n")
        head: dict[str, Any] = json.loads(line)
        while len(self._kept) < head["length"]:
            self._take(process, deadline)
        body, self._kept = self._kept[: head["length"]], self._kept[head["length"] :]
        return Reply(status=head["status"], headers=tuple((name, value) for name, value in head["headers"]), body=body)

    def _take(self, process: Process, deadline: float) -> None:
        ready, _, _ = select.select([process.read_end], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise BrowserError(f"no answer within {self._timeout_s:g} s")
        data = os.read(process.read_end, 1 << 18)
        if not data:
            raise BrowserError("its process ended")
        self._kept += data

    def close(self) -> None:
        """Kill the process group and remove the environments. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


SHARED = Tracd("tracker.test")
"""The server of this process."""
