"""The house rules of import direction, file size and folder names, proven on the tree as it is."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("prompts", "memory", "envs", "skills", "experimenter")
MAY_IMPORT: dict[str, set[str]] = {
    "prompts": set(),
    "memory": set(),
    "envs": set(),
    "skills": {"memory"},
    "experimenter": {"prompts", "memory", "envs", "skills"},
}
"""Room -> the other rooms that it may import."""
MOST_LINES, MOST_GRAPH_LINES = 400, 900
HEAVY = {"torch", "litellm", "langgraph", "stable_baselines3", "ray", "matplotlib"}


def room_files() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def read_imports(source: str) -> Iterator[str]:
    """Every absolute module named in an import, wherever it stands; a relative import is yielded as `.`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "." if node.level == 0 else "."
            if node.level == 0 and node.module == "experimenter":
                yield from (f"experimenter.{alias.name}" for alias in node.names)


def find_faults(module: tuple[str, ...], source: str) -> list[str]:
    """What is wrong with the imports of `module`, given as its dotted parts."""
    faults = []
    for name in read_imports(source):
        parts = tuple(name.split("."))
        if name == ".":
            faults.append("relative import")
        elif parts[0] in ROOMS and parts[0] != module[0] and parts[0] not in MAY_IMPORT[module[0]]:
            faults.append(f"{module[0]} imports {name}")
        elif parts[0] == module[0] == "experimenter" and not is_downward(module, parts):
            faults.append(f"{'.'.join(module[:2])} imports {name}, which is not below it")
    return faults


def is_downward(module: tuple[str, ...], target: tuple[str, ...]) -> bool:
    """Whether one part of `experimenter` may import another: from a lower line, or from its own where `:` joins the names."""
    if len(module) < 2 or len(target) < 2 or module[1] == target[1]:
        return True
    floors = read_floors()
    here, there = floors.get(module[1]), floors.get(target[1])
    if here is None or there is None:
        return False
    return here[0] < there[0] or (here[0] == there[0] and here[1])


@cache
def read_floors() -> dict[str, tuple[int, bool]]:
    """Name -> (line, counted from the top; whether names on that line may meet), from pyproject's contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (inside,) = (contract for contract in contracts if contract.get("containers") == ["experimenter"])
    return {
        name.strip(" ()"): (line, ":" in names)
        for line, names in enumerate(inside["layers"])
        for name in names.replace(":", "|").split("|")
    }


def test_every_part_of_the_experimenter_has_a_place_in_the_layers() -> None:
    parts = {path.stem for path in (ROOT / "experimenter").iterdir() if path.suffix == ".py" or list(path.glob("*.py"))}
    assert parts - {"__init__", "__pycache__"} - set(read_floors()) == set()


def test_every_import_goes_down() -> None:
    faults = {}
    for path in room_files():
        module = path.relative_to(ROOT).with_suffix("").parts
        if found := find_faults(module, path.read_text()):
            faults[str(path.relative_to(ROOT))] = found
    assert not faults


@pytest.mark.parametrize(
    ("module", "source", "told"),
    [
        ("envs.gym.batch", "from experimenter.errors import UsageError", "envs imports experimenter.errors"),
        ("envs.gym.batch", "def f():\n    import memory.store", "envs imports memory.store"),
        ("memory.store", "from skills.skill import Skill", "memory imports skills.skill"),
        ("skills.library", "from envs.task import TaskSpec", "skills imports envs.task"),
        (
            "experimenter.trainers.ppo",
            "from experimenter.rewards import program",
            "experimenter.trainers imports experimenter.rewards",
        ),
        ("experimenter.llm.gateway", "from experimenter import roles", "experimenter.llm imports experimenter.roles"),
        ("experimenter.graph.nodes", "from . import state", "relative import"),
    ],
)
def test_a_wrong_import_is_noticed(module: str, source: str, told: str) -> None:
    assert any(fault.startswith(told) for fault in find_faults(tuple(module.split(".")), source))


def test_right_imports_pass() -> None:
    assert (
        find_faults(
            ("experimenter", "execution", "job"), "from experimenter.trainers.base import Trainer\nimport skills.skill"
        )
        == []
    )
    assert find_faults(("skills", "library"), "import memory.store\nimport numpy") == []


def test_import_linter_contracts_hold() -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 kept, 0 broken" in ran.stdout


def test_no_file_is_longer_than_the_cap() -> None:
    files = [*room_files(), *sorted((ROOT / "tests").rglob("*.py"))]
    too_long = {
        str(path.relative_to(ROOT)): n for path in files if (n := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert not too_long
    graph = sum(len(path.read_text().splitlines()) for path in (ROOT / "experimenter" / "graph").rglob("*.py"))
    assert graph <= MOST_GRAPH_LINES


def test_no_other_folder_bears_a_room_s_name() -> None:
    """`tests/` mirrors the rooms one level down, as plain folders that cannot be imported in their place."""
    twins = [path for path in walk_folders(ROOT) if path.name in ROOMS and path.parent != ROOT]
    mirrors = [path for path in twins if path.parent == ROOT / "tests"]
    assert [path for path in twins if path not in mirrors] == []
    assert [path for path in (ROOT / "tests").rglob("__init__.py") if "plugin" not in path.parts] == []


def walk_folders(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if (
            path.is_dir()
            and not path.name.startswith((".", "__"))
            and path.name not in {"node_modules", "build", "dist"}
        ):
            yield path
            yield from walk_folders(path)


def test_the_command_line_starts_without_heavy_packages() -> None:
    code = f"import sys, experimenter.cli.main; print(sorted({HEAVY!r} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"


def test_rooms_resolve_to_this_tree() -> None:
    code = f"import importlib; print(*[importlib.import_module(room).__path__[0] for room in {ROOMS!r}], sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [Path(line) for line in ran.stdout.split()] == [ROOT / room for room in ROOMS]
