"""What a student expects of a task reaches a teacher that listens, through the worlds that the trainer holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.curricula.base import Teacher
from experimenter.execution.curve import CurveWriter
from experimenter.execution.worlds import ListenedWorlds
from experimenter.registry import load

CARD = get_family("walker").card()
TARGET: dict[str, ParamValue] = {"stump_height": 1.8}


class _Worlds:
    """Worlds of which only the shape matters."""

    num_envs, observation_space, action_space = 1, None, None


def make(name: str, folder: Path, **settings: ParamValue) -> tuple[Teacher, Any]:
    teacher: Teacher = load("teachers", name)(card=CARD, target=TARGET, settings=settings, seed=0)
    curve = CurveWriter(folder, 100)
    return teacher, ListenedWorlds(_Worlds(), teacher, curve, lambda steps: None)  # type: ignore[arg-type]  # see _Worlds


def test_the_band_follows_what_is_heard(tmp_path: Path) -> None:
    teacher, worlds = make("value_band", tmp_path, bins=2, uniform_share=0.0)
    low, high = ({**teacher.sample(), "stump_height": height} for height in (0.2, 1.7))
    worlds.hear(low, 0.95)
    worlds.hear(high, 0.5)
    assert all(float(teacher.sample()["stump_height"]) >= 0.9 for _ in range(50))


def test_a_teacher_that_does_not_listen_is_left_alone(tmp_path: Path) -> None:
    teacher, worlds = make("uniform", tmp_path)
    before = teacher.state()
    worlds.hear({"stump_height": 1.0}, 0.5)
    assert teacher.state() == before and np.isfinite(float(teacher.sample()["stump_height"]))
