"""The trial behind `describe_confinement`: a program that tries the doors and names those that are open."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

PROGRAM = """
import json, os, socket, sys
doors = json.loads(sys.argv[1])
opened = []
def attempt(what, act):
    try:
        act()
    except OSError:
        return
    opened.append(what)
def fork():
    if os.fork() == 0:
        os._exit(0)
attempt("read a file outside its folder", lambda: open(doors["secret"]).read())
attempt("write outside its folder", lambda: open(doors["target"], "w").close())
attempt("reach the network", lambda: socket.create_connection(("127.0.0.1", doors["port"]), 2))
attempt("see another process", lambda: open("/proc/%d/environ" % doors["parent"], "rb").read())
attempt("start a process", fork)
if set(os.environ) & set(doors["variables"]):
    opened.append("read the parent's environment")
sys.stdout.write(", ".join(opened))
"""
"""Prints the open doors, nothing when all are shut."""


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What the trial program may try."""

    secret: str
    target: str
    port: int
    parent: int
    variables: list[str]
    """Names of the parent's own environment variables."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@contextlib.contextmanager
def open_doors(given: Iterable[str]) -> Iterator[Doors]:
    """Set up a readable file, a writable folder and a listening port that a confined child must not reach.

    `given` are the environment variables that the child is given or sets itself.
    """
    with tempfile.TemporaryDirectory(prefix="door-") as name, socket.create_server(("127.0.0.1", 0)) as server:
        secret = Path(name) / "secret.txt"
        secret.write_text("secret", encoding="utf-8")
        yield Doors(
            secret=str(secret),
            target=str(Path(name) / "written.txt"),
            port=int(server.getsockname()[1]),
            parent=os.getpid(),
            variables=sorted(set(os.environ) - set(given)),
        )
