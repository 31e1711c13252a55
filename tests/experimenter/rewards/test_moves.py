"""Moves on reward specifications: valid, new, and never a turned sign."""

from __future__ import annotations

import numpy as np

from envs.catalog import get_family
from experimenter.rewards.moves import cross_specifications, mutate_specification
from prompts.specification import RewardSpecification, RewardTerm

CARD = get_family("gym:Pendulum-v1").card()
NAMES = [variable.name for variable in CARD.state]


def make_source(*terms: tuple[str, str, float], bonus: float = 0.0) -> str:
    made = [
        RewardTerm.model_validate({"variable": name, "direction": direction, "weight": weight})
        for name, direction, weight in terms
    ]
    return RewardSpecification(terms=tuple(made), alive_bonus=bonus).to_json()


def signs(source: str) -> set[tuple[str, str]]:
    return {(term.variable, term.direction) for term in RewardSpecification.from_json(source).terms}


def test_mutations_are_valid_new_and_keep_signs() -> None:
    parent = make_source((NAMES[0], "reward", 1.0), (NAMES[1], "penalise", 0.5))
    seen = set()
    for seed in range(60):
        child = mutate_specification(parent, CARD, np.random.default_rng(seed), known=frozenset({parent}))
        assert child is not None and child != parent
        assert signs(child) <= signs(parent), "a linear term can only be weighed, shaped or dropped"
        seen.add(child)
    assert len(seen) > 8


def test_a_penalty_on_distance_may_become_a_bonus_for_nearness() -> None:
    term = RewardTerm.model_validate(
        {"variable": NAMES[0], "direction": "penalise", "weight": 1.0, "shape": "absolute", "scale": 2.0}
    )
    parent = RewardSpecification(terms=(term,), alive_bonus=1.0).to_json()
    children = [
        RewardSpecification.from_json(text)
        for seed in range(80)
        if (text := mutate_specification(parent, CARD, np.random.default_rng(seed), known=frozenset({parent})))
    ]
    near = [child.terms[0] for child in children if child.terms[0].shape == "gaussian"]
    assert near and all(one.direction == "reward" and one.scale == 0.5 for one in near)


def test_crossover_takes_only_what_the_parents_have() -> None:
    first = make_source((NAMES[0], "reward", 1.0), (NAMES[1], "penalise", 0.5))
    second = make_source((NAMES[0], "reward", 4.0), (NAMES[2], "penalise", 0.1), bonus=0.5)
    for seed in range(40):
        child = cross_specifications(first, second, CARD, np.random.default_rng(seed), known=frozenset({first, second}))
        assert child is not None and child not in (first, second)
        assert signs(child) <= signs(first) | signs(second)
        weights = {t.variable: t.weight for t in RewardSpecification.from_json(child).terms}
        assert weights.get(NAMES[0], 1.0) in (1.0, 4.0)
        assert RewardSpecification.from_json(child).alive_bonus in (0.0, 0.5)


def test_nothing_new_is_said_as_none() -> None:
    same = make_source((NAMES[0], "reward", 1.0))
    assert cross_specifications(same, same, CARD, np.random.default_rng(0), known=frozenset({same})) is None
