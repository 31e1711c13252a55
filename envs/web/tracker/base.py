"""The tracker's environment directory as every episode finds it: made once a machine by Trac's own set-up, then only copied."""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from envs.web.backend import BrowserError, BrowserMissing

USER = "sam"
"""Who the agent works as."""
USERS = ("alice", "bob", "carol", USER)
COMPONENTS = ("network", "parser", "storage", "interface")
MILESTONES = ("milestone1", "milestone2", "milestone3")
PRIORITIES = ("blocker", "critical", "major", "minor", "trivial")
_LAYOUT = 1
"""Raised whenever what is set up here changes."""

_SETTINGS = {
    "project": {"name": "Tracker", "descr": "Our tickets"},
    "trac": {
        "database": "sqlite:db/trac.db?synchronous=OFF",
        "auto_preview_timeout": "0",
        "wiki_toolbars": "disabled",
        "default_dateinfo_format": "absolute",
        "default_timezone": "GMT",
        "secure_cookies": "disabled",
        "base_url": "http://tracker.test",
    },
    "header_logo": {"src": "", "alt": "", "link": ""},
    "logging": {"log_type": "none"},
    "ticket": {"restrict_owner": "enabled", "default_component": "parser", "default_milestone": ""},
    "notification": {"smtp_enabled": "disabled"},
}
"""Options of Trac: no network, no text that changes with the time of day, owners chosen from a list."""


def trac_version() -> str:
    """The installed version; raises `BrowserMissing` with what to install."""
    try:
        found = version("Trac")
    except PackageNotFoundError:
        found = ""
    if not found or find_spec("pkg_resources") is None:
        raise BrowserMissing("the tracker's tasks need Trac: pip install 'rl-experimenter[trac]'.")
    return found


@lru_cache(maxsize=1)
def base_environment() -> Path:
    """The environment that is copied; made by Trac's own set-up at the first call on a machine, which takes some seconds."""
    digest = hashlib.sha256(repr((trac_version(), _LAYOUT, _SETTINGS, USERS, COMPONENTS, MILESTONES)).encode())
    folder = user_cache_path("rl-experimenter") / "trac"
    target = folder / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            _set_up(part)
            part.rename(target)
    return target


def templates_folder() -> Path:
    """Where Trac's compiled templates are kept, beside the base environment: they depend on what is installed and on nothing else."""
    folder = base_environment().with_suffix(".templates")
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _set_up(folder: Path) -> None:
    code = "import sys, warnings; warnings.simplefilter('ignore'); from trac.admin.console import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, str(folder), "initenv", "Tracker", "sqlite:db/trac.db"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=dict(os.environ))
    if made.returncode:
        raise BrowserError(f"Trac's own set-up failed: {(made.stderr or made.stdout).strip()[-300:]}")
    _configure(folder / "conf" / "trac.ini")
    with closing(sqlite3.connect(folder / "db" / "trac.db", isolation_level=None)) as db:
        _fill(db)


def _configure(path: Path) -> None:
    told = configparser.RawConfigParser(strict=False)
    told.optionxform = str  # type: ignore[assignment,method-assign]  # the parser's own way to keep the case of names
    told.read(path)
    told.read_dict(_SETTINGS)
    with path.open("w") as written:
        told.write(written)


def _fill(db: sqlite3.Connection) -> None:
    """Users, components, milestones and a list of the newest tickets: what an administrator would set up."""
    db.execute("DELETE FROM component")
    db.executemany("INSERT INTO component (name, owner) VALUES (?, ?)", zip(COMPONENTS, USERS, strict=True))
    db.execute("DELETE FROM milestone")
    db.executemany("INSERT INTO milestone (name, due, completed) VALUES (?, 0, 0)", [(name,) for name in MILESTONES])
    db.execute("DELETE FROM version")
    db.executemany("INSERT INTO session (sid, authenticated, last_visit) VALUES (?, 1, 0)", [(name,) for name in USERS])
    db.executemany(
        "INSERT INTO session_attribute (sid, authenticated, name, value) VALUES (?, 1, 'name', ?)",
        [(name, name.title()) for name in USERS],
    )
    db.execute("DELETE FROM report")
    db.execute(
        "INSERT INTO report (id, author, title, query, description) VALUES (1, ?, 'Open tickets, newest first', ?, '')",
        (USER, _NEWEST),
    )


_NEWEST = """
SELECT id AS ticket, summary, component, owner
FROM ticket WHERE status <> 'closed' ORDER BY id DESC
"""
