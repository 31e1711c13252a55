"""The outcome judge against true outcomes: solved traces of oracles, and traces of spoilt oracles and random play.

The label is the page's own judgement: a spoilt oracle that the page nevertheless judges solved counts as solved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from envs.web.backend import Browser, BrowserError
from envs.web.world import World
from experimenter.evaluation.seeds import admission_seeds
from experimenter.evaluation.web_episodes import world_seed
from experimenter.evaluation.web_traces import WebTrace, oracle_trace, random_trace, wrong_trace
from experimenter.llm.gateway import Gateway
from experimenter.roles.web_outcome import WebOutcome, judge_outcome, rule_evidence
from skills.evidence import wilson_interval


def measure_judge(
    gateway: Gateway | None, browser: Browser, tasks: Sequence[str], episodes: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Confusion of the rule, and of the model where there is one, on `episodes` solved and about as many failed traces a task.

    Traces to which the model gave no answer count for the rule alone; `unanswered` says how many.
    """
    traces = make_traces(browser, tasks, episodes)
    judges: dict[str, Any] = {"rule": _confuse(traces, [rule_evidence(t.steps, t.last) for t in traces])}
    if gateway is not None:
        said = []
        for number, trace in enumerate(traces):
            step = f"web_outcome:{trace.task}:{trace.seed}:{trace.kind}"
            said.append(judge_outcome(gateway, trace.steps, trace.last, step=step))
            if number % 10 == 9:
                say(f"judged {number + 1} of {len(traces)} traces")
        own = [(trace, one) for trace, one in zip(traces, said, strict=True) if one.source == "model"]
        judges["model"] = _confuse([trace for trace, _ in own], [one for _, one in own])
        judges["model"]["unanswered"] = len(said) - len(own)
    return {"traces": len(traces), "solved": sum(trace.success for trace in traces), "judges": judges}


def make_traces(browser: Browser, tasks: Sequence[str], episodes: int) -> list[WebTrace]:
    """For each page one oracle trace and one failed one: spoilt on even pages, random on odd ones. Pages without an oracle are left out."""
    world, traces = World(browser), []
    try:
        for task in tasks:
            for number, seed in enumerate(admission_seeds(episodes)):
                rng = np.random.default_rng(seed)
                try:
                    solved = oracle_trace(world, task, world_seed(seed))
                    failed = (
                        wrong_trace(world, task, world_seed(seed), rng)
                        if number % 2 == 0
                        else random_trace(world, task, world_seed(seed), rng)
                    )
                except BrowserError:
                    continue
                traces += [trace for trace in (solved, failed) if trace is not None and trace.steps]
    finally:
        world.close()
    return traces


def _confuse(traces: Sequence[WebTrace], said: Sequence[WebOutcome]) -> dict[str, Any]:
    pairs = [(trace.success, one.done) for trace, one in zip(traces, said, strict=True)]
    right = sum(truth == done for truth, done in pairs)
    low, high = wilson_interval(right, len(pairs))
    return {
        "traces": len(pairs),
        "right": right,
        "accuracy": right / len(pairs) if pairs else None,
        "low": low,
        "high": high,
        "yes_solved": pairs.count((True, True)),
        "no_solved": pairs.count((True, False)),
        "yes_failed": pairs.count((False, True)),
        "no_failed": pairs.count((False, False)),
    }
