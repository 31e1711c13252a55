"""Every family passes every check of `envs.testing`: the walker, hand-checked Gymnasium ids and derived ones."""

from __future__ import annotations

import pytest

from envs.catalog import get_family
from envs.family import Family
from envs.task import TaskSpec
from envs.testing import CHECKS, Check, check_family

pytestmark = pytest.mark.filterwarnings(
    "ignore:builtin type:DeprecationWarning"
)  # Box2D's bindings, at their first import

NAMES = [
    "walker",
    "quantum",
    "quadrotor",
    "gym:CartPole-v1",
    "gym:Pendulum-v1",
    "gym:MountainCar-v0",
    "gym:MountainCarContinuous-v0",
    "gym:Acrobot-v1",
    "gym:LunarLander-v3",
    "gym:LunarLanderContinuous-v3",
    "gym:Hopper-v5",
    "gym:Walker2d-v5",
    "gym:HalfCheetah-v5",
    "gym:Reacher-v5",
    "gym:InvertedDoublePendulum-v5",
    "gym:MiniGrid-DoorKey-5x5-v0",
    "gym:MiniGrid-Empty-Random-6x6-v0",
    "gym:FrozenLake-v1",
    "gym:Swimmer-v5",
    "gym:BipedalWalker-v3",
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_family_keeps_the_contract(name: str, check: Check) -> None:
    family = get_family(name)
    check(family, family.resolve_task(seed=3))


def test_check_family_runs_all_checks_on_varied_parameters() -> None:
    family = get_family("gym:Pendulum-v1")
    check_family(family, [family.resolve_task({"gravity": 3.0, "mass": 0.5}), family.resolve_task({"length": 1.4})])


class _Leaky:
    """Pendulum whose card leaks or lies in one way: the suite must notice."""

    def __init__(self, inner: Family, **changes: object) -> None:
        self._inner, self._changes = inner, changes
        self.name, self.params_model = inner.name, inner.params_model

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def card(self) -> object:
        from dataclasses import replace

        return replace(self._inner.card(), **self._changes)  # type: ignore[arg-type]  # any field may be spoilt


@pytest.mark.parametrize(
    ("check", "changes", "told"),
    [
        ("check_words", {"fitness": "mean(np.abs(angle) < 0.2) over the whole episode length"}, "reads like code"),
        ("check_card", {"params": ()}, "differ from the model"),
        ("check_card", {"text": ""}, "no title or hardly any text"),
        ("check_tasks", {"horizon": 99}, "horizon is not the card's"),
    ],
)
def test_a_spoilt_card_is_noticed(check: str, changes: dict[str, object], told: str) -> None:
    inner = get_family("gym:Pendulum-v1")
    spoilt = _Leaky(inner, **changes)
    task: TaskSpec = inner.resolve_task()
    by_name = {one.__name__: one for one in CHECKS}
    with pytest.raises(AssertionError, match=told):
        by_name[check](spoilt, task)  # type: ignore[arg-type]  # a stand-in with the same methods
