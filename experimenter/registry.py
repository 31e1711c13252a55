"""Names to objects for trainers, teachers, rewards and executors, third-party entry points included.

A built-in is one line in its package's table (`name -> "module:attribute"`); a plug-in is one entry point in the group
`experimenter.<noun>`. Nothing heavy is imported before the name is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from experimenter.errors import UsageError

_BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "trainers": {
        "dom": "experimenter.trainers.dom:make_trainer",
        "fly": "experimenter.trainers.fly:make_trainer",
        "ppo": "experimenter.trainers.ppo:make_trainer",
        "qas": "experimenter.trainers.qas:make_trainer",
        "maskable_ppo": "experimenter.trainers.maskable_ppo:make_trainer",
        "sb3": "experimenter.trainers.sb3:make_trainer",
        "swarm": "experimenter.trainers.swarm:make_trainer",
    },
    "teachers": {
        "fixed": "experimenter.curricula.fixed:make_teacher",
        "uniform": "experimenter.curricula.uniform:make_teacher",
        "ladder": "experimenter.curricula.ladder:make_teacher",
        "threshold": "experimenter.curricula.threshold:make_teacher",
        "alp_gmm": "experimenter.curricula.alp_gmm:make_teacher",
        "widen": "experimenter.curricula.widen:make_teacher",
        "progress": "experimenter.curricula.progress:make_teacher",
        "instruction_value": "experimenter.curricula.instruction_value:make_teacher",
        "value_band": "experimenter.curricula.value_band:make_teacher",
        "evolve": "experimenter.curricula.evolve:make_teacher",
    },
    "executors": {
        "inline": "experimenter.execution.inline:make_executor",
        "local": "experimenter.execution.local:make_executor",
        "ray": "experimenter.execution.ray:make_executor",
    },
}

_TRAINER_OF: Mapping[str, str] = {"quadrotor": "swarm", "quantum": "qas", "web": "dom"}
"""Family -> the trainer that is made for it, where that is not `ppo`."""


def default_trainer(family: str) -> str:
    """Name the trainer that a session takes for `family` when the person names none."""
    wanted = _TRAINER_OF.get(family.split(":", 1)[0], "ppo")
    return wanted if wanted in _targets("trainers") else "ppo"


_LED: Mapping[str, Mapping[str, float]] = {"dom": {"kind_entropy": 0.03}}
"""Trainer -> settings for a curriculum that begins at the end of a solution, whose first actions would have died out by then."""


def led_settings(trainer: str) -> dict[str, float]:
    """Settings that `trainer` wants where a session leads it to a task from an easy start; those that a person gives come before them."""
    return dict(_LED.get(trainer, {}))


def list_names(noun: str) -> list[str]:
    """Names known for `noun` (`trainers`, `teachers`, `executors`, `rewards`), plug-ins included."""
    return sorted(_targets(noun))


def load(noun: str, name: str) -> Any:
    """Import and return the factory called `name`; raises `UsageError` with the nearest match when unknown."""
    targets = _targets(noun)
    if name not in targets:
        near = difflib.get_close_matches(name, targets, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown {noun[:-1]} {name!r}. {hint}Known: {', '.join(sorted(targets))}.")
    module, _, attribute = targets[name].partition(":")
    return getattr(import_module(module), attribute)


def _targets(noun: str) -> dict[str, str]:
    plugins = {point.name: point.value for point in entry_points(group=f"experimenter.{noun}")}
    return {**plugins, **_BUILT_IN.get(noun, {})}
