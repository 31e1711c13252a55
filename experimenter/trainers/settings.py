"""How a trainer's settings are resolved: defaults for the family, overridden by name, checked by type."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from envs.task import ParamValue
from experimenter.errors import UsageError


def resolve_settings(
    trainer: str, defaults: Mapping[str, ParamValue], overrides: Mapping[str, ParamValue]
) -> dict[str, ParamValue]:
    """Return `defaults` with `overrides`, each of its default's type.

    Raises `UsageError` for an unknown name (with the nearest one and all valid ones) or a value of the wrong type.
    """
    merged = dict(defaults)
    for name, value in overrides.items():
        if name not in defaults:
            raise UsageError(_unknown(trainer, name, defaults))
        merged[name] = _same_type(trainer, name, value, defaults[name])
    return merged


def parse_hidden(text: ParamValue) -> list[int]:
    """Turn `64x64` into [64, 64]; raises `UsageError` when it is not positive widths joined by `x`."""
    parts = str(text).lower().split("x")
    if not all(part.isdigit() and 0 < int(part) <= 4096 for part in parts) or len(parts) > 8:
        raise UsageError(f"hidden layers {text!r} not understood: write widths joined by x, such as 64x64.")
    return [int(part) for part in parts]


def base_name(family: str) -> str:
    """Name under which tuned settings are kept: `gym:CartPole-v1` -> `CartPole`; other names stay."""
    name, _, version = family.removeprefix("gym:").rpartition("-v")
    return name if version.isdigit() else family


def require(trainer: str, settings: Mapping[str, ParamValue], bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise `UsageError` for the first numeric setting that lies outside its closed range."""
    for name, (low, high) in bounds.items():
        if name in settings and not low <= float(settings[name]) <= high:
            raise UsageError(
                f"setting {name}={settings[name]!r} of the trainer {trainer} is out of range: "
                f"it must lie between {low:g} and {high:g}."
            )


def _unknown(trainer: str, name: str, defaults: Mapping[str, ParamValue]) -> str:
    near = difflib.get_close_matches(name, defaults, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"unknown setting {name!r} of the trainer {trainer}. {hint}Known: {', '.join(sorted(defaults))}."


def _same_type(trainer: str, name: str, value: ParamValue, default: ParamValue) -> ParamValue:
    if isinstance(default, bool):
        valid = isinstance(value, bool)
    elif isinstance(default, int):
        valid = not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
    elif isinstance(default, float):
        valid = not isinstance(value, bool) and isinstance(value, int | float)
    else:
        valid = isinstance(value, str)
    if not valid:
        kind = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}
        raise UsageError(
            f"setting {name}={value!r} of the trainer {trainer} must be {kind[type(default).__name__]} "
            f"(default {default!r})."
        )
    return type(default)(value)
