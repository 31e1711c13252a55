"""How a skill was trained, in words: its trainer, what was changed of its settings, and who led it to the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.family import Card


def training_words(provenance: Mapping[str, Any], card: Card) -> str:
    """One line for people; what the skill owes to something other than its own experience is always in it.

    A teacher that begins at an easier place is told with what that place means, and demonstrations are among the settings. Entries
    that are missing or of another form, as older skills have them, are left out.
    """
    parts = [str(provenance.get("trainer", "an unknown trainer"))]
    parts += [f"{name}={value}" for name, value in sorted(_mapping(provenance.get("settings")).items())]
    teacher = _mapping(provenance.get("teacher"))
    if teacher.get("name", "fixed") != "fixed":
        settings = _mapping(teacher.get("settings"))
        told = ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))
        parts.append(f"led by teacher {teacher['name']}" + (f" ({told})" if told else ""))
        parts += [
            f"{param.name}: {param.meaning}" for param in card.params if f"{param.name}=" in str(settings.get("start"))
        ]
    return "; ".join(parts)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
