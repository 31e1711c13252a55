"""Find and open Gymnasium environments: registered ids, packages that bring more, one clear line when either is missing."""

from __future__ import annotations

import difflib
import importlib.util
import re
import warnings
from importlib import import_module
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

_BRINGERS = {
    "MiniGrid-": ("minigrid", 'pip install "rl-experimenter[grid]"'),
    "BabyAI-": ("minigrid", 'pip install "rl-experimenter[grid]"'),
    "ALE/": ("ale_py", "pip install ale-py"),
}
"""Start of an id -> package that registers it on import, and how to get it."""

_NEEDS = {
    "gymnasium.envs.mujoco": ("mujoco", 'pip install "rl-experimenter[mujoco]"'),
    "gymnasium.envs.box2d": ("Box2D", 'pip install "gymnasium[box2d]"'),
    "gymnasium.envs.phys2d": ("jax", 'pip install "gymnasium[jax]"'),
    "gymnasium.envs.tabular": ("jax", 'pip install "gymnasium[jax]"'),
}
"""Module of the environment -> package that it needs, and how to get it."""


def find_spec(gym_id: str) -> EnvSpec:
    """Return the registered spec of `gym_id`, importing the package that brings it where that is known.

    Raises `ValueError`: unknown id with the nearest match, a missing package with the command that installs it.
    """
    for start, (package, command) in _BRINGERS.items():
        if gym_id.startswith(start):
            _bring(gym_id, package, command)
    spec = gymnasium.registry.get(gym_id)
    if spec is None:
        near = _nearest(gym_id)
        hint = f"Did you mean 'gym:{near}'?" if near else "See gymnasium.pprint_registry() for the ids."
        raise ValueError(f"unknown Gymnasium id {gym_id!r} in 'gym:{gym_id}'. {hint}")
    _check_needs(spec)
    return spec


def open_env(spec: EnvSpec, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Make one bare world: the registered environment without time limit, order check or passive checker.

    Raises `ValueError` with one line when it cannot be made here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gymnasium.make(spec, max_episode_steps=-1, disable_env_checker=True, **kwargs)
    except (ImportError, gymnasium.error.Error) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"gym:{spec.id} cannot be made here: {reason}") from error
    return env.env if isinstance(env, gymnasium.wrappers.OrderEnforcing) else env


def _bring(gym_id: str, package: str, command: str) -> None:
    if not _installed(package):
        raise ValueError(f"gym:{gym_id} needs the package {package}: {command}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module(package)


def _check_needs(spec: EnvSpec) -> None:
    if not isinstance(spec.entry_point, str):
        if "mujoco_py" in getattr(spec.entry_point, "__name__", ""):
            newest = _nearest(re.sub(r"-v\d+$", "", spec.id))
            raise ValueError(f"gym:{spec.id} needs the retired mujoco_py; use 'gym:{newest}'.")
        return
    for module, (package, command) in _NEEDS.items():
        if spec.entry_point.startswith(module) and not _installed(package):
            raise ValueError(f"gym:{spec.id} needs the package {package}: {command}")


def _nearest(gym_id: str) -> str | None:
    """Nearest usable id: first by name without version (the newest version of it), then by the whole id."""
    usable = [key for key, spec in gymnasium.registry.items() if isinstance(spec.entry_point, str)]
    newest: dict[str, str] = {}
    for key in sorted(usable, key=_version):
        newest[re.sub(r"-v\d+$", "", key).lower()] = key
    base = re.sub(r"-?v?\d*$", "", gym_id).lower()
    near = difflib.get_close_matches(base, list(newest), n=1)
    return newest[near[0]] if near else None


def _version(gym_id: str) -> int:
    found = re.search(r"-v(\d+)$", gym_id)
    return int(found.group(1)) if found else 0


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # a module without a spec, as a blocked import leaves it
        return False
