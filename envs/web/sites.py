"""Sites: where pages come from. A site answers requests itself, inside this process; nothing else is reachable.

A site that is a real server (a shop, a tracker) names its loopback address in `upstream` instead, and only that address
is let through, see guard.py.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class Site:
    """A folder of files under a host name that exists only inside our browsers."""

    name: str
    folder: Path
    adapter: str
    """Script that runs in every page after page.js and defines `__site` (see miniwob.js)."""
    upstream: str = ""
    """`127.0.0.1:port` of a real server, or empty."""

    @property
    def host(self) -> str:
        return f"{self.name}.test"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for `path`; 404 for what is not a file inside the folder."""
        return _read(self.folder, path.split("?", 1)[0].split("#", 1)[0])


@lru_cache(maxsize=512)
def _read(folder: Path, path: str) -> tuple[int, str, bytes]:
    target = (folder / path.lstrip("/")).resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        return 404, "text/plain", b"not here"
    kind = mimetypes.guess_type(target.name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind.endswith("javascript"):
        kind += "; charset=utf-8"
    return 200, kind, target.read_bytes()
