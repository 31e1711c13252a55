"""What a report says of a task and its certificate beside success and fitness: the parameters that matter, and the family's further measures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envs.catalog import get_family
from envs.task import ParamValue
from experimenter.wording import changed_params
from skills.evidence import Evidence


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure as a line of a table."""

    name: str
    value: float
    interval: tuple[float, float] | None
    meaning: str


def told_params(payload: Mapping[str, Any]) -> dict[str, ParamValue]:
    """The task parameters of a stored task that differ from its family's plain task, by name; all where the family is not to be had."""
    params: dict[str, ParamValue] = dict(sorted(payload["params"].items()))
    try:
        return changed_params(str(payload["family"]), params)
    except (ValueError, ImportError):
        return params


def held_params(region: Mapping[str, Sequence[float]], payload: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The axes of a certificate's region that are told: those with a width, and the task's own changes."""
    told = told_params(payload)
    return {
        name: (float(low), float(high)) for name, (low, high) in sorted(region.items()) if low != high or name in told
    }


def list_measures(family: str, artifact: Path) -> list[Measure]:
    """The further measures of a certified skill's episodes, with the family's words and in its order; none where they cannot be read."""
    try:
        stored = json.loads((artifact / "evidence.json").read_text(encoding="utf-8"))
        evidence = Evidence.model_validate({name: stored[name] for name in Evidence.model_fields if name in stored})
        meanings: Mapping[str, str] = getattr(get_family(family), "measures", {})
    except (OSError, ValueError, ImportError):
        return []
    found = evidence.extras
    names = [name for name in meanings if name in found] if meanings else sorted(found)
    spans = evidence.extras_interval
    return [
        Measure(name=name, value=found[name], interval=spans.get(name), meaning=meanings.get(name, ""))
        for name in names
    ]
