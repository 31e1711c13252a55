"""JSON for columns: valid on every database. Non-finite floats become the strings that pydantic reads back as floats."""

from __future__ import annotations

import json
import math
from typing import Any


def dump_json(value: Any) -> str:
    """Serialise JSON-plain `value`; nan and the infinities become "NaN", "Infinity" and "-Infinity"."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_name_non_finite(value), allow_nan=False, separators=(",", ":"))


def _name_non_finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _name_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_name_non_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
