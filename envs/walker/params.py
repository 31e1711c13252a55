"""Check task parameters and say in one line what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import ValidationError

from envs.task import ParamValue
from envs.walker.terrain import WalkerParams


def check_params(params: Mapping[str, ParamValue]) -> WalkerParams:
    """Validate `params`, defaults filled in.

    Raises `ValueError` with one line: the name and its nearest match, or the value and its range.
    """
    known = WalkerParams.model_fields
    for name in params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"walker has no task parameter {name!r}. {hint}Known: {', '.join(known)}.")
    try:
        return WalkerParams.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ValueError(f"walker: {name} = {first['input']!r} is not {describe_range(name)}.") from None


def bounds(name: str) -> tuple[float, float]:
    """Lower and upper bound of parameter `name`."""
    limits = {type(item).__name__: item for item in WalkerParams.model_fields[name].metadata}
    return float(limits["Ge"].ge), float(limits["Le"].le)


def describe_range(name: str) -> str:
    """Words for the values that `name` may take, such as `a number from 0 to 3`."""
    low, high = bounds(name)
    kind = "a whole number" if WalkerParams.model_fields[name].annotation in (int, "int") else "a number"
    return f"{kind} from {low:g} to {high:g}"
