"""Runs in a process of its own: Trac behind two pipes. Requests come on descriptor 3, replies go to 4, the first of
them to say that it is ready; see `process.Tracd`.

It does what a web server does for Trac and no more: it calls Trac's WSGI entry point, and says who the user is on `/login`, as basic
authentication there would. It is the only file that imports Trac. One request at a time.

    python -m envs.web.tracker.server ENVIRONMENTS USER TEMPLATES
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

Dispatch = Callable[[dict[str, Any], Callable[..., Any]], Any]
_SETTLED = (1, 4)
"""Requests of an environment after which what is loaded is kept out of the collector: Trac collects after every request, half of its time."""


def main(environments: Path, user: str, templates: Path) -> None:
    """Answer requests until the pipe closes; `templates` is a folder for compiled ones."""
    warnings.simplefilter("ignore")
    _keep_templates(templates)
    dispatch: Dispatch = import_module("trac.web.main").dispatch_request
    asked: Counter[str] = Counter()
    with os.fdopen(3, "rb") as told, os.fdopen(4, "wb") as answers:
        _send(answers, "204 Ready", [], b"")
        while line := told.readline():
            head = json.loads(line)
            name, body = head["environment"], told.read(head["length"])
            _send(answers, *_dispatch(dispatch, environments / name, user, head, body))
            asked[name] += 1
            if asked[name] in _SETTLED:
                gc.freeze()


def _keep_templates(folder: Path) -> None:
    """Let every Jinja environment take compiled templates from `folder`. Trac makes one an environment, and would compile them all again."""
    if folder == Path() or not os.access(folder, os.W_OK):
        return
    jinja2 = import_module("jinja2")
    kept, begin = jinja2.FileSystemBytecodeCache(str(folder)), jinja2.Environment.__init__

    def begin_with_cache(self: Any, *arguments: Any, **settings: Any) -> None:
        begin(self, *arguments, **{"bytecode_cache": kept, **settings})

    jinja2.Environment.__init__ = begin_with_cache


def _dispatch(
    dispatch: Dispatch, environment: Path, user: str, head: dict[str, Any], body: bytes
) -> tuple[str, list[tuple[str, str]], bytes]:
    found: list[Any] = ["500 Internal Server Error", []]
    written = io.BytesIO()

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        found[:] = [status, headers]
        return written.write

    for chunk in dispatch(_environ(environment, user, head, body), start_response) or ():
        written.write(chunk)
    return found[0], found[1], written.getvalue()


def _environ(environment: Path, user: str, head: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of a request."""
    path, _, query = head["path"].partition("?")
    headers = {name.replace("-", "_").upper(): value for name, value in head["headers"].items()}
    environ: dict[str, Any] = {
        f"HTTP_{name}": value for name, value in headers.items() if not name.startswith("CONTENT_")
    }
    environ |= {
        "REQUEST_METHOD": head["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("iso-8859-1"),
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": head["host"],
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": head["host"],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "trac.env_path": str(environment),
    }
    if path.rstrip("/") == "/login":
        environ["REMOTE_USER"] = user
    return environ


def _send(answers: BinaryIO, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
    head = {"status": int(status.split()[0]), "headers": headers, "length": len(body)}
    answers.write(json.dumps(head).encode() + b"\n" + body)
    answers.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3] if len(sys.argv) > 3 else ""))
