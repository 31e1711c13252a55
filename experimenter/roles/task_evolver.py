"""Failed tasks -> new ones written by a model, as the text that the teacher `evolve` takes; the teacher proves them before it trains on them.

It asks the proposer (roles/proposer.py) with the failures as its history; without a model the proposer's rule answers, so there is always something to prove.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envs.family import Card
from envs.task import ParamValue
from experimenter.llm.gateway import Gateway
from experimenter.records import Goal
from experimenter.roles.proposer import TaskBrief, propose


def propose_tasks(
    gateway: Gateway | None,
    goal: Goal,
    card: Card,
    failed: Sequence[tuple[Mapping[str, ParamValue], float]],
    *,
    n: int = 4,
    step: str,
) -> str:
    """Ask for at most `n` new tasks seeded by `failed` (task parameters and success rate each); return them as the setting `proposals`.

    Only parameters that differ from the card's defaults, or from the goal's target, are written; an empty text when nothing new is left.
    """
    history = [
        TaskBrief(
            params=dict(params), state="dropped", success_rate=rate, reason="failed; propose a task that leads to it"
        )
        for params, rate in failed
    ]
    return write_proposals(
        card, [one.params for one in propose(gateway, goal, card, skills=(), history=history, n=n, step=step)]
    )


def write_proposals(card: Card, tasks: Sequence[Mapping[str, ParamValue]]) -> str:
    """Write tasks as `name=value,name=value; ...`, numbers alone, in the card's order; the inverse of `evolve.parse_proposals`."""
    names = [parameter.name for parameter in card.params]
    return "; ".join(",".join(f"{name}={float(task[name]):.17g}" for name in names if name in task) for task in tasks)
