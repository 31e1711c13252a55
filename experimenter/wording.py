"""How numbers and tasks are said to people, the same on the command line and in the report."""

from __future__ import annotations

from collections.abc import Mapping

from envs.task import ParamValue


def duration(seconds: float) -> str:
    """Write seconds as `42s`, `3m10s` or `2h05m`; `-` when unknown."""
    if seconds != seconds or seconds == float("inf"):
        return "-"
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def count(value: float) -> str:
    """Write a count as `950`, `12.3k` or `2.50M`."""
    if value < 10_000:
        return f"{value:.0f}"
    return f"{value / 1e3:.1f}k" if value < 1e6 else f"{value / 1e6:.2f}M"


def changed_params(family: str, params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """The task parameters that differ from the family's plain task; raises `ValueError` for an unknown family."""
    from envs.catalog import get_family

    plain = get_family(family).resolve_task().params
    return {name: value for name, value in params.items() if name not in plain or value != plain[name]}
