"""Problems for trainers: real families behind the trainers' contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envs.catalog import get_family
from envs.family import BatchEnv
from experimenter.trainers.base import Problem


@pytest.fixture
def make_problem(tmp_path: Path) -> Callable[..., Problem]:
    """Build a Problem on the Gymnasium environment `family`; `wrap` goes around its worlds."""

    def make(
        family: str = "gym:CartPole-v1", *, wrap: Callable[[BatchEnv], Any] = lambda env: env, **kwargs: Any
    ) -> Problem:
        source = get_family(family)
        task = source.resolve_task()
        probe = source.make_vec(task, 1)
        spaces: dict[str, Any] = {"observation_space": probe.observation_space, "action_space": probe.action_space}
        probe.close()
        kwargs.setdefault("folder", tmp_path / "job")
        return Problem(make_vec=lambda n: wrap(source.make_vec(task, n)), family=family, **spaces, **kwargs)

    return make
