"""Installs the toy plug-in for a test, for this process and for every worker it starts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from envs.task import ParamValue, TaskSpec
from experimenter.records import RewardKind, RewardProgram, TeacherSpec, TrainJob

HERE = Path(__file__).parent
MakeJob = Callable[..., TrainJob]
Living = Callable[[], set[psutil.Process]]


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    site = tmp_path / "site"
    info = site / "toy_plugin-0.1.dist-info"
    info.mkdir(parents=True)
    shutil.copy(HERE / "toy_plugin.py", site)
    source = (HERE / "toy_plugin.py").read_text()
    points = source.split('ENTRY_POINTS = """')[1].split('"""')[0]
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-plugin\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *([before] if before else [])]))
    yield site
    sys.modules.pop("toy_plugin", None)


@pytest.fixture
def make_job() -> MakeJob:
    def make(
        *,
        reward: RewardProgram | None = None,
        seed: int = 0,
        steps: int = 1600,
        settings: dict[str, ParamValue] | None = None,
        continues: str | None = None,
        wall_limit_s: float = 60.0,
        start: float = 1.0,
        episodes: int = 5,
        teacher: str = "fixed",
        trainer: str = "toy",
    ) -> TrainJob:
        return TrainJob(
            task=TaskSpec(family="toy", params={"start": start}, horizon=40),
            reward=reward or RewardProgram(kind=RewardKind.NATIVE),
            trainer=trainer,
            settings=settings or {},
            teacher=TeacherSpec(name=teacher),
            seed=seed,
            budget_steps=steps,
            schedule_steps=6400,
            continues=continues,
            eval_episodes=episodes,
            wall_limit_s=wall_limit_s,
        )

    return make


@pytest.fixture
def living_children() -> Living:
    """Lists the living processes that descend from this one; compare with those before, for other tests' may not have been collected yet."""

    def find() -> set[psutil.Process]:
        return {p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE}

    return find
