"""Trac's process as we see it: started in a group of its own without any network, asked over pipes, always reaped.

The worlds of a process share one server, for it answers one request at a time anyway; each has an environment directory of its own in it.
The server ends with the last world that uses it, and with our process however that ends.

Where the ground fails under Trac (its database, files, memory), that is a `BrowserError` whose one line says the request and Trac's own
words, never a page that an agent is shown or judged on. What else Trac does wrong by itself is Trac, and shown as it shows it.
"""

from __future__ import annotations

import builtins
import html
import json
import logging
import os
import re
import select
import shutil
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from envs.web.backend import BrowserError
from envs.web.launch import Process, launch, offline_prefix
from envs.web.sites import Reply, Request
from envs.web.tracker.base import USER, base_environment, templates_folder

_log = logging.getLogger(__name__)
START_S = 120.0
"""Seconds that Trac may take until it listens: its imports, on a machine that is busy with other things."""
_DETECTED = b"detected an internal error"
"""What Trac says on a page that stands for an exception of its own; a wrong request gets other words with the same status."""
_SAYS = re.compile(rb"<pre[^>]*>\s*(?P<words>[^<]+?)\s*</pre>", re.DOTALL)
_GROUND = (OSError, MemoryError, sqlite3.OperationalError)
"""Exceptions that are no fault of a request or of Trac."""


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
            self.starts += 1
            self._kept = b""
            python = [
                sys.executable,
                "-m",
                "envs.web.tracker.server",
                "{folder}/environments",
                USER,
                str(templates_folder()),
            ]
            paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
            told = {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONDONTWRITEBYTECODE": "1"}
            self._process = process = launch([*offline_prefix(), *python], told, pipes=True)
            try:
                self._receive(process, START_S)
            except (OSError, BrowserError, ValueError) as error:
                raise self._failed("did not start", error) from error
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
            reply = self._receive(process, self._timeout_s)
        except (OSError, BrowserError, ValueError) as error:
            raise self._failed(f"failed on {request.method} {request.path[:120]}", error) from error
        if reply.status >= 500 and _DETECTED in reply.body:
            _judge_error(f"{request.method} {request.path[:120]}", _words_of(reply.body))
        return reply

    def _failed(self, what: str, error: Exception) -> BrowserError:
        """End the process; return the one line that says what happened, with the last words that it left in its log."""
        last = _last_line(self._process.folder / "browser.log") if self._process else ""
        self.close()
        return BrowserError(f"the tracker {what}: {error}{f' ({last})' if last else ''}")

    def _send(self, process: Process, data: bytes) -> None:
        while data:
            _, free, _ = select.select([], [process.write_end], [], self._timeout_s)
            if not free:
                raise BrowserError("it takes no requests any more")
            data = data[os.write(process.write_end, data) :]

    def _receive(self, process: Process, limit_s: float) -> Reply:
        deadline = time.monotonic() + limit_s
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
            raise BrowserError("no answer in time")
        data = os.read(process.read_end, 1 << 18)
        if not data:
            raise BrowserError("its process ended")
        self._kept += data

    def close(self) -> None:
        """Kill the process group and remove the environments. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def forget(self) -> None:
        """In a fork of our process: let go of what belongs to that, without touching it; a server of its own starts when needed."""
        self._process, self._kept = None, b""
        self._used, self._free = set(), []


def _judge_error(request: str, words: str) -> None:
    """Raise `BrowserError` where `words`, an exception that Trac caught, tell of the ground under it and not of Trac."""
    name = words.partition(":")[0]
    kind = getattr(builtins, name, None) or getattr(sqlite3, name, None)
    if isinstance(kind, type) and (issubclass(kind, _GROUND) or kind is sqlite3.DatabaseError):
        raise BrowserError(f"the tracker failed on {request}: {words}")
    _log.info("Trac shows an error of its own on %s: %s", request, words)


def _words_of(page: bytes) -> str:
    """The exception on the page that Trac makes of one, in one line."""
    found = _SAYS.search(page)
    said = found["words"] if found else b"nothing more"
    return " ".join(html.unescape(said.decode(errors="replace")).split())[:300]


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:300] if lines else ""


SHARED = Tracd("tracker.test")
"""The server of this process."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SHARED.forget)
