"""The catalog: how a family's name becomes a family. One line a family; third parties add theirs by entry point."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from envs.family import Family

ENTRY_POINT_GROUP = "experimenter.families"

_BUILT_IN: dict[str, str] = {
    "walker": "envs.walker.family:make_family",
    "quadrotor": "envs.quadrotor.family:make_family",
    "gym": "envs.gym.family:make_family",
    "quantum": "envs.quantum.family:make_family",
    "web": "envs.web.family:make_family",
}
"""Family name (before any `:`) -> `module:function`; the function takes the full name and returns a Family."""


def list_families() -> list[str]:
    """Name every family that can be made; `gym` stands for `gym:<Gymnasium id>`."""
    return sorted({**_BUILT_IN, **_plugins()})


def list_carded() -> list[str]:
    """Name every family with a hand-written card that can be made here: what a goal in words is matched against."""
    from envs.gym.family import HAND_CHECKED

    names = [name for name in list_families() if name != "gym"] + [f"gym:{gym_id}" for gym_id in HAND_CHECKED]
    return [name for name in names if _can_make(name)]


def _can_make(name: str) -> bool:
    """False where a family's package is missing; what to install is said when the family is asked for by name."""
    try:
        get_family(name)
    except (ValueError, ImportError):
        return False
    return True


def get_family(name: str) -> Family:
    """Build the family called `name`, such as `walker` or `gym:CartPole-v1`.

    Raises `ValueError` naming the nearest known family when there is none of that name.
    """
    head = name.split(":", 1)[0]
    targets = {**_plugins(), **_BUILT_IN}
    if head not in targets:
        known = list_families()
        near = difflib.get_close_matches(head, known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown environment family {name!r}. {hint}Known: {', '.join(known)} (gym as gym:<Gymnasium id>)."
        )
    module, _, function = targets[head].partition(":")
    try:
        make: Callable[[str], Family] = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"environment family {head!r} cannot be loaded from {targets[head]!r}: {error}") from error
    return make(name)


def list_files(name: str) -> tuple[Path, ...]:
    """Files outside the packages that the worlds of the family called `name` read: a made problem's, for now."""
    head, _, stored = name.partition(":")
    if head != "quantum" or not stored:
        return ()
    from envs.quantum.stored import problems_folder

    return (problems_folder() / f"{stored}.json",)


def _plugins() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
