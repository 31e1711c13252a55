"""Read a Gymnasium environment's docstring: the sections that tell a stranger about the world, and the observation table.

Sections about rewards are left out on purpose: where the native return is the fitness, its formula must stay unseen.
"""

from __future__ import annotations

import inspect
import re

_WANTED = ("description", "action", "observation", "starting", "episode", "transition")
_LONGEST = 2400
_ROW = re.compile(r"^\s*\|(.+)\|\s*$")


def clean_docstring(text: str | None) -> str:
    """Return the telling sections of a docstring as short Markdown: no rewards, code, links, figures or histories."""
    told = [section for title, section in _sections(text or "") if any(word in title for word in _WANTED)]
    words = "\n\n".join(told)
    words = re.sub(r"```.*?```", "", words, flags=re.S)
    words = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", words)
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", words)
    words = re.sub(r"https?://\S+", "", words).replace("`", "").replace("$", "")
    words = "\n".join(line.strip() for line in words.splitlines() if not _ROW.match(line))
    words = re.sub(r"\n{3,}", "\n\n", words).strip()
    return words if len(words) <= _LONGEST else words[: words.rfind(".", 0, _LONGEST) + 1]


def reward_words(text: str | None) -> str:
    """Return the docstring's sections about rewards as short text; shown only where a person asks to begin from the native reward."""
    told = [section for title, section in _sections(text or "") if "reward" in title]
    words = re.sub(r"https?://\S+", "", "\n\n".join(told)).replace("`", "").replace("$", "")
    words = re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in words.splitlines())).strip()
    return words if len(words) <= _LONGEST else words[: words.rfind(".", 0, _LONGEST) + 1]


def read_observation_table(text: str | None, size: int) -> list[tuple[str, str, str]] | None:
    """Read (name, unit, meaning) of every number of a flat observation, or None when no table of `size` rows is found."""
    for title, section in _sections(text or ""):
        if "observation" not in title:
            continue
        rows = [
            [cell.strip() for cell in found.group(1).split("|")]
            for found in map(_ROW.match, section.splitlines())
            if found
        ]
        header = [cell.lower() for cell in rows[0]] if rows else []
        body = [row for row in rows[1:] if row[0].isdigit()][:size]
        if len(body) != size or [int(row[0]) for row in body] != list(range(size)) or len(header) < 2:
            continue
        unit_at = next((i for i, cell in enumerate(header) if "unit" in cell), None)
        units = [row[unit_at] if unit_at is not None and unit_at < len(row) else "" for row in body]
        meanings = [re.sub(r"[`*]", "", row[1]) for row in body]
        return list(zip(_unique(meanings), [_unit(unit) for unit in units], meanings, strict=True))
    return None


def _sections(text: str) -> list[tuple[str, str]]:
    """Split a docstring at its Markdown headings; what stands before the first one is the description."""
    pieces = re.split(r"^#{2,3}\s+(.+)$", inspect.cleandoc(text), flags=re.M)
    titles = ["description", *(title.strip().lower() for title in pieces[1::2])]
    return [(title, body.strip()) for title, body in zip(titles, pieces[::2], strict=True) if body.strip()]


def _unit(cell: str) -> str:
    inner = re.search(r"\(([^)]*)\)", cell)
    return (inner.group(1) if inner else cell).strip() or "1"


def _unique(meanings: list[str]) -> list[str]:
    """Short identifiers from words, numbered where they repeat."""
    names: list[str] = []
    for meaning in meanings:
        words = [
            word
            for word in re.findall(r"[a-z0-9]+", meaning.lower())
            if word not in {"of", "the", "a", "along", "about"}
        ]
        base = "_".join(words[:7]) or "obs"
        base = f"obs_{base}" if base[0].isdigit() else base
        names.append(base if base not in names else f"{base}_{len(names)}")
    return names
