"""What a model costs. An unknown price is None, never zero.

Prices come from the user (`EXPERIMENTER_PRICES`) or from the price list that ships inside the litellm package, which is read as a
data file without importing litellm and without a network.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from experimenter.errors import UsageError

_LIST = "model_prices_and_context_window_backup.json"


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars for one call."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


FREE = Prices(0.0, 0.0)


def parse_prices(text: str) -> Prices:
    """Read `PROMPT,COMPLETION` in US dollars per million tokens, for example `0.25,2`."""
    try:
        prompt, completion = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"EXPERIMENTER_PRICES={text!r}: expected two numbers, US dollars per million prompt and answer tokens: 0.25,2"
        ) from None
    if not (0 <= prompt < float("inf") and 0 <= completion < float("inf")):
        raise UsageError(f"EXPERIMENTER_PRICES={text!r}: prices must be finite and not negative")
    return Prices(prompt, completion)


def find_prices(model: str) -> Prices | None:
    """Look `model` up in the shipped list; None when it is not there."""
    entry = _entry(model)
    prompt, completion = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(prompt, int | float) or not isinstance(completion, int | float):
        return None
    return Prices(prompt * 1e6, completion * 1e6)


def find_context(model: str) -> int | None:
    """Longest prompt of `model` in tokens, by the shipped list."""
    tokens = _entry(model).get("max_input_tokens")
    return int(tokens) if isinstance(tokens, int | float) and tokens > 0 else None


def _entry(model: str) -> Mapping[str, Any]:
    """The list's entry of `model`; a vendor's prefix that the list leaves out is dropped where the entry names the same vendor."""
    vendor, _, rest = model.partition("/")
    entry = _read_list().get(model) or _read_list().get(rest)
    if not isinstance(entry, dict) or (model not in _read_list() and entry.get("litellm_provider") != vendor):
        return {}
    return entry


@cache
def _read_list() -> Mapping[str, Any]:
    spec = importlib.util.find_spec("litellm")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / _LIST
        if path.is_file():
            content: Any = json.loads(path.read_text(encoding="utf-8"))
            return content if isinstance(content, dict) else {}
    return {}
