"""Fitness as a person wants it counted: the family's fitness plus a weighted sum of its further true measures.

Only a person's explicit weights come here, never words. Pure functions, but for `family_measures`, which plays a few steps.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from envs.family import Family
from envs.task import TaskSpec
from experimenter.errors import UsageError
from experimenter.evaluation.rollout import merge_outcomes
from experimenter.records import Evaluation

_PROBE_STEPS = 5


def weighted_fitness(evaluation: Evaluation, weights: Mapping[str, float]) -> tuple[float, ...]:
    """Each episode's fitness + sum of weight x measure, in the order of `evaluation.seeds`; without weights the fitness itself.

    Raises `UsageError` naming the measures there are when one of `weights` was not measured in every episode.
    """
    check_weights(weights, evaluation.extras_by_episode, "a result to be ranked")
    columns = [(weight, evaluation.extras_by_episode[name]) for name, weight in weights.items()]
    return tuple(
        fitness + sum(weight * column[episode] for weight, column in columns)
        for episode, fitness in enumerate(evaluation.fitness)
    )


def check_weights(
    weights: Mapping[str, float], measures: Mapping[str, object] | Sequence[str], family: str = ""
) -> None:
    """Refuse weights of measures that do not exist, or that are no finite numbers, with one clear line (`UsageError`)."""
    known = sorted(measures)
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not isfinite(weight):
            raise UsageError(
                f"the weight of {name} is {weight!r}: give a finite number, such as --fitness {name}=-0.1."
            )
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            listed = ", ".join(known) or "none"
            raise UsageError(
                f"{family or 'this family'} has no measure {name!r}.{hint} Its further measures: {listed}."
            )


def family_measures(family: Family, task: TaskSpec) -> tuple[str, ...]:
    """Names of the further measures that an episode of `task` ends with, found by playing a very short one."""
    short = task.model_copy(update={"horizon": min(task.horizon, _PROBE_STEPS)})
    env = family.make_vec(short, 1)
    try:
        env.reset(0)
        env.action_space.seed(0)
        for _ in range(short.horizon):
            actions = np.stack([np.asarray(env.action_space.sample()) for _ in range(env.num_envs)])
            if outcomes := env.step(actions).outcomes:
                return tuple(sorted(merge_outcomes(outcomes).extras))
    finally:
        env.close()
    return ()
