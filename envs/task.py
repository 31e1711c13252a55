"""A task: family, task parameters, horizon and seed, with a canonical digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

ParamValue = float | int | str | bool
"""One task parameter. Numbers are plain Python numbers, never NumPy scalars."""


def canonical_digest(value: Any, length: int = 16) -> str:
    """Digest JSON-plain `value` independently of key order; integral floats equal their integers.

    Returns the first `length` hexadecimal characters of a SHA-256.
    """
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


class TaskSpec(BaseModel):
    """One fully determined task. Two specs with equal digests are the same task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    """Family name, for example `walker` or `gym:CartPole-v1`."""
    params: dict[str, ParamValue] = Field(default_factory=dict)
    """Every task parameter of the family, defaults filled in (see `Family.resolve_task`)."""
    horizon: int = Field(gt=0)
    """Longest episode, in control steps."""
    seed: int = Field(default=0, ge=0)
    """Base seed of the task's training worlds; evaluation draws held-out seeds elsewhere."""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal characters that name this task."""
        return canonical_digest(self.model_dump())
