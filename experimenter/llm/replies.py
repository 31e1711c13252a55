"""From an answer's text to a value: find the JSON object, check it against the schema, and say what is wrong in words."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_MAX_FAULTS = 6


class Unreadable(ValueError):
    """The answer does not fit; the message is fit for the model's eyes."""


def parse_reply(text: str, schema: type[M]) -> M:
    """Validate the first JSON object in `text` that fits `schema`; raises `Unreadable` with the faults of the first one.

    Code fences, prose around the object and thinking before it are tolerated.
    """
    first_fault = ""
    for found in find_objects(text):
        try:
            return schema.model_validate_json(json.dumps(found))
        except ValidationError as error:
            first_fault = first_fault or _describe(error)
        except ValueError as error:
            first_fault = first_fault or str(error)
    raise Unreadable(first_fault or "there is no complete JSON object in the answer")


def find_objects(text: str) -> list[dict[str, Any]]:
    """Every outermost JSON object in `text`, in order."""
    text = _THINKING.sub(" ", text)
    decoder = json.JSONDecoder(strict=False)
    found: list[dict[str, Any]] = []
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError):
            end = _end_of_braces(text, at)
        else:
            found.append(value)
        at = text.find("{", end)
    return found


def _end_of_braces(text: str, at: int) -> int:
    """Where the broken object that opens at `at` ends, so that a part of it is never taken for the whole answer."""
    depth = 0
    for mark in re.finditer(r'"(?:[^"\\\n]|\\.)*"|[{}]', text[at:]):
        depth += {"{": 1, "}": -1}.get(mark.group(), 0)
        if depth == 0:
            return at + mark.end()
    return len(text)


def _describe(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False)[:_MAX_FAULTS]:
        place = ".".join(str(part) for part in fault["loc"]) or "the object"
        faults.append(f"{place}: {fault['msg']}")
    more = error.error_count() - len(faults)
    return "; ".join(faults) + (f"; and {more} more" if more > 0 else "")
