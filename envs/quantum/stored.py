"""Problems that a person made: one JSON file each, named by its Hamiltonian's digest, in the experimenter's home.

A task names such a problem as the family `quantum:NAME`; the digest is part of the name, so that a task with another
Hamiltonian is another task, and a file that was changed is refused.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path

import platformdirs

from envs.quantum.problems import Problem, point_of, problem_from

HOME_VARIABLE = "EXPERIMENTER_HOME"
_DIGITS = 12


def problems_folder(home: Path | None = None) -> Path:
    """Where made problems lie: `problems` in `home`, in EXPERIMENTER_HOME, or in the user's data folder."""
    given = os.environ.get(HOME_VARIABLE, "").strip()
    base = home or (
        Path(given).expanduser() if given else Path(platformdirs.user_data_dir("experimenter", appauthor=False))
    )
    return base / "problems"


def name_stored(problem: Problem) -> str:
    """Name and the first twelve digits of the digest, such as `lih-2e3o-1a2b3c4d5e6f`."""
    return f"{re.sub(r'[^a-z0-9-]+', '-', problem.name.lower()).strip('-')}-{problem.digest[:_DIGITS]}"


def store_problem(problem: Problem, home: Path | None = None) -> Path:
    """Write `problem` into the home; the same problem gets the same file. Raises `OSError` when that cannot be written."""
    folder = problems_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name_stored(problem)}.json"
    document = {
        "name": problem.name,
        "title": problem.title,
        "mapping": problem.mapping,
        "sectors": {name: list(listed) for name, listed in problem.sectors.items()},
        "points": [point_of(problem)],
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
    return path


@lru_cache(maxsize=32)
def load_stored(name: str, home: Path | None = None) -> Problem:
    """Read a made problem; raises `ValueError` with one line when it is missing, damaged or not what its name says."""
    folder = problems_folder(home)
    path = folder / f"{name}.json"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.is_file():
        known = ", ".join(list_stored(home)) or "none"
        raise ValueError(
            f"no made problem {name!r} in {folder} (there: {known}); make it with experimenter env quantum make."
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        problem = problem_from(document, document["points"][0])
    except (KeyError, IndexError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"the problem file {path.name} is damaged: {error}.") from None
    if name_stored(problem) != name:
        raise ValueError(f"the problem file {path.name} is damaged: its Hamiltonian is {name_stored(problem)}.")
    return problem


def list_stored(home: Path | None = None) -> list[str]:
    """Names of the made problems, sorted."""
    folder = problems_folder(home)
    return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
