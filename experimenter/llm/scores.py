"""From the first token's alternatives to the log-probability of each choice."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experimenter.llm.messages import Reply

_BELOW = 1.0
"""A choice that no alternative begins is put this far below the least likely alternative."""


def read_scores(reply: Reply, choices: Sequence[str]) -> dict[str, float]:
    """Log-probability of each choice; empty when no alternative begins any choice."""
    mass = dict.fromkeys(choices, 0.0)
    for token, logprob in reply.first_token.items():
        begun = [choice for choice in choices if _begins(token, choice)]
        if len(begun) == 1:
            mass[begun[0]] += math.exp(logprob)
    if not any(mass.values()):
        return {}
    floor = min(reply.first_token.values()) - _BELOW
    return {choice: math.log(value) if value > 0 else floor for choice, value in mass.items()}


def _begins(token: str, choice: str) -> bool:
    start = token.strip(" \n\t\"'*`▁Ġ").lower()
    return bool(start) and choice.lower().startswith(start)
