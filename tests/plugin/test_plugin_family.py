"""A third-party package with one entry point is a family like ours: found, listed, made, and held to the contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "lamp"


def install(target: Path) -> None:
    """Lay the package out as pip would: its modules, and a dist-info with the metadata of its own pyproject.toml."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    shutil.copytree(PACKAGE / "rl_lamp", target / "rl_lamp", ignore=shutil.ignore_patterns("__pycache__"))
    info = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.3\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))


def run(code: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    environment = (
        {**os.environ, "PYTHONPATH": str(site)} if site else {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path / "site")
    return tmp_path / "site"


def test_the_family_is_listed_made_and_keeps_the_contract(site: Path) -> None:
    code = (
        "from envs.catalog import get_family, list_families\n"
        "from envs.testing import check_family\n"
        "assert 'lamp' in list_families(), list_families()\n"
        "lamp = get_family('lamp')\n"
        "check_family(lamp, [lamp.resolve_task(), lamp.resolve_task({'drift': 0.05}, seed=4)])\n"
        "print(type(lamp).__module__, lamp.card().title)\n"
    )
    ran = run(code, site)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "rl_lamp.family Hold a lamp at a steady brightness"


def test_without_the_package_there_is_no_such_family() -> None:
    ran = run("from envs.catalog import get_family; get_family('lamp')", None)
    assert ran.returncode != 0 and "unknown environment family 'lamp'" in ran.stderr


def test_a_plug_in_cannot_take_the_place_of_a_family_of_ours(site: Path) -> None:
    points = next(site.glob("*.dist-info")) / "entry_points.txt"
    points.write_text("[experimenter.families]\ngym = rl_lamp.family:make_family\n")
    ran = run("from envs.catalog import get_family; print(get_family('gym:CartPole-v1').name)", site)
    assert ran.stdout.strip() == "gym:CartPole-v1", ran.stderr


def test_a_broken_plug_in_is_one_clear_line(site: Path) -> None:
    points = next(site.glob("*.dist-info")) / "entry_points.txt"
    points.write_text("[experimenter.families]\nlamp = rl_lamp.famly:make_family\n")
    ran = run("from envs.catalog import get_family; get_family('lamp')", site)
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: environment family 'lamp' cannot be loaded from 'rl_lamp.famly:make_family'")
