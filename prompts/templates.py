"""Turn the prompt files into text. A file holds one role's parts as Jinja2 blocks (`system`, `user`, sometimes more).

It knows nothing of roles or records: whatever a template names must be passed in, and a missing value is an error.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import cache
from importlib.resources import files

import jinja2

_CARDS = "card"
"""The file of macros that every role may call as `cards.…`."""


def render(name: str, /, **values: object) -> str:
    """Render `name`, a template's part such as `judge.user`.

    Raises `ValueError` when there is no such template or part, and jinja2's `UndefinedError` when a value is missing.
    """
    head, _, part = name.partition(".")
    template = _load(head)
    if part not in template.blocks:
        raise ValueError(f"prompt {head!r} has no part {part!r}; it has: {', '.join(sorted(template.blocks))}.")
    context = template.new_context(values)
    return _tidy("".join(template.blocks[part](context)))


def digest(name: str, /) -> str:
    """Sixteen hexadecimal characters that name the text of template `name`, the card's macros included."""
    seen = hashlib.sha256()
    for head in (name.partition(".")[0], _CARDS):
        seen.update(_source(head).encode())
    return seen.hexdigest()[:16]


def list_templates() -> list[str]:
    """Names of every prompt file."""
    return sorted(path.name[:-3] for path in files("prompts").iterdir() if path.name.endswith(".j2"))


def number(value: float | None) -> str:
    """Write a number for a reader: four digits, no trailing zeros."""
    if value is None or math.isnan(value):
        return "unknown"
    return f"{value:.4g}"


def percent(share: float | None) -> str:
    """Write a share of 1 in percent."""
    return "unknown" if share is None else f"{number(100 * share)}%"


def interval(low: float, high: float) -> str:
    """Write a range; an infinite end is said in words."""
    if math.isinf(low) and math.isinf(high):
        return "unbounded"
    if math.isinf(high):
        return f">= {number(low)}"
    return f"<= {number(high)}" if math.isinf(low) else f"{number(low)} to {number(high)}"


def brief(text: str, limit: int) -> str:
    """Cut `text` to `limit` characters at the end of a sentence where there is one, of a word otherwise."""
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    cut = flat[:limit]
    sentence = max(cut.rfind(". "), cut.rfind("; "))
    if sentence > limit // 2:
        return cut[: sentence + 1]
    return cut.rsplit(" ", 1)[0].rstrip(",;:") + " ..."


def quoted(text: str, limit: int = 2000) -> str:
    """Fence foreign words so that they read as data: no fence of their own, bounded length."""
    return '"""' + text.replace('"""', "'''")[:limit].strip() + '"""'


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("prompts", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,  # plain text for a model, never HTML
    )
    environment.filters.update(number=number, percent=percent, brief=brief, quoted=quoted)
    environment.globals.update(interval=interval)
    environment.globals["cards"] = environment.get_template(f"{_CARDS}.j2").module
    return environment


def _load(head: str) -> jinja2.Template:
    try:
        return _environment().get_template(f"{head}.j2")
    except jinja2.TemplateNotFound:
        raise ValueError(f"no prompt called {head!r}; there are: {', '.join(list_templates())}.") from None


def _source(head: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, f"{head}.j2")[0]


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip()
