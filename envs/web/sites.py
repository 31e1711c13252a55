"""Sites: what stands behind a host name in our browsers. A site answers requests itself, inside this process; nothing else is reachable.

Three kinds. A folder of files (MiniWoB++). An application with a state of its own (the shop, the tracker), asked by us and not by
the browser, so the browser needs no network for it either. A real server that the browser talks to itself names its loopback
address in `upstream`, and only that address is let through, see guard.py.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request of a page to its own site."""

    method: str = "GET"
    path: str
    """Path with its query, without a fragment."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a site answers."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),)
    body: bytes = b""


class Application(Protocol):
    """A site that keeps a state: it answers requests, one after the other."""

    def reply(self, request: Request) -> Reply:
        """Answer; raises `BrowserError` when what stands behind it is gone, which is never an outcome of an episode."""
        ...


@dataclass(frozen=True)
class Site:
    """A folder of files, or an application, under a host name that exists only inside our browsers."""

    name: str
    folder: Path
    adapter: str
    """Script that runs in every page after page.js and defines `__site` (see miniwob.js)."""
    upstream: str = ""
    """`127.0.0.1:port` of a real server, or empty."""
    application: Application | None = field(default=None, compare=False)
    """What answers in place of the folder. Its pages may lead to each other; all other sites are one document."""

    @property
    def host(self) -> str:
        return f"{self.name}.test"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for `path`; 404 for what is not a file inside the folder."""
        return read_file(self.folder, path.split("?", 1)[0].split("#", 1)[0])


@lru_cache(maxsize=512)
def read_file(folder: Path, path: str) -> tuple[int, str, bytes]:
    """Status, content type and body of a file; 404 for what is not one inside the folder."""
    target = (folder / path.lstrip("/")).resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        return 404, "text/plain", b"not here"
    kind = mimetypes.guess_type(target.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith("javascript"):
        kind += "; charset=utf-8"
    return 200, kind, target.read_bytes()
